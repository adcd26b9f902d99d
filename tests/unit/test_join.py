"""The join against its specification, case by case and against a brute-force oracle."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.join import MAX_FEEDBACK, Join, JoinConfig, ObservedFeedback, Outcome, ShownImpression, Step

WAIT, GRACE, BACKWARD, REMEMBER = 100, 20, 30, 50
CONFIG = JoinConfig(
    wait=WAIT / 1000, grace=GRACE / 1000, backward=BACKWARD / 1000, remember=REMEMBER / 1000, max_pending=1000
)


def shown(impression_id: str, occurred_at: int, offset: int = 0, value: bytes = b"{}") -> ShownImpression:
    return ShownImpression(impression_id, occurred_at, "feed", offset, value)


def seen(impression_id: str, occurred_at: int, feedback_id: str = "f", signal: str = "click") -> ObservedFeedback:
    return ObservedFeedback(feedback_id, impression_id, occurred_at, signal, 0, b"{}")


class Played:
    """A join with everything that came of it."""

    def __init__(self, config: JoinConfig = CONFIG) -> None:
        self.join = Join(config)
        self.closed: list[tuple[str, list[str]]] = []
        self.strays: list[tuple[str, Outcome]] = []
        self.evicted: list[str] = []
        self.outcomes: dict[Outcome, int] = {}

    def take(self, step: Step) -> None:
        self.closed += [(one.impression.id, [f.id for f in one.feedback]) for one in step.closed]
        self.strays += [(stray.feedback.id, stray.reason) for stray in step.strays]
        self.evicted += [one.impression.id for one in step.evicted]
        for outcome, number in step.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def impressions(self, *impressions: ShownImpression) -> None:
        self.take(self.join.add_impressions(impressions))

    def feedback(self, *feedback: ObservedFeedback) -> None:
        self.take(self.join.add_feedback(feedback))

    def advance(self, to: int) -> None:
        self.take(self.join.advance(to, to))


def test_an_impression_closes_once_with_its_feedback_when_both_logs_have_passed_its_wait_and_grace() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.feedback(seen("a", 1050))
    played.impressions(shown("b", 2000, 1))
    assert played.closed == [], "the feedback log is still at 1050: more for a may come"
    played.feedback(seen("b", 1000 + WAIT + GRACE, "g"))
    assert played.closed == [("a", ["f"])]


def test_no_feedback_is_an_explicit_outcome_and_comes_only_after_the_grace() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.advance(1000 + WAIT + GRACE - 1)
    assert played.closed == []
    played.advance(1000 + WAIT + GRACE)
    assert played.closed == [("a", [])]
    assert played.outcomes == {Outcome.NONE: 1}


@dataclass(frozen=True)
class Case:
    """Feedback relative to an impression at 1000, and what becomes of it."""

    name: str
    occurred_at: int
    log_before: int = 0
    stray: Outcome | None = None


@pytest.mark.parametrize(
    "case",
    [
        Case("at the same moment", 1000),
        Case("at the end of the wait", 1000 + WAIT),
        Case("just beyond the wait", 1000 + WAIT + 1, stray=Outcome.LATE),
        Case("before its impression, within the backward buffer", 1000 - BACKWARD),
        Case("too long before its impression", 1000 - BACKWARD - 1, stray=Outcome.TOO_EARLY),
        Case("in time, and out of order within the grace", 1050, log_before=1000 + WAIT + GRACE - 1),
        Case("in time, but more out of order than the grace", 1050, 1000 + WAIT + GRACE, Outcome.LATE),
    ],
    ids=lambda case: case.name,
)
def test_feedback_counts_by_event_time_and_its_own_log(case: Case) -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.take(played.join.advance(feedback_time=case.log_before))
    played.feedback(seen("a", case.occurred_at))
    played.advance(5000)
    assert played.closed == [("a", [] if case.stray else ["f"])]
    assert played.strays == ([("f", case.stray)] if case.stray else [])


def test_feedback_that_comes_before_its_impression_waits_for_it() -> None:
    played = Played()
    played.feedback(seen("a", 1010))
    played.impressions(shown("a", 1000))
    played.advance(5000)
    assert played.closed == [("a", ["f"])]


def test_feedback_whose_impression_never_comes_is_an_orphan_when_its_time_is_up() -> None:
    played = Played()
    played.feedback(seen("a", 1000))
    played.advance(1000 + BACKWARD + GRACE)
    assert played.strays == [], "an impression that is out of order by the grace may still claim it"
    played.advance(1000 + BACKWARD + GRACE + 1)
    assert played.strays == [("f", Outcome.ORPHAN)]
    assert played.join.early == 0


@pytest.mark.parametrize("in_one_stretch", [True, False], ids=["in one stretch", "one by one"])
def test_feedback_at_the_very_edge_of_the_backward_buffer_joins_however_the_logs_were_read(
    in_one_stretch: bool,
) -> None:
    played = Played()
    played.feedback(seen("out of order", 1000 - BACKWARD), seen("nobody", 1100, "g"))
    impressions = [shown("newest", 1000 + GRACE), shown("out of order", 1000, 1)]
    for stretch in [impressions] if in_one_stretch else [impressions[:1], impressions[1:]]:
        played.impressions(*stretch)
    played.advance(9000)
    assert ("out of order", ["f"]) in played.closed


def test_an_impression_carries_no_more_feedback_than_a_record_of_interactions() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.feedback(*(seen("a", 1010, str(number)) for number in range(MAX_FEEDBACK + 2)))
    played.advance(9000)
    assert played.closed == [("a", [str(number) for number in range(MAX_FEEDBACK)])]
    assert played.strays == [(str(number), Outcome.TOO_MANY) for number in (MAX_FEEDBACK, MAX_FEEDBACK + 1)]


def test_feedback_after_closing_is_late_and_says_by_how_much() -> None:
    join = Join(CONFIG)
    join.add_impressions([shown("a", 1000)])
    join.advance(1000 + WAIT + GRACE, 1000 + WAIT + GRACE)
    (stray,) = join.add_feedback([seen("a", 1000 + WAIT + 7)]).strays
    assert (stray.reason, stray.lateness) == (Outcome.LATE, 7)


def test_duplicates_count_once_and_the_first_wins() -> None:
    played = Played()
    played.impressions(shown("a", 1000), shown("a", 1000, 1), shown("a", 1000, 2, b'{"other":1}'))
    played.feedback(seen("a", 1010), seen("a", 1010), seen("a", 1020, "g", "like"))
    played.advance(1000 + WAIT + GRACE)
    played.impressions(shown("a", 1000, 3))
    played.advance(9000)
    assert played.closed == [("a", ["f", "g"])]
    assert played.outcomes[Outcome.DUPLICATE_IMPRESSION] == 2
    assert played.outcomes[Outcome.CONFLICTING_IMPRESSION] == 1
    assert played.outcomes[Outcome.DUPLICATE_FEEDBACK] == 1


def test_an_impression_far_out_of_order_is_moved_forward_and_not_lost() -> None:
    played = Played()
    played.impressions(shown("new", 5000), shown("old", 1000, 1))
    played.feedback(seen("old", 4990))
    played.advance(9000)
    assert sorted(played.closed) == [("new", []), ("old", ["f"])]


def test_too_many_pending_evicts_the_oldest_and_says_so() -> None:
    played = Played(CONFIG.model_copy(update={"max_pending": 2}))
    played.impressions(*(shown(name, 1000 + place, place) for place, name in enumerate("abc")))
    assert played.evicted == ["a"]
    assert len(played.join) == 2


def test_the_floor_is_the_lowest_pending_offset() -> None:
    join = Join(CONFIG)
    join.add_impressions([shown("a", 1000, 4), shown("b", 1200, 7)])
    assert join.floor == 4
    join.advance(1000 + WAIT + GRACE, 1000 + WAIT + GRACE)
    assert join.floor == 7
    join.advance(9000, 9000)
    assert join.floor is None


def test_what_was_remembered_is_forgotten() -> None:
    join = Join(CONFIG)
    for number in range(1000):
        join.add_impressions([shown(str(number), number * 10, number)])
        join.add_feedback([seen(f"nobody{number}", number * 10)])
    join.advance(10**6, 10**6)
    state = {name: value for name, value in vars(join).items() if hasattr(value, "__len__")}
    assert {name: len(value) for name, value in state.items() if name != "_offsets" and len(value)} == {}


# -- against an oracle ----------------------------------------------------------------------------------------


@dataclass
class Logs:
    """Two logs: (id, time) of impressions, and (feedback id, impression id, time) of feedback."""

    impressions: list[tuple[str, int]] = field(default_factory=list)
    feedback: list[tuple[str, str, int]] = field(default_factory=list)


def expected(logs: Logs) -> tuple[list[tuple[str, set[str]]], set[str]]:
    """Return the interactions in order and the feedback that joins none, by the definition and nothing else."""
    newest = -(10**9)
    effective: dict[str, int] = {}
    order: list[tuple[int, int, str]] = []
    for offset, (impression_id, time) in enumerate(logs.impressions):
        if impression_id not in effective:
            effective[impression_id] = max(time, newest - GRACE)
            order.append((effective[impression_id], offset, impression_id))
        newest = max(newest, time)
    joined: dict[str, set[str]] = {impression_id: set() for impression_id in effective}
    strays: set[str] = set()
    newest = -(10**9)
    for feedback_id, impression_id, time in logs.feedback:
        at = effective.get(impression_id)
        in_time = at is not None and -BACKWARD <= time - at <= WAIT and newest < at + WAIT + GRACE
        (joined[impression_id] if in_time else strays).add(feedback_id)
        newest = max(newest, time)
    return [(impression_id, joined[impression_id]) for _, _, impression_id in sorted(order)], strays


@st.composite
def interleaved_logs(draw: st.DrawFn) -> tuple[Logs, list[bool]]:
    # Ids do not come back after they were forgotten: all times lie within what is remembered.
    times = st.integers(1000, 1000 + REMEMBER)
    ids = st.sampled_from("abcdef")
    impressions = draw(st.lists(st.tuples(ids, times), max_size=8))
    feedback = draw(st.lists(st.tuples(ids, st.integers(900, 1400)), max_size=12))
    logs = Logs(impressions, [(f"f{place}", *one) for place, one in enumerate(feedback)])
    turns = draw(st.permutations([True] * len(impressions) + [False] * len(feedback)))
    return logs, turns


@given(interleaved_logs())
def test_the_result_is_that_of_the_definition_however_reading_was_interleaved(
    drawn: tuple[Logs, list[bool]],
) -> None:
    logs, turns = drawn
    played = Played()
    impressions = enumerate(logs.impressions)
    feedback = enumerate(logs.feedback)
    for turn in turns:
        if turn:
            offset, (impression_id, time) = next(impressions)
            played.impressions(shown(impression_id, time, offset))
        else:
            offset, (feedback_id, impression_id, time) = next(feedback)
            played.feedback(ObservedFeedback(feedback_id, impression_id, time, "click", offset, b"{}"))
    played.advance(10_000)
    interactions, strays = expected(logs)
    assert [(impression_id, set(ids)) for impression_id, ids in played.closed] == interactions
    assert {feedback_id for feedback_id, _ in played.strays} == strays
