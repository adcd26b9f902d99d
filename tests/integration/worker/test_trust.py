"""What somebody else wrote where only workers write, on a real worker: it is told, and nothing is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import cramjam
import msgspec
import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from state.checkpoints import CHECKPOINT_KEY, MAGIC, VERSION
from tests.integration.days import Day, learned
from tests.integration.workers import TOPICS, Apps, RunningWorker, with_topics

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[str]:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        yield with_topics(broker.bootstrap_servers)


def checkpoint(**contents: object) -> bytes:
    """Return a checkpoint with a right checksum."""
    whole = {"offset": 0, "ledger": {"floors": [], "above": []}, "models": {}, "publications": {}, **contents}
    body = bytes(cramjam.zstd.compress(msgspec.msgpack.encode(whole), level=1))
    return MAGIC + VERSION.to_bytes(2, "big") + sha256(body).digest() + body


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        ({"ledger": {"floors": [[0, 10**12]], "above": []}}, "it has learned the impression at [0]@999999999999"),
        ({"models": {"feed": {"state_version": 2}}}, "the state of model 'feed'"),
        ({"offset": -1}, "Expected `int` >= 0 - at `$.offset`"),
    ],
    ids=["a floor beyond all offsets", "no state", "no offset"],
)
def test_line_14_a_worker_refuses_a_forged_checkpoint_and_says_what_and_where(
    tmp_path: Path, servers: str, forged: dict[str, object], says: str
) -> None:
    apps = Apps(servers)
    for partition in range(TOPICS.interaction_partitions):
        apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, checkpoint(**forged), partition=partition)
    apps.flush()
    worker = RunningWorker(tmp_path, servers)
    with pytest.raises(AssertionError, match="the worker ended"):
        worker.start()
    assert worker.ended() == 1
    last = worker.said().strip().splitlines()[-1]
    assert "The worker ends: partition 0: checkpoint has a valid checksum, but not the expected contents" in last
    assert says in last
    assert "Delete its records from the checkpoints topic" in last


def test_line_16_a_malformed_manifest_on_policies_ends_no_worker(tmp_path: Path, servers: str) -> None:
    apps, day = Apps(servers), Day(servers)
    apps.send_bytes(TOPICS.policies, b"feed", b'{"kind":"chunked","slot":"x","chunks":-1}', partition=0)
    apps.flush()
    with RunningWorker(tmp_path, servers) as worker:
        assert worker.metric("groundswell_disbelieved_total", topic="policies") > 0
        day.goes_on(20)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: worker.metric("groundswell_policy_version") == len(day.expected), "the last policy")


def test_what_no_worker_can_have_written_on_the_changelog_ends_no_worker(tmp_path: Path, servers: str) -> None:
    apps, day, changelog = Apps(servers), Day(servers), "groundswell-pending-changelog"
    for key in (b"[1", b'"x"', b"{}", b"\xff", b'[0,5,"w"]', b'[0,5,"w",-1]', b'[1,5,"w",0]'):
        apps.send_bytes(changelog, key, b"junk", partition=0)
    apps.send_bytes(changelog, b'[0,5,"stranger",0]', b"no segment, and vouched for by no mark", partition=0)
    apps.flush()
    with RunningWorker(tmp_path, servers) as worker:
        assert worker.metric("groundswell_disbelieved_total", topic=changelog) > 0
        day.goes_on(20)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")


def test_a_worker_refuses_a_forged_mark_and_says_which(tmp_path: Path, servers: str) -> None:
    apps = Apps(servers)
    apps.send_bytes("groundswell-pending-changelog", b'[0,-1,"stranger",0]', b"no mark", partition=0)
    apps.flush()
    worker = RunningWorker(tmp_path, servers)
    with pytest.raises(AssertionError, match="the worker ended"):
        worker.start()
    assert worker.ended() == 1
    assert (
        "The worker ends: partition 0: the mark [0,-1,'stranger',0] of the changelog" in worker.said().splitlines()[-1]
    )
