"""A record that raises where none should is set aside, its neighbours are not, and a restart finds the same ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord

from groundswell import policy
from processors.admission import event_records, interaction_records, surely_fine
from processors.admission.event_records import Admission, unlearnable
from processors.features.action_set_texts import ActionSetTexts
from processors.join import fold, written_interactions
from processors.join.entries import ObservedFeedback, ShownImpression, Step
from processors.join.fold import Join
from processors.learners.learner import Learner
from processors.wire.log_records import UnreadRecords
from streams.kafka.record_batches import RecordBatch
from streams.observing.late_by_segment import LateBySegment
from streams.observing.learning_metrics import LearningMetrics
from streams.worker import partition_join
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from streams.worker.whole_steps import UnfinishedStepError
from tests.factories import encode, impression
from tests.unit.rounds import uniform_log
from tests.unit.stand_ins import RefusedError, Written, batch, cut, record
from tests.unit.worker.test_partition_join import Joined, answer, end_of, shown
from tests.unit.worker.test_partition_learner import EVERY, Learned, written

FAR = 1_010_000
Patch = pytest.MonkeyPatch


class Bug(Exception):  # noqa: N818 - it stands for any
    """What nobody thought of."""


def fails_for(offsets: Iterable[int], error: BaseException | None = None) -> Callable[[int], None]:
    """Return what raises for these offsets."""
    bad = frozenset(offsets)

    def look(offset: int) -> None:
        if offset in bad:
            raise error or Bug(f"of {offset}")

    return look


def set_aside(joined: Joined | Learned) -> list[tuple[str, bytes, bytes | None]]:
    """Return topic, offset and value of what was set aside as poison."""
    found = [one for one in joined.log.of("dead-letter") if one.headers["reason"] == b"poison"]
    return [(one.headers["topic"].decode(), one.headers["offset"], one.value) for one in found]


# -- admission ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_a_record_that_raises_in_admission_is_set_aside_as_poison_and_its_neighbours_are_let_in(
    monkeypatch: Patch, *, restarts: bool
) -> None:
    look, shown_as, observed_as = fails_for([1]), event_records._shown, event_records._observed

    def raising_shown(decoded: Any, offset: int, *others: Any) -> ShownImpression:
        look(offset)
        return shown_as(decoded, offset, *others)

    def raising_observed(decoded: Any, offset: int, *others: Any) -> ObservedFeedback:
        look(offset)
        return observed_as(decoded, offset, *others)

    def raising_shown_together(id: str, at: int, model: str, offset: int, *others: Any) -> ShownImpression:
        look(offset)
        return ShownImpression(id, at, model, offset, *others)

    def raising_observed_together(*members: Any) -> ObservedFeedback:
        look(members[4])
        return ObservedFeedback(*members)

    monkeypatch.setattr(event_records, "_shown", raising_shown)
    monkeypatch.setattr(event_records, "_observed", raising_observed)
    monkeypatch.setattr(surely_fine, "ShownImpression", raising_shown_together)
    monkeypatch.setattr(surely_fine, "ObservedFeedback", raising_observed_together)
    joined = Joined()
    records = [shown(0, "a"), shown(1, "b"), shown(2, "c"), end_of("impressions", 3, FAR)]
    joined.shows(*records)
    if restarts:
        monkeypatch.undo()
        joined.restart()
    else:
        joined.answers(answer(0, "a"), answer(1, "b"), answer(2, "c"), end_of("feedback", 3, FAR))
        assert joined.interactions() == [("a", ["click"]), ("c", ["click"])]
    assert set_aside(joined)[0] == ("impressions", b"1", records[1].value)
    assert joined.metrics.dead_letters.labels("impressions", "poison")._value.get() == 1
    (told,) = [one.headers["detail"] for one in joined.log.of("dead-letter") if one.headers["topic"] == b"impressions"]
    assert told == b"Bug: of 1, raised by look"


def test_what_admission_knows_of_actions_is_forgotten_where_it_raised_halfway(monkeypatch: Patch) -> None:
    admission, offered = Admission(Joined()._settings.models, 60_000), ActionSetTexts._look_into
    records = [
        shown(0, "a"),
        record("impressions", 1, b"b", encode(impression("b", actions=[{"id": n} for n in "xyz"]))),
    ]

    def raising(texts: Any, piece: bytes) -> tuple[int, int]:
        if b'"y"' in piece:
            raise Bug
        return offered(texts, piece)

    monkeypatch.setattr(ActionSetTexts, "_look_into", raising)
    assert [type(one) for one in admission.impressions(records)] == [ShownImpression] * 2
    monkeypatch.undo()
    assert [type(one) for one in admission.impressions(records)] == [ShownImpression] * 2


@pytest.mark.parametrize("error", [MemoryError(), OSError("the disk")])
def test_an_error_of_the_machine_is_no_evidence_against_a_record(monkeypatch: Patch, error: Exception) -> None:
    def raising(*_: Any) -> ShownImpression:
        raise error

    monkeypatch.setattr(surely_fine, "ShownImpression", raising)
    joined = Joined()
    with pytest.raises(type(error)):
        joined.shows(shown(0, "a"))
    assert joined.log.written == []
    with pytest.raises(UnfinishedStepError):
        joined.shows(shown(1, "b"))


# -- the fold -----------------------------------------------------------------------------------------------------


def folding(monkeypatch: Patch, bad_shown: Iterable[int] = (), bad_feedback: Iterable[int] = ()) -> None:
    """Let the fold raise, halfway through a stretch, for impressions and feedback of these offsets."""
    of_shown, of_feedback = fails_for(bad_shown), fails_for(bad_feedback)
    add_impressions, add_feedback = Join.add_impressions, Join.add_feedback

    def impressions(join: Join, some: Iterable[ShownImpression]) -> Step:
        def each() -> Iterable[ShownImpression]:
            for one in some:
                of_shown(one.offset)
                yield one

        return add_impressions(join, each())

    def feedback(join: Join, some: Iterable[ObservedFeedback]) -> Step:
        def each() -> Iterable[ObservedFeedback]:
            for one in some:
                of_feedback(one.offset)
                yield one

        return add_feedback(join, each())

    monkeypatch.setattr(fold.Join, "add_impressions", impressions)
    monkeypatch.setattr(fold.Join, "add_feedback", feedback)


def joined_logs(monkeypatch: Patch, *, restart_before: int = 0) -> list[Written]:
    """Return what is written where impression 2 and feedback 1 raise, with a restart after so many steps."""
    folding(monkeypatch, [2], [1])
    joined = Joined()
    steps: list[Callable[[], None]] = [
        lambda: joined.shows(shown(0, "a"), shown(1, "b")),
        lambda: joined.answers(answer(0, "a")),
        lambda: joined.shows(shown(2, "c"), shown(3, "d")),
        lambda: joined.answers(answer(1, "b"), answer(2, "d"), end_of("feedback", 3, FAR)),
        lambda: joined.shows(end_of("impressions", 4, FAR)),
    ]
    for number, step in enumerate(steps, start=1):
        step()
        if number == restart_before:
            joined.restart()
    assert joined.interactions() == [("a", ["click"]), ("b", ["none"]), ("d", ["click"])]
    assert [one[:2] for one in set_aside(joined)] == [("impressions", b"2"), ("feedback", b"1")]
    return joined.log.written


def test_a_record_that_raises_in_the_fold_is_set_aside_and_what_waits_beside_it_is_not_lost(monkeypatch: Patch) -> None:
    joined_logs(monkeypatch)


@pytest.mark.parametrize("step", range(1, 5))
def test_with_a_restart_the_same_is_set_aside_and_the_same_written(monkeypatch: Patch, step: int) -> None:
    with monkeypatch.context() as undisturbed:
        expected = joined_logs(undisturbed)
    assert joined_logs(monkeypatch, restart_before=step) == expected


def test_a_worker_that_was_killed_while_it_set_a_record_aside_sets_the_same_aside_again(monkeypatch: Patch) -> None:
    folding(monkeypatch, [1])
    joined = Joined()
    joined.log.refusing = True
    with pytest.raises(RefusedError):
        joined.shows(shown(0, "a"), shown(1, "b"), shown(2, "c"))
    joined.log.refusing = False
    joined.table.crash()
    joined.restart()
    joined.shows(shown(0, "a"), shown(1, "b"), shown(2, "c"))
    assert [one[:2] for one in set_aside(joined)] == [("impressions", b"1")]
    assert len(joined.join._join) == 2


def test_a_stretch_that_raises_together_and_never_alone_is_joined_one_by_one(monkeypatch: Patch) -> None:
    add = Join.add_impressions

    def raising(join: Join, some: Iterable[ShownImpression]) -> Step:
        if len(found := list(some)) > 1:
            raise Bug
        return add(join, found)

    monkeypatch.setattr(fold.Join, "add_impressions", raising)
    joined = Joined()
    joined.shows(shown(0, "a"), shown(1, "b"))
    assert (set_aside(joined), len(joined.join._join)) == ([], 2)


# -- writing ------------------------------------------------------------------------------------------------------


def test_an_interaction_that_cannot_be_written_is_set_aside_with_its_feedback_and_those_beside_it_are_written(
    monkeypatch: Patch,
) -> None:
    look, encoded = fails_for([1]), written_interactions.encode_interactions

    def raising(closed: Iterable[Any], *others: Any) -> Iterable[bytes]:
        for one in closed:
            look(one.impression.offset)
            yield from encoded([one], *others)

    monkeypatch.setattr(partition_join, "encode_interactions", raising)
    joined = Joined()
    records = [shown(0, "a"), shown(1, "b"), shown(2, "c")]
    joined.shows(*records, end_of("impressions", 3, FAR))
    joined.restart()
    joined.answers(answer(0, "a"), answer(1, "b"), answer(2, "c"), end_of("feedback", 3, FAR))
    assert joined.interactions() == [("a", ["click"]), ("c", ["click"])]
    assert set_aside(joined) == [("impressions", b"1", records[1].value)]
    assert [(one.key, one.headers["reason"]) for one in joined.log.of("late-feedback")] == [(b"b", b"feedback_poison")]


def test_what_only_looks_on_may_fail_and_the_join_goes_on(monkeypatch: Patch) -> None:
    def raising(*_: Any) -> None:
        raise Bug

    monkeypatch.setattr(LateBySegment, "closed", raising)
    joined = Joined()
    joined.shows(shown(0, "a"), end_of("impressions", 1, FAR))
    joined.answers(answer(0, "a"), end_of("feedback", 1, FAR))
    assert joined.interactions() == [("a", ["click"])]
    assert joined.metrics.observing_failures.labels("join")._value.get() >= 1


# -- learning -----------------------------------------------------------------------------------------------------

LOG = uniform_log(80)
RECORDS = [written(one, offset) for offset, one in enumerate(LOG)]
BAD = (30, 33)


class Mended(Learned):
    """A partition's learners that may go back to their last checkpoint."""

    def restart(self) -> None:
        wiring = LearningWiring(
            self.settings, self.log.outputs, LearningMetrics(self.metrics), self.kept, self.ids, self.newest
        )
        self.learner = PartitionLearner(0, wiring, self.log.newest("checkpoints"), self.log.newest("policies"))

    async def newest(self, _: int) -> Mapping[bytes, bytes | None]:
        return self.log.newest("checkpoints")

    def reads_on(self, records: list[ConsumerRecord], places: Iterable[int] = (), end: int | None = None) -> None:
        """Read the log from where the learner is to its end, however often it goes back."""

        async def steps() -> None:
            while left := [one for one in records[:end] if one.offset >= self.learner.interactions.offset]:
                for some in cut(left, [place - left[0].offset for place in places]):
                    new = self.learner.interactions.contiguous(some)
                    assert isinstance(new, RecordBatch)
                    if await self.learner.take(new) is not None:
                        break

        asyncio.run(steps())


def learning(monkeypatch: Patch, bad: Iterable[int], error: BaseException | None = None) -> None:
    """Let learning raise for interactions of these offsets, when what came before them has been learned."""
    look, learn = fails_for(bad, error), Learner.learn_stretch

    def raising(learner: Learner, stretch: Any) -> Any:
        offsets = [one.source.offset for one in stretch.read]
        for place, offset in enumerate(offsets):
            try:
                look(offset)
            except BaseException:
                learn(learner, stretch[:place])
                raise
        return learn(learner, stretch)

    monkeypatch.setattr(Learner, "learn_stretch", raising)


@pytest.fixture(scope="module")
def without_them() -> Mended:
    """Return what is learned of a log in which those that raise were never written."""
    learned = Mended()
    learned.reads_on([one for one in RECORDS if LOG[one.offset].source.offset not in BAD])
    return learned


@pytest.mark.parametrize("places", [(), (31,), (10, 33, 60), range(0, 80, 7)])
@pytest.mark.parametrize("saved", [None, 20, 32])
def test_an_interaction_that_raises_is_set_aside_and_the_policy_is_as_if_it_had_never_come(
    monkeypatch: Patch, without_them: Mended, places: Iterable[int], saved: int | None
) -> None:
    learning(monkeypatch, BAD)
    learned = Mended()
    if saved is not None:
        learned.reads_on(RECORDS, places, saved)
        learned.checkpoints()
    learned.reads_on(RECORDS, places)
    assert {one[1] for one in set_aside(learned)} == {b"30", b"33"}
    assert learned.policies()[-1] == without_them.policies()[-1]
    assert dict.fromkeys(learned.rewards()) == dict.fromkeys(without_them.rewards())
    learned.checkpoints()
    learned.restart()
    learned.reads_on([*RECORDS, written(LOG[BAD[0]], len(RECORDS))])
    assert learned.learner._learners["feed"].interactions_included == len(RECORDS) - len(BAD), "a copy is no news"


def test_after_a_kill_the_same_is_set_aside_again(monkeypatch: Patch, without_them: Mended) -> None:
    learning(monkeypatch, BAD)
    learned = Mended()
    learned.reads_on(RECORDS, [31, 33])
    learned.restart()
    learned.reads_on(RECORDS, [7, 40])
    assert learned.policies()[-1] == without_them.policies()[-1]
    assert {one[1] for one in set_aside(learned)} == {b"30", b"33"}


def test_a_policy_that_was_published_before_it_raised_and_never_written_leaves_the_slots_as_they_were(
    monkeypatch: Patch,
) -> None:
    learning(monkeypatch, [30])
    learned = Mended()
    slots = dict(learned.learner._policy_slots)
    learned.reads(cut(RECORDS[:40], []))
    assert learned.learner._policy_slots == slots
    learned.reads_on(RECORDS)
    versions = [policy.decode(one).version for one in learned.policies()]
    assert versions == list(range(EVERY, len(RECORDS), EVERY))


def test_memory_that_runs_out_while_learning_is_no_evidence_against_an_interaction(monkeypatch: Patch) -> None:
    learning(monkeypatch, [30], MemoryError())
    learned = Mended()
    with pytest.raises(MemoryError):
        learned.reads_on(RECORDS)
    assert set_aside(learned) == []


def test_an_interaction_that_raises_when_it_is_read_is_set_aside(monkeypatch: Patch) -> None:
    look = fails_for([1])

    def raising_alone(impression: Any, models: Any) -> Any:
        look(int(impression.impression_id == LOG[1].impression.impression_id))
        return unlearnable(impression, models)

    monkeypatch.setattr(interaction_records, "_propensities", _raise_unless_empty)
    monkeypatch.setattr(interaction_records, "unlearnable", raising_alone)
    learned = Mended()
    learned.reads([batch(RECORDS[:4])])
    assert set_aside(learned) == [("interactions", b"1", RECORDS[1].value)]
    assert learned.learner._learners["feed"].interactions_included == 3


PROPENSITIES = interaction_records._propensities


def _raise_unless_empty(shown: Any, counts: Any) -> Any:
    if any(one.impression_id for one in shown):
        raise Bug
    return PROPENSITIES(shown, counts)


# -- records that end workers without an error ----------------------------------------------------------------------


def deadly(one: ConsumerRecord) -> UnreadRecords:
    return UnreadRecords(one.offset, one.offset, one.timestamp, "workers died", too_large=False, came=one)


class Telling:
    """Takes note of what had been written when records had been worked on."""

    def __init__(self, joined: Joined | Learned) -> None:
        self._log = joined.log
        self.written: list[int] = []

    async def __call__(self) -> None:
        self.written.append(len(self._log.written))


def test_a_record_that_is_not_to_be_looked_into_is_set_aside_as_it_came(without_them: Mended) -> None:
    joined = Joined()
    for take, came, topic in (
        (joined.join.take_impressions, shown(0, "a"), "impressions"),
        (joined.join.take_feedback, answer(0, "a"), "feedback"),
    ):
        asyncio.run(take(RecordBatch(batch([came]).tp, [deadly(came)])))
        assert set_aside(joined)[-1] == (topic, b"0", came.value)
        (told,) = [one for one in joined.log.of("dead-letter") if one.headers["topic"] == topic.encode()]
        assert (told.key, told.headers["detail"]) == (came.key, b"workers died")
    learned = Mended()
    records = [deadly(one) if LOG[one.offset].source.offset in BAD else one for one in RECORDS]
    learned.reads_on(cast("list[ConsumerRecord]", records))
    assert [one[1:] for one in set_aside(learned)] == [(b"%d" % one, RECORDS[one].value) for one in BAD]
    assert learned.policies()[-1] == without_them.policies()[-1]


def test_that_impressions_have_been_worked_on_is_told_when_they_are_folded_and_nothing_is_written_yet() -> None:
    joined = Joined()
    joined.answers(end_of("feedback", 0, FAR))
    told, before = Telling(joined), len(joined.log.written)
    asyncio.run(joined.join.take_impressions(batch([shown(0, "a"), end_of("impressions", 1, FAR)]), told))
    assert told.written == [before]
    assert joined.interactions() == [("a", ["none"])]


def test_that_an_interaction_has_been_learned_is_told_before_the_policy_that_is_due_by_it_is_made(
    monkeypatch: Patch,
) -> None:
    learned, happened = Mended(), list[str]()
    learned.reads_on(RECORDS[: EVERY - 1])
    encode_policy = policy.encode

    def encoded(snapshot: Any) -> bytes:
        happened.append("policy")
        return encode_policy(snapshot)

    async def worked() -> None:
        happened.append("worked")

    monkeypatch.setattr(policy, "encode", encoded)
    new = learned.learner.interactions.contiguous(batch(RECORDS[EVERY - 1 : EVERY]))
    assert isinstance(new, RecordBatch)
    asyncio.run(learned.learner.take(new, worked))
    assert happened == ["worked", "policy", "worked"]
