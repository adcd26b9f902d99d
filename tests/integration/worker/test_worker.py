"""One worker on the embedded broker, as apps and operators see it."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from processors.wire.envelopes import decode_interaction
from streams.worker.outputs import contract_partition
from tests.factories import encode, feedback, impression
from tests.integration.workers import TOPICS, Apps, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(400)

HOUR = 3_600_000
HOSTILE = GOOD = 10_000


class World(NamedTuple):
    """A broker and a worker that the tests of this module share, each in an hour of its own."""

    servers: str
    worker: RunningWorker
    hours: Iterator[int]

    def begin(self) -> int:
        """Return an event time later than that of all tests before."""
        return next(self.hours)

    def interactions(self, prefix: str) -> dict[str, list[str]]:
        """Return the signals of the interactions of this test; each impression has become one."""
        found: dict[str, list[str]] = {}
        for record in read_all(self.servers, TOPICS.interactions):
            interaction = decode_interaction(record.value)
            name = interaction.impression.impression_id
            if name.startswith(prefix):
                assert name not in found, f"{name} was joined twice"
                found[name] = interaction.signals
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("worker")
    yesterday = round(time.time() * 1000) - 24 * HOUR
    with EmbeddedBroker(directory / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        with RunningWorker(directory, servers) as worker:
            yield World(servers, worker, itertools.count(yesterday, HOUR))


@pytest.fixture
def apps(world: World) -> Iterator[Apps]:
    apps = Apps(world.servers)
    yield apps
    apps.close()


# -- hostile messages -----------------------------------------------------------------------------------------


def hostile_messages(at: int, rng: random.Random) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Yield (topic, key, value) of messages none of which may pass."""
    for number in itertools.count():
        name = f"bad{number}"
        topic = rng.choice(["impressions", "feedback"])
        good = impression(name, at) if topic == "impressions" else feedback(name, at)
        whole = encode(good)
        spoilt: dict[str, Any] = rng.choice([
            {"schema_version": rng.choice([0, 2, "1", None])},
            {"occurred_at": rng.choice([-1, "now", 1.5, None, at + 10**10])},
            {"impression_id": rng.choice(["", "x" * 10_000, 7, None, "another"])},
            {"model": 1, "signal": 1},
            {"context": [1], "feedback_id": ""},
            {"chosen": 3, "signal": ["click"]},
            {"probabilities": rng.choice([[1, 1, 1], [0.5], [-1, 1, 1], [1, 0, 0]]), "value": "much"},
            {"actions": [], "signal": "x" * 129},
        ])  # fmt: skip
        contradiction = encode(
            {**good, **{field: value for field, value in spoilt.items() if field in {*good, "value"}}}
        )
        broken: bytes | None = rng.choice([
            None,
            b"",
            b"[" * 10_000,
            rng.randbytes(rng.randrange(1, 300)),
            whole[: rng.randrange(1, len(whole))],
            whole.replace(b'"schema_version":1', b'"schema_version":NaN'),
            whole[:-1] + b',"x":"\xff\xfe"}',
            *[contradiction] * 4,
        ])  # fmt: skip
        if broken == whole:
            broken = whole[:-1]
        key: bytes | None = name.encode()
        if rng.random() < 0.1:
            key, broken = rng.choice([None, b"", b"someone else", rng.randbytes(20)]), whole
        yield topic, key, broken


def test_all_hostile_messages_are_dead_lettered_as_they_were_and_all_good_ones_are_learned(
    world: World, apps: Apps
) -> None:
    at, rng = world.begin(), random.Random(1)
    learned = world.worker.metric("groundswell_rewards_total")
    sent = []
    hostile = hostile_messages(at, rng)
    for number in range(GOOD):
        name = f"good{number}"
        apps.send("impressions", impression(name, at + number // 10, context={"user": f"u{number % 5}"}))
        if number % 2:
            apps.send("feedback", feedback(name, at + number // 10 + 50))
        topic, key, value = next(hostile)
        sent.append((topic, key, value, apps.send_bytes(topic, key, value)))
    apps.end(at + HOUR // 2)
    world.worker.until(
        lambda: world.worker.metric("groundswell_rewards_total") - learned >= GOOD, "all good ones to be learned"
    )
    world.worker.until(
        lambda: world.worker.metric("groundswell_dead_letters_total") >= HOSTILE, "all hostile ones to be refused"
    )
    assert world.worker.running

    expected = {}
    for topic, key, value, future in sent:
        place = future.get(0)
        expected[topic, place.partition, place.offset] = (key, value)
    found = {}
    reasons: Counter[str] = Counter()
    for record in read_all(world.servers, TOPICS.dead_letter):
        headers = dict(record.headers)
        place = (headers["topic"].decode(), int(headers["partition"]), int(headers["offset"]))
        found[place] = (record.key, record.value)
        reasons[headers["reason"].decode()] += 1
    assert found == expected
    assert len(found) == reasons.total() == HOSTILE
    assert len(reasons) > 8, reasons
    assert dict(reasons) == {
        reason: world.worker.metric("groundswell_dead_letters_total", reason=reason) for reason in reasons
    }

    rewards = Counter(json.loads(record.value)["impression_id"] for record in read_all(world.servers, TOPICS.rewards))
    assert {name: count for name, count in rewards.items() if name.startswith("good")} == {
        f"good{number}": 1 for number in range(GOOD)
    }
    joined = world.interactions("good")
    assert joined == {f"good{number}": ["click"] if number % 2 else ["none"] for number in range(GOOD)}


# -- feedback of every kind -----------------------------------------------------------------------------------


def elsewhere(name: str) -> int:
    """Return a partition other than the contract's."""
    return (contract_partition(name.encode(), TOPICS.event_partitions) + 1) % TOPICS.event_partitions


def test_feedback_of_every_kind_ends_where_it_should(world: World, apps: Apps) -> None:
    at = world.begin()
    for name in ("plain", "several", "late", "too-early", "twice", "none", "shown-again"):
        apps.send("impressions", impression(f"kind-{name}", at))
    answers: list[tuple[str, int, dict[str, Any]]] = [
        ("early", at + 10, {}),
        ("plain", at + 2_000, {}),
        ("several", at + 500, {"signal": "like"}),
        ("several", at + 100, {"signal": "click", "feedback_id": "first"}),
        ("late", at + 2_001, {}),
        ("too-early", at - 1_001, {}),
        ("twice", at + 10, {}),
        ("twice", at + 10, {}),
        ("orphan", at + 10, {}),
        ("before", at - 1_000, {}),
    ]
    for name, when, changes in answers:
        apps.send("feedback", feedback(f"kind-{name}", when, **changes))
    apps.send("feedback", feedback("kind-misplaced", at + 10), partition=elsewhere("kind-misplaced"))
    apps.flush()
    world.worker.until(
        lambda: world.worker.metric("groundswell_join_early_feedback") >= 4, "feedback to come before its impression"
    )
    apps.send("impressions", impression("kind-early", at))
    apps.send("impressions", impression("kind-before", at))
    apps.send("impressions", impression("kind-misplaced", at))
    apps.send("impressions", impression("kind-shown-again", at))
    apps.send("impressions", impression("kind-shown-again", at, chosen=0))
    apps.end(at + HOUR // 2)
    world.worker.until(lambda: len(world.interactions("kind-")) == 10, "all to be joined")
    assert world.interactions("kind-") == {
        "kind-plain": ["click"],
        "kind-several": ["click", "like"],
        "kind-late": ["none"],
        "kind-too-early": ["none"],
        "kind-twice": ["click"],
        "kind-none": ["none"],
        "kind-early": ["click"],
        "kind-before": ["click"],
        "kind-misplaced": ["none"],
        "kind-shown-again": ["none"],
    }

    def strays() -> dict[str, tuple[str, str | None]]:
        found = {}
        for record in read_all(world.servers, TOPICS.late_feedback):
            headers = {name: value.decode() for name, value in record.headers}
            if record.key.startswith(b"kind-"):
                assert json.loads(record.value)["impression_id"] == record.key.decode()
                found[record.key.decode()] = (headers["reason"], headers.get("lateness_ms"))
        return found

    world.worker.until(lambda: len(strays()) == 4, "all strays to be told")
    assert strays() == {
        "kind-late": ("late", "1"),
        "kind-too-early": ("too_early", "-3001"),
        "kind-orphan": ("orphan", None),
        "kind-misplaced": ("misplaced_orphan", None),
    }
    for outcome in ("duplicate_feedback", "duplicate_impression", "conflicting_impression", "misplaced_orphan"):
        assert world.worker.metric("groundswell_join_total", outcome=outcome) == 1, outcome


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_apps_may_compress(world: World, compression: str) -> None:
    at, compressing = world.begin(), Apps(world.servers, compression_type=compression)
    names = {f"{compression}-{number}" for number in range(50)}
    for name in names:
        compressing.send("impressions", impression(name, at))
        compressing.send("feedback", feedback(name, at + 10))
    compressing.end(at + HOUR // 2)
    compressing.close()
    world.worker.until(lambda: len(world.interactions(compression)) == len(names), "all to be joined")
    assert world.interactions(compression) == {name: ["click"] for name in names}


# -- pages ----------------------------------------------------------------------------------------------------


def test_operators_see_whether_it_lives_and_is_ready_and_what_it_counts(world: World) -> None:
    assert world.worker.get("/healthz") == (200, "ok\n")
    assert world.worker.get("/readyz") == (200, "ready\n")
    status, page = world.worker.get("/metrics")
    assert status == 200
    assert "# HELP groundswell_join_total" in page
    assert world.worker.get("/nothing")[0] == 404
