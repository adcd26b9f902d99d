"""The apps' loop on a fake clock and a fake broker: pace, order, policies, the end of the input."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer

from experiments.people.app_sessions import ActingPolicy, AppSessions, deciding_by
from experiments.people.command import run_in_words
from experiments.people.simulated_apps import CLOSING_SECONDS, SLACK, SimulatedApps, UnwrittenError
from experiments.people.three_state import ThreeStateUsers
from experiments.people.truth_log import Finished, PolicyTruth, TruthReader, TruthWriter, World
from groundswell.client.decisions import Decision
from groundswell.events import Action, FeatureValue
from tests.unit.people.test_app_sessions import GRACE, WAIT, Always


@dataclass
class Sent:
    """A message as it is logged, with the time; of an impression with what was decided."""

    at: float
    impression_id: str
    occurred_at: int
    decision: Decision | None = None


@dataclass
class FakeWorld:
    """A clock that moves when the loop pauses, and a log that keeps what it is told until it is closed."""

    now: float = 1_700_000_000.0
    stop_at: float = float("inf")
    sent: list[Sent] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    closed: bool = False
    refuses: int = 0
    acknowledges_each: float = 0.0
    """Seconds; where it is 0, all at once as the log is closed."""
    policy: ActingPolicy = field(default_factory=lambda: Always(0))
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def seconds(self) -> float:
        return self.now

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.stop_at

    def newest_policy(self) -> ActingPolicy:
        return self.policy

    def decide(self, context: Mapping[str, FeatureValue], actions: Sequence[Action], impression_id: str) -> Decision:
        return deciding_by("m", self.newest_policy(), self.chance)(context, actions, impression_id)

    @property
    def written(self) -> int:
        if self.acknowledges_each and self.sent:
            return min(len(self.sent), int((self.now - self.sent[0].at) / self.acknowledges_each))
        return len(self.sent) - self.refuses if self.closed else 0

    def shown(self, decision: Decision, *, occurred_at: int) -> None:
        assert not self.closed
        self.sent.append(Sent(self.now, decision.impression_id, occurred_at, decision))

    def feedback(self, impression_id: str, signal: str, *, feedback_id: str, occurred_at: int) -> None:
        assert not self.closed
        self.sent.append(Sent(self.now, impression_id, occurred_at))

    def close(self, seconds: float) -> None:
        self.closed = True
        self.closed_after = self.now - self.sent[-1].at

    def end_input(self, closed_at: int) -> None:
        assert self.closed, "a marker may overtake a message"
        self.ends.append(closed_at)


def run(world: FakeWorld, truth: Path | None = None, **options: object) -> AppSessions:
    sessions = AppSessions(ThreeStateUsers(5, 11, 0.2, seed=1), run="r", seed=1, wait=WAIT, grace=GRACE)
    arguments: dict[str, object] = {"rate": 200.0, "interactions": 400, "closing": 1500, "end_input": world.end_input}
    with TruthWriter(truth) as writer:
        SimulatedApps(
            sessions=sessions,
            decide=world.decide,
            log=world,
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
    firsts = {one.impression_id: one.at for one in reversed(world.sent) if one.decision is not None}
    assert len(firsts) == 400
    assert max(firsts.values()) - started == pytest.approx(2.0, abs=0.5)


def test_nothing_is_logged_before_it_occurs() -> None:
    world = FakeWorld()
    run(world)
    assert all(one.occurred_at <= one.at * 1000 + 1 for one in world.sent)


def test_the_input_is_ended_after_everything_else() -> None:
    world = FakeWorld()
    sessions = run(world)
    assert world.ends == [sessions.last_occurred_at + 1500 + SLACK]


def test_a_message_that_was_not_written_is_told_and_the_input_not_ended(tmp_path: Path) -> None:
    world = FakeWorld(refuses=1)
    with pytest.raises(UnwrittenError, match=r"1 of \d+ messages were not written"):
        run(world, tmp_path / "truth")
    assert world.ends == []
    assert not any(isinstance(one, Finished) for one in TruthReader(tmp_path / "truth").new())


def test_the_input_is_ended_once_all_is_acknowledged_however_long_that_takes(tmp_path: Path) -> None:
    world = FakeWorld(acknowledges_each=CLOSING_SECONDS / 2)
    run(world, tmp_path / "truth")
    assert world.closed_after > 100 * CLOSING_SECONDS
    assert len(world.ends) == 1


def test_nothing_that_comes_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    world = FakeWorld(acknowledges_each=2 * CLOSING_SECONDS)
    with pytest.raises(UnwrittenError, match="for 30 s Kafka has acknowledged none"):
        run(world, tmp_path / "truth")
    assert world.closed_after < 2 * CLOSING_SECONDS


def test_what_was_not_written_is_said_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Apps:
        def run(self) -> None:
            raise UnwrittenError("3 of 5 messages were not written")

    with pytest.raises(typer.Exit) as ended:
        run_in_words(Apps())  # type: ignore[arg-type]  # it runs as they do
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "groundswell: 3 of 5 messages were not written\n"


def test_a_stream_without_end_stops_when_told_and_ends_nothing() -> None:
    world = FakeWorld()
    world.stop_at = world.now + 3
    run(world, interactions=None, end_input=None)
    assert len(world.sent) > 500
    assert world.closed
    assert world.ends == []


def test_it_acts_by_the_newest_policy_and_tells_its_true_value(tmp_path: Path) -> None:
    world = FakeWorld()
    change = world.now + 1.0

    class Newer(Always):
        version = 8

    def newest() -> ActingPolicy:
        return Newer(2) if world.now >= change else Always(0)

    world.newest_policy = newest  # type: ignore[method-assign]  # a fake's method
    sessions = run(world, tmp_path / "truth")
    versions = [(one.at, one.decision.policy_version) for one in world.sent if one.decision is not None]
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
