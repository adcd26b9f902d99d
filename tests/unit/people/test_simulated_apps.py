"""The apps' loop on a fake clock and a fake broker: pace, order, policies, the end of the input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from experiments.people.app_sessions import ActingPolicy, AppSessions, Stream
from experiments.people.simulated_apps import SLACK, SimulatedApps
from experiments.people.three_state import ThreeStateUsers
from experiments.people.truth_log import Finished, PolicyTruth, TruthReader, TruthWriter, World
from groundswell.events import Impression, Watermark
from tests.unit.people.test_app_sessions import GRACE, WAIT, Always


@dataclass
class Sent:
    """A message as the broker gets it, with the time."""

    at: float
    stream: Stream
    key: bytes | None
    value: bytes
    partition: int | None


@dataclass
class FakeWorld:
    """A clock that moves when the loop pauses, and an outbox that keeps what is sent."""

    now: float = 1_700_000_000.0
    stop_at: float = float("inf")
    sent: list[Sent] = field(default_factory=list)
    unacknowledged: int = 0
    policy: ActingPolicy = field(default_factory=lambda: Always(0))

    def seconds(self) -> float:
        return self.now

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.stop_at

    def newest_policy(self) -> ActingPolicy:
        return self.policy

    def send(self, stream: Stream, key: bytes | None, value: bytes, partition: int | None = None) -> None:
        if key is None:
            assert self.unacknowledged == 0 or self.sent[-1].key is None, "a marker may overtake a message"
        self.unacknowledged += 1
        self.sent.append(Sent(self.now, stream, key, value, partition))

    def partitions(self, stream: Stream) -> Iterable[int]:
        return range(3)

    def flush(self) -> None:
        self.unacknowledged = 0


def run(world: FakeWorld, truth: Path | None = None, **options: object) -> AppSessions:
    sessions = AppSessions(ThreeStateUsers(5, 11, 0.2, seed=1), model="m", run="r", seed=1, wait=WAIT, grace=GRACE)
    arguments: dict[str, object] = {"rate": 200.0, "interactions": 400, "closing": 1500, "end_of_input": True}
    with TruthWriter(truth) as writer:
        SimulatedApps(
            sessions=sessions,
            outbox=world,
            newest_policy=world.newest_policy,
            truth=writer,
            seconds=world.seconds,
            pause=world.pause,
            **(arguments | options),  # type: ignore[arg-type]  # the fields' own types
        ).run()
    return sessions


def test_it_keeps_the_pace_and_ends_by_itself() -> None:
    world = FakeWorld()
    started = world.now
    sessions = run(world)
    assert sessions.produced.impressions == 400
    firsts = {one.key: one.at for one in reversed(world.sent) if one.stream is Stream.IMPRESSIONS and one.key}
    assert len(firsts) == 400
    assert max(firsts.values()) - started == pytest.approx(2.0, abs=0.5)


def test_nothing_is_sent_before_it_occurs() -> None:
    world = FakeWorld()
    run(world)
    for one in world.sent:
        if one.key is not None:
            assert msgspec.json.decode(one.value)["occurred_at"] <= one.at * 1000 + 1


def test_every_partition_of_both_topics_is_closed_after_everything_else() -> None:
    world = FakeWorld()
    sessions = run(world)
    markers = world.sent[-6:]
    assert {(one.stream, one.partition) for one in markers} == {(s, p) for s in Stream for p in range(3)}
    expected = Watermark(schema_version=1, watermark=sessions.last_occurred_at + 1500 + SLACK)
    for one in markers:
        assert one.key is None
        assert msgspec.json.decode(one.value, type=Watermark) == expected
    assert world.unacknowledged == 0


def test_a_stream_without_end_stops_when_told_and_closes_nothing() -> None:
    world = FakeWorld()
    world.stop_at = world.now + 3
    run(world, interactions=None, end_of_input=False)
    assert len(world.sent) > 500
    assert all(one.key is not None for one in world.sent)
    assert world.unacknowledged == 0


def test_it_acts_by_the_newest_policy_and_tells_its_true_value(tmp_path: Path) -> None:
    world = FakeWorld()
    change = world.now + 1.0

    class Newer(Always):
        version = 8

    def newest() -> ActingPolicy:
        return Newer(2) if world.now >= change else Always(0)

    world.newest_policy = newest  # type: ignore[method-assign]  # a fake's method
    sessions = run(world, tmp_path / "truth")
    versions = [
        (one.at, msgspec.json.decode(one.value, type=Impression).policy_version)
        for one in world.sent
        if one.stream is Stream.IMPRESSIONS and one.key
    ]
    assert {version for at, version in versions if at < change} == {7}
    assert {version for at, version in versions if at > change + 0.5} == {8}
    truths = list(TruthReader(tmp_path / "truth").new())
    states = sessions.users.states
    assert truths[0] == World(states.tolist())
    first, second = [one for one in truths if isinstance(one, PolicyTruth)]
    assert (first.version, second.version) == (7, 8)
    assert first.greedy_value == pytest.approx(states[:, 0].mean())
    assert second.greedy_value == pytest.approx(states[:, 2].mean())
    assert isinstance(truths[-1], Finished)
    assert truths[-1].produced == sessions.produced
