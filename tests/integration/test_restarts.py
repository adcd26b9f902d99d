"""A worker that stops, is killed, and comes back: nothing is lost, nothing counts twice, and the policy is the same."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.three_state import ThreeStateUsers
from processors import policy
from processors.events import Interaction
from processors.interactions import decode_interaction
from processors.learner import Learner
from streams.embedded_broker import EmbeddedBroker
from streams.settings import load_settings
from tests.factories import feedback, impression
from tests.integration.workers import TOPICS, Apps, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(400)

PART = 2_000
ACTIONS = 5


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[str]:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        yield with_topics(broker.bootstrap_servers)


class Day:
    """People who are shown something, and answer within the wait, event after event."""

    def __init__(self, servers: str) -> None:
        self._apps = Apps(servers)
        self._people = ThreeStateUsers(3, ACTIONS, 0.3, seed=0)
        self._rng = random.Random(0)
        self._at = round(time.time() * 1000) - 3_600_000
        self.expected: dict[str, list[str]] = {}

    def goes_on(self, count: int) -> None:
        for _ in range(count):
            name, user, chosen = f"i{len(self.expected)}", self._people.arrive(), self._rng.randrange(ACTIONS)
            self._at += 3
            actions = [{"id": f"a{number}"} for number in range(ACTIONS)]
            shown = impression(
                name, self._at, context={"user": f"u{user}"}, actions=actions, chosen=chosen,
                probabilities=[1 / ACTIONS] * ACTIONS,
            )  # fmt: skip
            self._apps.send(TOPICS.impressions, shown)
            signal = self._people.signal(user, chosen)
            if signal != "none":
                self._apps.send(TOPICS.feedback, feedback(name, self._at + 500, signal=signal))
            self.expected[name] = [signal]
        self._apps.flush()

    def ends(self) -> None:
        self._apps.end(self._at + 60_000)
        self._apps.close()


def learned(servers: str) -> set[str]:
    return {json.loads(record.value)["impression_id"] for record in read_all(servers, TOPICS.rewards)}


def first_deliveries(servers: str) -> list[Interaction]:
    """Return the interactions log without repetitions."""
    seen, first = set(), []
    for record in read_all(servers, TOPICS.interactions):
        interaction = decode_interaction(record.value)
        if (place := (interaction.source.partition, interaction.source.offset)) not in seen:
            seen.add(place)
            first.append(interaction)
    return first


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

    published = {policy.decode(record.value).version: record.value for record in read_all(servers, TOPICS.policies)}
    assert max(published) == len(log)
    pure = Learner(load_settings(tmp_path / "worker.toml").models["feed"])
    for version in sorted(published):
        pure.learn(log[pure.interactions_included : version])
        parent = policy.decode(published[version]).parent
        assert policy.encode(pure.snapshot(parent)) == published[version], f"version {version}"


def test_faust_starts_the_same_worker(tmp_path: Path, servers: str) -> None:
    command = (sys.executable, "-m", "faust", "-A", "streams.app", "worker", "--loglevel", "info")
    with RunningWorker(tmp_path, servers, command=command) as worker:
        day = Day(servers)
        day.goes_on(20)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        assert worker.get("/healthz")[0] == 200
        status, seconds = worker.stop()
        assert (status, seconds < 10) == (0, True), worker.said()[-3_000:]
