"""What somebody else wrote where only workers write, on a real worker: it is told, and nothing is made of it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cramjam
import msgspec
import pytest

from groundswell.client import Policies
from groundswell.signatures import Kind, Signer, Verifier, new_key_pair
from state.learner_checkpoints import CHECKPOINT_KEY, MAGIC, VERSION, decode, encode
from streams.inspection.published_policies import newest_policies
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import KafkaSettings
from tests.factories import impression
from tests.integration.days import Day, learned
from tests.integration.workers import CONFIGURATION, TOPICS, UNREADABLE, Apps, RunningWorker, read_all
from tests.unit.stand_ins import worker_settings

pytestmark = pytest.mark.timeout(400)

STOCK = """
reward = {rule = "iclr", alpha = 0.3}
bandit = {estimator = {class = "river.linear_model.LinearRegression"}}
"""


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


def test_line_15_the_state_of_a_stock_estimator_may_name_no_class_beyond_rivers_own(
    tmp_path: Path, servers: str
) -> None:
    apps, day = Apps(servers), Day(servers)
    configuration = f"{CONFIGURATION}{STOCK}"
    with RunningWorker(tmp_path, servers, configuration=configuration) as worker:
        day.goes_on(200)
        day.ends()
        worker.until(lambda: worker.metric("groundswell_policy_version") == len(day.expected), "all to be learned")
        assert worker.stop()[0] == 0
    log = [record for record in read_all(servers, TOPICS.checkpoints) if record.key == CHECKPOINT_KEY]
    believed, partition = decode(log[-1].value), log[-1].partition
    _, _, _, attributes = believed.models["feed"]["regressor"]
    # A name that a module of River has, since it imports it, is none of its classes.
    attributes.append([["plain", "strange"], ["object", "river.base.ensemble", "UserList", []]])
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, encode(believed), partition=partition)
    apps.flush()
    worker = RunningWorker(tmp_path, servers, configuration=configuration)
    with pytest.raises(AssertionError, match="the worker ended"):
        worker.start()
    assert worker.ended() == 1
    last = worker.said().strip().splitlines()[-1]
    assert f"The worker ends: partition {partition}: checkpoint has a valid checksum" in last
    assert "names river.base.ensemble.UserList: only River's own classes are read" in last


def test_interactions_of_impressions_that_nobody_has_logged_are_set_aside_and_end_no_worker(
    tmp_path: Path, servers: str
) -> None:
    apps, day = Apps(servers), Day(servers)
    day.goes_on(20)
    forged = [
        {"partition": 0, "offset": 10**12, "floor": 0},
        {"partition": 1, "offset": 10**12, "floor": 10**12},
        {"partition": 0, "offset": 0, "floor": 10**12},
        {"partition": 99, "offset": 0, "floor": 0},
    ]
    for source in forged:
        record = {
            "schema_version": 1,
            "source": source,
            "impression": msgspec.to_builtins(impression("forged", 1)),
            "feedback": [],
            "signals": ["none"],
        }
        for partition in range(TOPICS.interaction_partitions):
            apps.send_bytes(TOPICS.interactions, b"feed", msgspec.json.encode(record), partition=partition)
    apps.flush()
    aside = TOPICS.interaction_partitions * len(forged)
    why = {"topic": TOPICS.interactions, "reason": "impression_not_logged"}
    with RunningWorker(tmp_path, servers) as worker:
        worker.until(lambda: worker.metric("groundswell_dead_letters_total", **why) == aside, "all to be set aside")
        assert worker.stop()[0] == 0
    assert [record.value for record in read_all(servers, TOPICS.checkpoints)], "what was read is gone on from"
    with RunningWorker(tmp_path, servers) as worker:
        day.goes_on(200)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything honest to be learned, and nothing else")


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


def test_what_no_client_can_read_on_topics_of_state_ends_no_worker_and_no_reader(tmp_path: Path, servers: str) -> None:
    apps, day, changelog = Apps(servers), Day(servers), "groundswell-pending-changelog"
    state = {
        TOPICS.policies: 1,
        TOPICS.checkpoints: TOPICS.interaction_partitions,
        changelog: TOPICS.event_partitions,
    }

    def write_what_nobody_can_read() -> None:
        for topic, partitions in state.items():
            for partition in range(partitions):
                apps.send_bytes(topic, b"feed", b"v", partition=partition, headers=UNREADABLE)
        apps.flush()

    write_what_nobody_can_read()
    with RunningWorker(tmp_path, servers) as worker, Policies(servers, "feed") as policies:
        day.goes_on(200)
        worker.until(lambda: worker.metric("groundswell_join_pending") > 0, "something that waits")
        write_what_nobody_can_read()
        worker.kill()
        worker.start()  # what waits lies between such records, and one is the last of each topic
        assert worker.metric("groundswell_disbelieved_total", topic=TOPICS.policies) == 2
        assert worker.metric("groundswell_disbelieved_total", topic=changelog) == 2 * TOPICS.event_partitions
        assert "what nobody can read is passed over" in worker.said()
        day.goes_on(200)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: policies.policy.version == len(day.expected), "the last policy to get to an app")
        assert policies.refused == 2
        assert worker.stop()[0] == 0
    with TopicInspector(KafkaSettings(bootstrap_servers=servers)) as logs:
        assert newest_policies(worker_settings(), logs)["feed"].snapshot.version == len(day.expected)


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


class Keys:
    """A pair of keys in files, and the environment of a worker that signs and checks by them."""

    def __init__(self, folder: Path, name: str) -> None:
        private, public = new_key_pair()
        self.signer, self.verifier = Signer(private), Verifier(public)
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pub"
        self.private.write_bytes(private)
        self.public.write_bytes(public)

    def environment(self, *trusted: Keys) -> dict[str, str]:
        files = msgspec.json.encode([str(one.public) for one in trusted]).decode()
        return {
            "GROUNDSWELL_SIGNATURES__PRIVATE_KEY_FILE": str(self.private),
            **({"GROUNDSWELL_SIGNATURES__PUBLIC_KEY_FILES": files} if trusted else {}),
        }


def unsigned(servers: str, keys: Keys) -> list[str]:
    """Return of which records of checkpoints and policies the signature is not right."""
    kinds: dict[str, Kind] = {TOPICS.checkpoints: "checkpoints", TOPICS.policies: "policies"}
    return [
        f"{topic}: {record.key!r}"
        for topic, kind in kinds.items()
        for record in read_all(servers, topic)
        if keys.verifier.refusal(kind, record.partition, record.key, record.value, record.headers)
    ]


def test_signed_state_is_gone_on_from_and_what_a_stranger_writes_changes_nothing(tmp_path: Path, servers: str) -> None:
    keys, newer, day = Keys(tmp_path, "old"), Keys(tmp_path, "new"), Day(servers)
    with RunningWorker(tmp_path, servers, environment=keys.environment(keys)) as worker:
        day.goes_on(2_000)
        worker.until(lambda: worker.metric("groundswell_checkpoint_bytes") > 0, "a checkpoint")
        worker.until(lambda: worker.metric("groundswell_policy_version") > 0, "a policy")
        assert worker.stop()[0] == 0
    assert read_all(servers, TOPICS.checkpoints)
    assert unsigned(servers, keys) == []
    apps = Apps(servers)
    for partition in {record.partition for record in read_all(servers, TOPICS.checkpoints)}:
        apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, checkpoint(offset=10**6), partition=partition)
    apps.send_bytes(TOPICS.policies, b"feed", b'{"kind":"chunked","slot":"x"}', partition=0)
    apps.flush()
    with RunningWorker(tmp_path, servers, environment=newer.environment(keys, newer)) as worker:
        assert worker.metric("groundswell_disbelieved_total", topic="checkpoints") > 0
        assert worker.metric("groundswell_disbelieved_total", topic="policies") > 0
        day.goes_on(200)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: worker.metric("groundswell_policy_version") == len(day.expected), "the last policy")
        worker.stop()
    last = [record for record in read_all(servers, TOPICS.policies) if record.key == b"feed"][-1]
    assert newer.verifier.refusal("policies", 0, last.key, last.value, last.headers) is None


def test_where_nothing_is_signed_yet_a_worker_that_trusts_only_signatures_says_how_to_begin(
    tmp_path: Path, servers: str
) -> None:
    apps, keys = Apps(servers), Keys(tmp_path, "one")
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, checkpoint(), partition=0)
    apps.flush()
    worker = RunningWorker(tmp_path, servers, environment=keys.environment(keys))
    with pytest.raises(AssertionError, match="the worker ended"):
        worker.start()
    assert worker.ended() == 1
    last = worker.said().strip().splitlines()[-1]
    assert "partition 0: the checkpoint is not believed: it is not signed" in last
    assert "with signatures.private_key_file alone first" in last


def test_a_worker_that_would_not_believe_itself_does_not_start(tmp_path: Path, servers: str) -> None:
    keys, other = Keys(tmp_path, "one"), Keys(tmp_path, "other")
    worker = RunningWorker(tmp_path, servers, environment=keys.environment(other))
    with pytest.raises(AssertionError, match="the worker ended"):
        worker.start()
    assert worker.ended() == 2
    assert "would not be believed by it" in worker.said()
