"""What users may expect of the join, one test for each rule; test_join_machine has them all at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from groundswell.events import SHOWN_SIGNAL
from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.config import JoinConfig
from processors.join.entries import ENTRY_BYTES, MAX_FEEDBACK, ObservedFeedback, Outcome, ShownImpression, Step
from processors.join.fold import Join
from processors.join.written_interactions import encode_interaction
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from processors.models.signal_reduction import MAX_SIGNAL_LENGTH, SeveralSignals, reduced_signal
from processors.wire.envelopes import decode_interaction
from tests.factories import MODEL, encode, feedback, impression

WAIT, GRACE, BACKWARD, ACTIVATION, REMEMBER = 100, 20, 30, 200, 50
CONFIG = JoinConfig(
    wait=WAIT / 1000,
    grace=GRACE / 1000,
    backward=BACKWARD / 1000,
    activation=ACTIVATION / 1000,
    remember=REMEMBER / 1000,
    max_pending=1000,
)


def shown(
    impression_id: str, occurred_at: int, offset: int = 0, value: bytes = b"{}", *, deferred: bool = False
) -> ShownImpression:
    return ShownImpression(impression_id, occurred_at, "feed", offset, value, deferred)


def seen(impression_id: str, occurred_at: int, feedback_id: str = "f", signal: str = "click") -> ObservedFeedback:
    return ObservedFeedback(feedback_id, impression_id, occurred_at, signal, 0, b"{}")


class Played:
    """A join with everything that came of it."""

    def __init__(self, config: JoinConfig = CONFIG) -> None:
        self.join = Join(config)
        self.closed: list[tuple[str, list[str]]] = []
        self.strays: list[tuple[str, Outcome]] = []
        self.evicted: list[str] = []
        self.late: list[tuple[str, int]] = []
        self.outcomes: dict[Outcome, int] = {}

    def take(self, step: Step) -> None:
        self.closed += [(one.impression.id, [f.id for f in one.feedback]) for one in step.closed]
        self.strays += [(stray.feedback.id, stray.reason) for stray in step.strays]
        self.evicted += [one.impression.id for one in step.evicted]
        self.late += [(one.impression.id, one.lateness) for one in step.late]
        for outcome, number in step.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def impressions(self, *impressions: ShownImpression) -> None:
        self.take(self.join.add_impressions(impressions))

    def feedback(self, *feedback: ObservedFeedback) -> None:
        self.take(self.join.add_feedback(feedback))

    def advance(self, to: int) -> None:
        self.take(self.join.advance(to, to))


def test_left_outer_exactly_one_interaction_per_impression_at_event_time_plus_wait_when_both_logs_have_passed() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.feedback(seen("a", 1050))
    played.impressions(shown("b", 2000, 1))
    assert played.closed == [], "the feedback log is still at 1050: more for a may come"
    played.feedback(seen("b", 1000 + WAIT + GRACE, "g"))
    assert played.closed == [("a", ["f"])]


def test_no_spurious_none_it_comes_only_after_wait_and_grace() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.advance(1000 + WAIT + GRACE - 1)
    assert played.closed == []
    played.advance(1000 + WAIT + GRACE)
    assert played.closed == [("a", [])]
    assert played.outcomes == {Outcome.NONE: 1}


def test_the_watermark_is_the_minimum_over_the_inputs_and_closes_the_partition_whatever_the_key() -> None:
    played = Played()
    played.impressions(shown("a", 1000), shown("b", 1010, 1), shown("of others", 9000, 2))
    assert played.join.watermark < 1000, "nothing is known of the feedback log"
    played.feedback(seen("nobody", 1000 + WAIT + GRACE))
    assert (played.join.watermark, played.closed) == (1000 + WAIT + GRACE, [("a", [])])
    played.feedback(seen("nobody", 9000, "g"))
    assert played.closed == [("a", []), ("b", [])]


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
def test_feedback_counts_by_event_time_and_its_own_log_with_the_same_wait_for_everyone(case: Case) -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.take(played.join.advance(feedback_time=case.log_before))
    played.feedback(seen("a", case.occurred_at))
    played.advance(5000)
    assert played.closed == [("a", [] if case.stray else ["f"])]
    assert played.strays == ([("f", case.stray)] if case.stray else [])


def test_backward_buffer_feedback_that_comes_before_its_impression_waits_for_it() -> None:
    played = Played()
    played.feedback(seen("a", 1010))
    played.impressions(shown("a", 1000))
    played.advance(5000)
    assert played.closed == [("a", ["f"])]


def test_orphan_feedback_expires_with_the_backward_buffer() -> None:
    played = Played()
    played.feedback(seen("a", 1000))
    played.advance(1000 + BACKWARD + WAIT + GRACE - 1)
    assert played.strays == [], "an impression that is not late yet may still claim it"
    played.advance(1000 + BACKWARD + WAIT + GRACE)
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


def test_late_feedback_goes_aside_with_reason_and_lateness() -> None:
    join = Join(CONFIG)
    join.add_impressions([shown("a", 1000)])
    join.advance(1000 + WAIT + GRACE, 1000 + WAIT + GRACE)
    (stray,) = join.add_feedback([seen("a", 1000 + WAIT + 7)]).strays
    assert (stray.reason, stray.lateness) == (Outcome.LATE, 7)


def test_duplicates_count_once_the_first_wins_and_a_conflict_is_flagged() -> None:
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


# -- late impressions -----------------------------------------------------------------------------------------

NEWEST = 5000
LATE = NEWEST - WAIT - GRACE
"""What occurred then has just closed by a log that is at `NEWEST`."""


@pytest.mark.parametrize("deferred", [False, True])
def test_an_impression_whose_window_had_closed_when_it_was_logged_is_set_aside_and_never_learned(
    *, deferred: bool
) -> None:
    played = Played()
    late = [shown("late", LATE, 1, deferred=deferred), shown("later", LATE - 7, 2, deferred=deferred)]
    played.impressions(shown("newest", NEWEST), *late, shown("in time", LATE + 1, 3))
    played.feedback(showing("in time", NEWEST, "g"))
    played.advance(9000)
    assert played.late == [("late", 0), ("later", 7)]
    assert played.outcomes[Outcome.LATE_IMPRESSION] == 2
    assert sorted(played.closed) == [("in time", ["g"]), ("newest", [])]
    assert (len(played.join), played.join.floor) == (0, None)


def test_feedback_to_a_late_impression_goes_aside_for_that_reason_whether_it_comes_before_it_or_after() -> None:
    played = Played()
    played.take(played.join.advance(feedback_time=NEWEST))
    played.feedback(seen("late", LATE + 10, "before"), seen("late", LATE + 10, "before"))
    played.impressions(shown("newest", NEWEST), shown("late", LATE, 1))
    played.advance(NEWEST)
    played.feedback(seen("late", LATE + 20, "after"))
    reason = Outcome.FEEDBACK_LATE_IMPRESSION
    assert played.strays == [("before", reason), ("after", reason)]


def test_whether_an_impression_is_late_does_not_depend_on_the_feedback_log() -> None:
    for feedback_time in (0, NEWEST, 10 * NEWEST):
        played = Played()
        played.take(played.join.advance(feedback_time=feedback_time))
        played.impressions(shown("newest", NEWEST), shown("late", LATE, 1), shown("in time", LATE + 1, 2))
        assert [name for name, _ in played.late] == ["late"]


@pytest.mark.parametrize(
    "case",
    [
        Case("as long before it as feedback may be", LATE + 1 - BACKWARD),
        Case("longer before it", LATE - BACKWARD, stray=Outcome.TOO_EARLY),
        Case("at the same moment", LATE + 1),
        Case("at the end of its own wait", LATE + 1 + WAIT),
        Case("while it waits, moved forward", NEWEST - GRACE + WAIT),
        Case("when it waits no longer", NEWEST - GRACE + WAIT + 1, stray=Outcome.LATE),
        Case("logged while it waits", LATE + 10, NEWEST + WAIT - 1),
        Case("logged when it waits no longer", LATE + 10, NEWEST + WAIT, Outcome.LATE),
    ],
    ids=lambda case: case.name,
)
@pytest.mark.parametrize("feedback_first", [False, True])
def test_one_that_is_late_by_less_has_the_feedback_that_followed_it_in_its_own_time(
    case: Case, *, feedback_first: bool
) -> None:
    played = Played()
    impressions = (shown("newest", NEWEST), shown("a", LATE + 1, 1))
    if not feedback_first:
        played.impressions(*impressions)
    played.take(played.join.advance(feedback_time=case.log_before))
    played.feedback(seen("a", case.occurred_at))
    if feedback_first:
        played.impressions(*impressions)
    played.advance(9000)
    assert dict(played.closed)["a"] == ([] if case.stray else ["f"])
    assert played.strays == ([("f", case.stray)] if case.stray else [])


def test_a_minute_late_with_a_wait_of_600_s_loses_nothing() -> None:
    played = Played(JoinConfig())
    minute, begin = 60_000, 10**9
    answers = [begin - minute, begin, begin + 1, begin + 300_000, begin + 599_999]
    played.impressions(shown("newest", begin + minute), shown("a", begin, 1))
    for number, at in enumerate(answers):
        played.take(played.join.advance(feedback_time=at + minute))
        played.feedback(seen("a", at, str(number)))
    played.advance(2 * begin)
    assert dict(played.closed)["a"] == [str(number) for number in range(len(answers))]
    assert played.strays == []


def test_a_deferred_impression_that_is_late_by_less_was_shown_when_its_own_clock_says() -> None:
    played = Played()
    played.impressions(shown("newest", NEWEST), shown("a", LATE + 1, 1, deferred=True))
    played.take(played.join.advance(feedback_time=NEWEST))
    at = LATE + 40
    played.feedback(showing("a", at), seen("a", at - BACKWARD), seen("a", at - BACKWARD - 1, "too early"))
    played.advance(9000)
    assert dict(played.closed)["a"] == ["shown", "f"]
    assert played.strays == [("too early", Outcome.TOO_EARLY)]


def test_a_late_impression_that_comes_again_is_a_duplicate_while_it_is_remembered() -> None:
    played = Played()
    played.impressions(shown("newest", NEWEST), shown("late", LATE, 1), shown("late", LATE, 2))
    played.take(played.join.advance(impressions_time=NEWEST + REMEMBER - 1))
    played.impressions(shown("late", NEWEST, 3))
    assert played.outcomes == {Outcome.LATE_IMPRESSION: 1, Outcome.DUPLICATE_IMPRESSION: 2}
    played.take(played.join.advance(impressions_time=NEWEST + REMEMBER))
    played.impressions(shown("late", NEWEST, 4))
    played.advance(9000)
    assert ("late", []) in played.closed


def test_one_that_was_learned_is_a_duplicate_and_not_late_when_it_comes_again() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.advance(1000 + WAIT + GRACE)
    played.impressions(shown("a", 1000, 1))
    assert (played.late, played.outcomes[Outcome.DUPLICATE_IMPRESSION]) == ([], 1)


# -- clocks that are ahead ------------------------------------------------------------------------------------


def test_a_clock_that_is_ahead_moves_its_log_no_further_than_the_records_own_timestamps() -> None:
    played = Played()
    played.impressions(*(shown(str(number), 1000, number) for number in range(400)))
    ahead = [replace(seen("0", 1000 + 650, f"ahead{number}"), ahead=645) for number in range(10)]
    played.feedback(*ahead, *(seen(str(number), 1010, f"like{number}") for number in range(400)))
    assert played.join.feedback_time == 1010
    played.impressions(replace(shown("of that clock", 1660, 400), ahead=645), shown("b", 1015, 401))
    assert (played.join.impressions_time, played.late) == (1015, [])
    played.advance(9000)
    assert [answered for name, answered in played.closed if name.isdigit()] == [[f"like{n}"] for n in range(400)]
    assert played.strays == [(f"ahead{number}", Outcome.LATE) for number in range(10)]


def test_bounded_state_too_many_pending_evicts_the_oldest_and_says_so() -> None:
    played = Played(CONFIG.model_copy(update={"max_pending": 2}))
    played.impressions(*(shown(name, 1000 + place, place) for place, name in enumerate("abc")))
    assert played.evicted == ["a"]
    assert len(played.join) == 2


def large(impression_id: str, occurred_at: int, offset: int, size: int = 1_000_000) -> ShownImpression:
    return shown(impression_id, occurred_at, offset, b"x" * size)


def test_bounded_state_too_many_bytes_evict_the_oldest_and_no_more_than_it_takes() -> None:
    played = Played(CONFIG.model_copy(update={"max_pending_bytes": 2_500_000}))
    for place, name in enumerate("abcd"):
        played.impressions(large(name, 1000 + place, place))
    assert played.evicted == ["a", "b"]
    assert played.join.pending_bytes == 2 * (1_000_000 + ENTRY_BYTES)
    played.impressions(shown("e", 1004, 4))
    assert played.evicted == ["a", "b"]
    played.advance(9000)
    assert [name for name, _ in played.closed] == ["c", "d", "e"]
    assert played.join.pending_bytes == 0


def test_feedback_counts_among_the_bytes_of_what_is_pending() -> None:
    played = Played(CONFIG.model_copy(update={"max_pending_bytes": 5 * ENTRY_BYTES + 100}))
    played.impressions(shown("a", 1000), shown("b", 1001, 1))
    played.feedback(seen("a", 1010, "f"), seen("a", 1011, "g"), seen("b", 1012, "h"))
    assert played.evicted == []
    played.feedback(seen("b", 1013, "i"))
    assert played.evicted == ["a"]


def test_bounded_state_too_many_bytes_of_early_feedback_give_up_the_oldest() -> None:
    played = Played(CONFIG.model_copy(update={"max_early_bytes": 2 * (ENTRY_BYTES + 4_000)}))
    for number in range(4):
        value = b"x" * 4_000
        played.feedback(ObservedFeedback(f"f{number}", f"i{number}", 1000 + number, "click", number, value))
    assert played.strays == [("f0", Outcome.ORPHAN), ("f1", Outcome.ORPHAN)]
    assert played.join.early_bytes == 2 * (ENTRY_BYTES + 4_000)


def test_values_that_lie_elsewhere_take_no_memory() -> None:
    join = Join(CONFIG.model_copy(update={"max_pending_bytes": 3 * ENTRY_BYTES}), values_aside=True)
    assert not join.add_impressions([large(name, 1000, place) for place, name in enumerate("abc")]).evicted
    assert [one.impression.id for one in join.add_impressions([shown("d", 1001, 3)]).evicted] == ["a"]


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
    assert {name: len(value) for name, value in state.items() if name != "_in_log_order" and len(value)} == {}


# -- duplicates, memory and eviction --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comes_again_at", "learned"),
    [
        pytest.param(1000 + WAIT + GRACE + REMEMBER, ["a"], id="within memory"),
        pytest.param(1000 + WAIT + GRACE + REMEMBER + 1, ["a", "a"], id="beyond memory"),
    ],
)
def test_an_impression_is_never_learned_twice_while_it_is_remembered(comes_again_at: int, learned: list[str]) -> None:
    played = Played()
    played.impressions(shown("a", 1000), shown("b", comes_again_at - 1, 1))
    played.advance(comes_again_at - 1)
    played.impressions(shown("a", comes_again_at, 2))
    played.advance(9000)
    assert [name for name, _ in played.closed if name == "a"] == learned


def test_feedback_of_an_evicted_impression_goes_aside_and_so_does_what_comes_later() -> None:
    played = Played(CONFIG.model_copy(update={"max_pending": 1}))
    played.impressions(shown("a", 1000))
    played.feedback(seen("a", 1010))
    played.impressions(shown("b", 1001, 1))
    played.feedback(seen("a", 1020, "g"))
    assert played.evicted == ["a"]
    assert played.strays == [("f", Outcome.FEEDBACK_EVICTED), ("g", Outcome.LATE)]


# -- deferred impressions -------------------------------------------------------------------------------------


def showing(impression_id: str, occurred_at: int, feedback_id: str = "shown") -> ObservedFeedback:
    return seen(impression_id, occurred_at, feedback_id, SHOWN_SIGNAL)


def test_deferred_activation_the_wait_starts_when_the_item_was_really_shown() -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.feedback(showing("a", 1150), seen("a", 1150 + WAIT))
    played.advance(1150 + WAIT + GRACE - 1)
    assert played.closed == []
    played.advance(1150 + WAIT + GRACE)
    assert played.closed == [("a", ["shown", "f"])]
    assert played.outcomes == {Outcome.MATCHED: 1, Outcome.FEEDBACK_MATCHED: 2}


def test_a_deferred_impression_that_was_shown_without_an_answer_is_an_explicit_none() -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.feedback(showing("a", 1010))
    played.advance(9000)
    assert played.closed == [("a", ["shown"])]
    assert played.outcomes[Outcome.NONE] == 1


def test_a_deferred_impression_that_was_never_shown_is_counted_and_not_learned() -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.feedback(seen("a", 1010))
    played.advance(1000 + ACTIVATION + GRACE - 1)
    assert len(played.join) == 1
    played.advance(1000 + ACTIVATION + GRACE)
    assert len(played.join) == 0
    assert played.closed == []
    assert played.outcomes == {Outcome.NOT_SHOWN: 1}
    assert played.strays == [("f", Outcome.FEEDBACK_NOT_SHOWN)]


@dataclass(frozen=True)
class Showing:
    """Feedback `shown` relative to a deferred impression at 1000, and what becomes of it."""

    name: str
    occurred_at: int
    log_before: int = 0
    stray: Outcome | None = None


@pytest.mark.parametrize(
    "case",
    [
        Showing("at the same moment", 1000),
        Showing("by a clock that is behind", 1000 - BACKWARD),
        Showing("long before its impression", 1000 - BACKWARD - 1, stray=Outcome.TOO_EARLY),
        Showing("at the last moment", 1000 + ACTIVATION),
        Showing("too late", 1000 + ACTIVATION + 1, stray=Outcome.LATE),
        Showing("out of order, while its wait lasts", 1050, 1050 + WAIT + GRACE - 1),
        Showing("out of order, when its wait is over", 1050, 1050 + WAIT + GRACE, Outcome.LATE),
        Showing("out of order, when it was given up", 1200, 1000 + ACTIVATION + GRACE, Outcome.LATE),
    ],
    ids=lambda case: case.name,
)
def test_a_deferred_impression_has_to_be_shown_in_time(case: Showing) -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.take(played.join.advance(feedback_time=case.log_before))
    played.feedback(showing("a", case.occurred_at))
    played.advance(5000)
    assert played.closed == ([] if case.stray else [("a", ["shown"])])
    assert played.strays == ([("shown", case.stray)] if case.stray else [])


def test_feedback_that_is_logged_before_it_says_shown_is_judged_when_that_is_known() -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.feedback(seen("a", 1019, "too early"), seen("a", 1120, "in time"), showing("a", 1050))
    played.advance(9000)
    assert played.closed == [("a", ["shown", "in time"])]
    assert played.strays == [("too early", Outcome.TOO_EARLY)]


def test_it_was_shown_when_the_first_says_so() -> None:
    played = Played()
    played.impressions(shown("a", 1000, deferred=True))
    played.feedback(showing("a", 1010), showing("a", 1090, "again"), seen("a", 1111))
    played.advance(9000)
    assert played.closed == [("a", ["shown"])]
    assert played.strays == [("f", Outcome.LATE)]
    assert played.outcomes[Outcome.DUPLICATE_FEEDBACK] == 1


@pytest.mark.parametrize(
    ("comes_again", "outcome"),
    [
        (1000 + ACTIVATION + GRACE + REMEMBER - 1, Outcome.DUPLICATE_IMPRESSION),
        (1000 + ACTIVATION + GRACE + REMEMBER, Outcome.EVICTED),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_deferred_impression_that_was_evicted_is_remembered_as_long_with_a_restart_as_without(
    comes_again: int, outcome: Outcome, *, restarted: bool
) -> None:
    played = Played(CONFIG.model_copy(update={"max_pending": 1}))
    evicted, left = shown("a", 1000, deferred=True), shown("b", 5000, 1, deferred=True)
    if restarted:
        played.join.restore_times(1000, 1000, 1000)
        played.join.restore_impressions([(evicted, 1000, 1000 + ACTIVATION - WAIT), (left, 5000, None)])
        played.join.restore_held([])
    else:
        played.join.advance(1000, 1000)
        played.join.add_impressions([evicted])
        played.join.add_impressions([left])
        played.join.impressions_time = 1000
    played.advance(comes_again)
    played.impressions(shown("a", comes_again, 2))
    assert played.outcomes == {outcome: 1}


def test_for_an_impression_that_is_not_deferred_shown_is_a_signal_like_any_other() -> None:
    played = Played()
    played.impressions(shown("a", 1000))
    played.feedback(showing("a", 1090))
    played.advance(1000 + WAIT + GRACE)
    assert played.outcomes == {Outcome.MATCHED: 1, Outcome.FEEDBACK_MATCHED: 1}


@pytest.mark.parametrize(
    ("deferred", "came", "signals"),
    [(True, ["shown"], ["none"]), (True, ["shown", "click"], ["click"]), (False, ["shown"], ["shown"])],
)
def test_what_is_learned_from_a_deferred_impression_is_not_that_it_was_shown(
    deferred: bool, came: list[str], signals: list[str]
) -> None:
    impression_value = encode(impression("a", 1000, deferred=deferred))
    answers = [
        readmit_feedback(encode(feedback("a", 1001 + place, signal=signal)), place, 0)
        for place, signal in enumerate(came)
    ]
    join = Join(CONFIG)
    join.add_impressions([readmit_impression(impression_value, 0)])
    join.add_feedback(answers)
    (closed,) = join.advance(9000, 9000).closed
    assert decode_interaction(encode_interaction(closed, 0, 0)).signals == signals


# -- what reaches the learner ---------------------------------------------------------------------------------


def test_no_feedback_is_an_explicit_none_that_inverse_kinematics_learns_from_and_no_reward_of_zero() -> None:
    join = Join(CONFIG)
    join.add_impressions([readmit_impression(encode(impression("a", 1000)), 0)])
    (closed,) = join.advance(9000, 9000).closed
    interaction = decode_interaction(encode_interaction(closed, 0, 0))
    assert interaction.signals == ["none"]
    model = {"name": MODEL, "definitely_negative": ["dislike"], "hash_bits": 10, "reward": {"rule": "iclr", "alpha": 1}}
    learner = learner_for(ModelConfig.model_validate(model))
    before = learner.snapshot(None).inverse_kinematics
    (reward,) = learner.learn([interaction])
    assert reward is not None
    assert reward.signal == "none"
    after = learner.snapshot(None).inverse_kinematics
    assert after is not None
    assert before != after
    assert any(after.values)


def test_sub_sampled_logs_carry_their_weight_to_the_learner() -> None:
    """A log that kept one of four counts four times."""
    join = Join(CONFIG)
    join.add_impressions([readmit_impression(encode(impression("a", 1000, weight=4.0)), 0)])
    (closed,) = join.advance(9000, 9000).closed
    learner = learner_for(ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"}), hash_bits=10))
    (reward,) = learner.learn([decode_interaction(encode_interaction(closed, 0, 0))])
    assert reward is not None
    assert reward.weight == pytest.approx(4 / (3 * 0.5))


@pytest.mark.parametrize(
    ("which", "expected"),
    [("first", "share"), ("last", "play"), ("set", "click+play+share"), ("count", "2*click+play+share")],
)
def test_several_signals_of_one_impression_become_one(which: SeveralSignals, expected: str) -> None:
    join = Join(CONFIG)
    join.add_impressions([readmit_impression(encode(impression("a", 1000)), 0)])
    for place, signal in enumerate(["share", "click", "click", "click", "play"]):
        join.add_feedback([readmit_feedback(encode(feedback("a", 1001 + place, signal=signal)), place, 0)])
    (closed,) = join.advance(9000, 9000).closed
    model = ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"}), several_signals=which, hash_bits=10)
    (reward,) = learner_for(model).learn([decode_interaction(encode_interaction(closed, 0, 0))])
    assert reward is not None
    assert reward.signal == expected


@pytest.mark.parametrize("which", ["first", "last", "set", "count"])
def test_a_definitely_negative_signal_overrides_all_others(which: SeveralSignals) -> None:
    assert reduced_signal(["click", "dislike", "share"], {"dislike"}, which) == "dislike"


def test_a_combination_of_signals_is_never_longer_than_a_signal_and_stays_distinct() -> None:
    several = [[f"{number:0100d}", f"{number + step:0100d}"] for number in range(3) for step in (1, 2)]
    names = {reduced_signal(signals, (), "set") for signals in several}
    assert len(names) == len(several)
    assert max(map(len, names)) <= MAX_SIGNAL_LENGTH
