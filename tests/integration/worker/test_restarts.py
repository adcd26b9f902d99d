"""A worker that stops, is killed, and comes back: nothing is lost, nothing counts twice, and the policy is the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from streams.settings import load_settings
from tests.integration.days import Day, assert_policies_are_the_learners, first_deliveries, learned
from tests.integration.raising_worker import NOT_FOLDED, NOT_LEARNED
from tests.integration.workers import TOPICS, RunningWorker, read_all

pytestmark = pytest.mark.timeout(400)

PART = 2_000
FAUST = (sys.executable, "-m", "faust", "-A", "streams.app", "worker", "--loglevel", "info")


def test_stopped_and_killed_in_the_middle_it_ends_where_one_that_never_stopped_would(
    tmp_path: Path, servers: str
) -> None:
    day = Day(servers)
    worker = RunningWorker(tmp_path, servers)
    with worker:
        day.goes_on(PART)
        worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
        status, seconds = worker.stop()
        assert (status, seconds < 10) == (0, True), worker.said()[-3_000:]
        day.goes_on(PART)
        for _ in range(2):
            worker.start()
            day.goes_on(PART // 2)
            worker.until(lambda: worker.metric("groundswell_join_total") > PART // 10, "something to be joined")
            worker.kill()
        day.ends()
        worker.start()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: worker.metric("groundswell_policy_version") == len(day.expected), "the last policy")
        assert worker.stop()[0] == 0

    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    assert len({(one.source.partition, one.source.offset) for one in log}) == len(day.expected)

    assert_policies_are_the_learners(servers, load_settings(tmp_path / "worker.toml").models["feed"], log)


def test_what_faust_skips_when_it_clears_its_queues_is_sought_and_read(tmp_path: Path, servers: str) -> None:
    day, command = Day(servers), (sys.executable, "-m", "tests.integration.skipping_worker")
    with RunningWorker(tmp_path, servers, command=command) as worker:
        day.goes_on(PART)
        day.ends()
        worker.until(lambda: worker.metric("groundswell_gaps_total") > 0, "a gap to be noticed")
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected


def test_records_that_raise_are_set_aside_the_worker_goes_on_and_all_else_is_learned_also_after_a_kill(
    tmp_path: Path, servers: str
) -> None:
    day, command = Day(servers), (sys.executable, "-m", "tests.integration.raising_worker")
    with RunningWorker(tmp_path, servers, command=command) as worker:
        day.goes_on(PART // 2)
        worker.until(lambda: worker.metric("groundswell_rewards_total") > 20, "something to be learned")
        worker.kill()
        worker.start()
        day.goes_on(PART // 2)
        day.ends()
        well = set(day.expected) - NOT_FOLDED - NOT_LEARNED
        worker.until(lambda: learned(servers) == well, "all else to be learned")
        worker.until(lambda: worker.metric("groundswell_policy_version") == len(well), "the last policy")
    aside = {record.key: dict(record.headers) for record in read_all(servers, TOPICS.dead_letter)}
    assert {headers["reason"] for headers in aside.values()} == {b"poison"}
    details = {headers["topic"]: set[bytes]() for headers in aside.values()}
    for record in read_all(servers, TOPICS.dead_letter):
        headers = dict(record.headers)
        details[headers["topic"]].add(headers["detail"])
    said = {
        TOPICS.impressions.encode(): NOT_FOLDED,
        TOPICS.interactions.encode(): NOT_LEARNED,
    }
    assert details == {
        topic: {f"LookupError: {one} was not foreseen, raised by raise_for".encode() for one in ids}
        for topic, ids in said.items()
    }
    log = [one for one in first_deliveries(servers) if one.impression.impression_id in well]
    assert_policies_are_the_learners(servers, load_settings(tmp_path / "worker.toml").models["feed"], log)


def test_faust_starts_the_same_worker_which_begins_at_the_earliest_where_there_is_no_checkpoint(
    tmp_path: Path, servers: str
) -> None:
    day = Day(servers)
    day.goes_on(20)
    day.ends()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with RunningWorker(tmp_path, servers, command=FAUST, environment={"TMPDIR": str(temporary)}) as worker:
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        assert not list(temporary.glob("*groundswell*")), "it needs no folder, and leaves none"
        assert worker.get("/healthz")[0] == 200
        status, seconds = worker.stop()
        assert (status, seconds < 10) == (0, True), worker.said()[-3_000:]


def test_faust_starts_no_worker_that_would_not_find_its_topics(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        own = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "GROUNDSWELL_HTTP__PORT": str(free_port())}
        environment = {**os.environ, **own}
        done = subprocess.run(FAUST, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode != 0
    assert "there are no topics " in done.stderr + done.stdout
