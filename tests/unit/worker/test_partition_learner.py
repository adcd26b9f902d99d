"""The learners of one partition: each interaction once, policies at the same versions, checkpoints before commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from threading import Event
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell import chunks, policy
from groundswell.events import Interaction
from groundswell.worth import WorthTable
from processors.learners.learner_choice import learner_for
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, CheckpointError
from streams.kafka.record_batches import RecordBatch
from streams.kafka.topics import TopicChangedError
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.observing.model_pasts import Point, past_key
from streams.settings import SegmentSettings, Settings
from streams.worker import partition_learner
from streams.worker.held_partitions import HeldPartitions
from streams.worker.outputs import contract_partition
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from streams.worker.whole_steps import UnfinishedStepError
from tests.unit.rounds import interaction, uniform_log
from tests.unit.stand_ins import Log, RefusedError, always, batch, cut, record, worker_settings

EVERY = 25
ENCODE = learner_checkpoints.encode
LOG = uniform_log(120)


def written(interaction: Interaction, offset: int) -> ConsumerRecord:
    return record("interactions", offset, b"feed", msgspec.json.encode(interaction))


RECORDS = [written(interaction, offset) for offset, interaction in enumerate(LOG)]


class Learned:
    """A partition's learners on stand-ins; `restart` is a worker that was killed and comes back."""

    def __init__(self, **learning: Any) -> None:
        self.log, self.metrics, self.lost = Log(), Metrics(), False
        self.ids: dict[str, str] = {}
        self.settings = worker_settings(publish_interactions=EVERY, **learning)
        self.restart()

    def restart(self) -> None:
        learning = LearningMetrics(self.metrics)
        self.pasts = learning.pasts
        wiring = LearningWiring(self.settings, self.log.outputs, learning, self.kept, self.ids)
        self.learner = PartitionLearner(0, wiring, self.log.newest("checkpoints"), self.log.newest("policies"))

    async def kept(self) -> bool:
        return not self.lost

    def reads(self, batches: Iterable[RecordBatch]) -> None:
        async def steps() -> None:
            for one in batches:
                new = self.learner.interactions.contiguous(one)
                if isinstance(new, RecordBatch):
                    await self.learner.take(new)

        asyncio.run(steps())

    def checkpoints(self) -> None:
        asyncio.run(self.learner.write_checkpoint())

    def time_passes(self, now: float) -> None:
        asyncio.run(self.learner.let_time_pass(now))

    def policies(self) -> list[bytes]:
        return [one.value or b"" for one in self.log.of("policies")]

    def rewards(self) -> list[bytes]:
        return [one.value or b"" for one in self.log.of("rewards")]


def undisturbed() -> Learned:
    learned = Learned()
    learned.reads([batch(RECORDS)])
    return learned


EXPECTED = undisturbed()
cuts = st.lists(st.integers(0, len(RECORDS)), max_size=6)


@settings(max_examples=25)
@given(cuts)
def test_however_batches_are_cut_rewards_and_policies_are_the_same_bytes(places: list[int]) -> None:
    learned = Learned()
    learned.reads(cut(RECORDS, places))
    assert learned.rewards() == EXPECTED.rewards()
    assert learned.policies() == EXPECTED.policies()
    assert [policy.decode(one).version for one in learned.policies()] == [25, 50, 75, 100]
    assert [policy.decode(one).parent for one in learned.policies()] == [None, 25, 50, 75]


def test_a_policy_is_that_of_the_pure_learner() -> None:
    pure = learner_for(worker_settings().models["feed"])
    pure.learn(LOG[:25])
    assert EXPECTED.policies()[0] == policy.encode(pure.snapshot(None))


@settings(max_examples=25)
@given(cuts, st.integers(0, len(RECORDS)), st.integers(0, len(RECORDS)))
def test_killed_anywhere_it_goes_on_from_its_checkpoint_as_if_it_had_not_been(
    places: list[int], saved: int, killed: int
) -> None:
    learned = Learned()
    saved, killed = sorted((saved, killed))
    if saved:
        learned.reads(cut(RECORDS[:saved], places))
        learned.checkpoints()
    if killed > saved:
        learned.reads(cut(RECORDS[saved:killed], places))
    learned.restart()
    assert learned.learner.interactions.offset == saved
    learned.reads(cut(RECORDS[saved:], places) if saved < len(RECORDS) else [])
    assert learned.rewards() == EXPECTED.rewards()[:killed] + EXPECTED.rewards()[saved:]
    newest = policy.decode(learned.policies()[-1])
    assert newest == policy.decode(EXPECTED.policies()[-1])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 119), st.integers(1, 40)), max_size=4), cuts)
def test_what_is_delivered_again_is_not_learned_again(stretches: list[tuple[int, int]], places: list[int]) -> None:
    log = list(LOG)
    for start, length in stretches:
        log += LOG[start : start + length]
    learned = Learned()
    learned.reads(cut([written(interaction, offset) for offset, interaction in enumerate(log)], places))
    assert learned.rewards() == EXPECTED.rewards()
    assert learned.policies() == EXPECTED.policies()
    assert learned.metrics.relearned._value.get() == len(log) - len(LOG)


@pytest.mark.parametrize("does", ["reads", "waits", "hands over"])
def test_of_a_partition_that_was_lost_neither_policy_nor_checkpoint_is_written(does: str) -> None:
    learned = Learned(checkpoint_seconds=5, publish_seconds=5)
    learned.reads([batch(RECORDS[:30])])
    written = len(learned.log.written)
    learned.lost = True
    match does:
        case "reads":
            learned.reads([batch(RECORDS[30:60])])
        case "waits":
            learned.time_passes(100)
            learned.time_passes(106)
        case "hands over":
            learned.checkpoints()
    assert len(learned.log.written) == written
    assert learned.learner.durable_offset == 0, "nothing is committed either"


def test_what_was_not_written_while_a_partition_seemed_lost_is_vouched_for_by_no_later_checkpoint() -> None:
    learned = Learned()
    learned.lost = True
    learned.reads([batch(RECORDS[:30])])
    learned.lost = False
    learned.reads([batch(RECORDS[30:60])])
    for now in (0, 1_000, 2_000):
        learned.time_passes(now)
    learned.checkpoints()
    assert learned.log.written == [], "nor does it end the worker, which has yet to let go of the partition"
    held, topics = HeldPartitions(), learned.settings.topics
    held.learners[0] = learned.learner
    held.keep_only({TP(topics.interactions, 0)}, topics)
    assert not held.learners, "it begins anew, also where the partition comes back"
    learned.restart()
    learned.reads([batch(RECORDS)])
    assert learned.rewards() == EXPECTED.rewards()


def test_nothing_may_be_committed_before_its_checkpoint_is_durable() -> None:
    learned = Learned(checkpoint_seconds=5)
    learned.reads([batch(RECORDS[:50])])
    assert learned.learner.durable_offset == 0
    learned.time_passes(100)
    learned.time_passes(104)
    assert (learned.learner.durable_offset, learned.log.of("checkpoints")) == (0, [])
    learned.log.refusing = True
    with pytest.raises(RefusedError):
        learned.time_passes(105)
    assert learned.learner.durable_offset == 0
    learned.log.refusing = False
    learned.checkpoints()
    assert learned.learner.durable_offset == 50
    learned.restart()
    assert (learned.learner.interactions.offset, learned.learner.durable_offset) == (50, 50)


def test_a_checkpoint_is_written_only_where_there_is_something_new() -> None:
    learned = Learned(checkpoint_seconds=1)
    for now in range(10):
        learned.time_passes(now)
    assert learned.log.happened == []
    learned.reads([batch(RECORDS[:10])])
    for now in range(10, 20):
        learned.time_passes(now)
    assert len(learned.log.of("checkpoints")) == 1


@pytest.mark.parametrize(("seconds_to_encode", "wait"), [(0.1, 5), (0.5, 10), (1_000.0, 60)])
def test_what_is_dear_to_encode_is_saved_less_often(
    monkeypatch: pytest.MonkeyPatch, seconds_to_encode: float, wait: int
) -> None:
    clock = [0.0]

    def slow(checkpoint: learner_checkpoints.Checkpoint) -> bytes:
        clock[0] += seconds_to_encode
        return ENCODE(checkpoint)

    monkeypatch.setattr(partition_learner, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    monkeypatch.setattr(learner_checkpoints, "encode", slow)
    learned = Learned(checkpoint_seconds=5)
    learned.reads([batch(RECORDS[:10])])
    learned.checkpoints()
    learned.reads([batch(RECORDS[10:20])])
    for now in (0, wait - 1):
        learned.time_passes(now)
    assert len(learned.log.of("checkpoints")) == 1
    learned.time_passes(wait)
    assert len(learned.log.of("checkpoints")) == 2


def test_the_worker_goes_on_while_a_checkpoint_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    went_on = Event()

    def patient(checkpoint: learner_checkpoints.Checkpoint) -> bytes:
        assert went_on.wait(10), "nothing else happened meanwhile"
        return ENCODE(checkpoint)

    monkeypatch.setattr(learner_checkpoints, "encode", patient)
    learned = Learned()
    learned.reads([batch(RECORDS[:10])])

    async def both() -> None:
        asyncio.get_running_loop().call_soon(went_on.set)
        await learned.learner.write_checkpoint()

    asyncio.run(both())
    assert learned.learner.durable_offset == 10


def test_after_a_step_that_failed_no_checkpoint_vouches_for_it() -> None:
    learned = Learned()
    learned.reads([batch(RECORDS[:10])])
    learned.log.refusing = True
    with pytest.raises(RefusedError):
        learned.reads([batch(RECORDS[10:20])])
    learned.log.refusing = False
    learned.checkpoints()
    assert learned.log.of("checkpoints") == [], "its rewards were never written"
    with pytest.raises(UnfinishedStepError):
        learned.reads([batch(RECORDS[20:30])])
    learned.restart()
    learned.reads([batch(RECORDS)])
    assert learned.rewards()[10:] == EXPECTED.rewards()


def test_a_policy_is_published_when_it_has_waited_long_enough_and_is_nobodys_parent() -> None:
    learned = Learned(publish_seconds=10)
    learned.reads([batch(RECORDS[:30])])
    for now in (0, 9, 10, 11, 40):
        learned.time_passes(now)
    learned.reads([batch(RECORDS[30:60])])
    snapshots = [policy.decode(one) for one in learned.policies()]
    assert [(one.version, one.parent) for one in snapshots] == [(25, None), (30, 25), (50, 25)]


def test_of_a_model_of_which_nothing_can_be_learned_no_policy_is_published() -> None:
    learned = Learned(publish_seconds=10)
    alone = [
        msgspec.structs.replace(
            one,
            impression=msgspec.structs.replace(
                one.impression, actions=one.impression.actions[:1], chosen=0, probabilities=None, propensity=1.0
            ),
        )
        for one in LOG[:60]
    ]
    learned.reads([batch([written(one, offset) for offset, one in enumerate(alone)])])
    for now in (0, 20, 40):
        learned.time_passes(now)
    assert (learned.rewards(), learned.policies()) == ([], [])
    learned.checkpoints()
    learned.restart()
    learned.reads([batch([written(one, offset) for offset, one in enumerate(LOG[60:], start=60)])])
    snapshots = [policy.decode(one) for one in learned.policies()]
    assert [(one.version, one.parent) for one in snapshots] == [(75, None), (100, 75)], "the first with something in it"


def test_what_is_no_interaction_or_of_no_model_is_refused_and_the_rest_is_learned() -> None:
    learned = Learned()
    foreign = msgspec.structs.replace(LOG[1], impression=msgspec.structs.replace(LOG[1].impression, model="other"))
    deep = msgspec.json.encode(LOG[2])[:-1] + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    records = [
        record("interactions", 0, b"feed", b"junk"),
        written(foreign, 1),
        record("interactions", 2, b"feed", deep),
        record("interactions", 3, b"feed", None),
        written(LOG[0], 4),
    ]
    learned.reads([batch(records)])
    assert [(one.value, one.headers["reason"]) for one in learned.log.of("dead-letter")] == [
        (records[0].value, b"schema"),
        (records[1].value, b"unknown_model"),
        (deep, b"schema"),
        (None, b"schema"),
    ]
    assert len(learned.rewards()) == 1


def test_a_model_that_is_not_configured_for_a_while_is_not_forgotten() -> None:
    learned = Learned()
    learned.reads([batch(RECORDS[:50])])
    learned.checkpoints()
    with_models = learned.settings
    other = Settings.model_validate({"models": {"other": {"definitely_negative": ["x"], "hash_bits": 10}}})
    learned.settings = with_models.model_copy(update={"models": other.models})
    learned.restart()
    learned.reads([batch([record("interactions", 50, b"feed", b"junk")])])
    learned.checkpoints()
    learned.settings = with_models
    learned.restart()
    learned.reads([batch([written(one, offset) for offset, one in enumerate(LOG[50:], start=51)])])
    assert learned.policies() == EXPECTED.policies()


def worths(learned: Learned) -> list[WorthTable]:
    return [msgspec.json.decode(one.value or b"", type=WorthTable) for one in learned.log.of("signal-worth")]


def test_what_signals_are_worth_is_written_beside_a_checkpoint_and_goes_on_from_it() -> None:
    straight, restarted = Learned(), Learned()
    straight.reads([batch(RECORDS)])
    straight.checkpoints()
    restarted.reads([batch(RECORDS[:70])])
    restarted.checkpoints()
    restarted.restart()
    restarted.reads(cut(RECORDS[70:], [85, 90]))
    restarted.checkpoints()
    (once,), (half, twice) = worths(straight), worths(restarted)
    assert once == twice
    assert (half.interactions, once.interactions) == (70, len(LOG))
    assert {one.signal for one in once.rows} == {signal for interaction in LOG for signal in interaction.signals}
    assert {one.key for one in straight.log.of("signal-worth")} == {b"feed"}
    told = list(straight.metrics.signal_worth._metrics)
    assert {labels[2] for labels in told} == {one.signal for one in once.rows if one.log_odds is not None} != set()


def test_an_older_checkpoint_knows_no_worth_and_it_is_learned_from_there_on() -> None:
    learned = Learned()
    learned.reads([batch(RECORDS[:60])])
    learned.checkpoints()
    value = learned.log.newest("checkpoints")[CHECKPOINT_KEY]
    older = msgspec.structs.replace(learner_checkpoints.decode(value or b""), worths={})
    wiring = LearningWiring(learned.settings, learned.log.outputs, LearningMetrics(learned.metrics), always)
    learned.learner = PartitionLearner(0, wiring, {CHECKPOINT_KEY: ENCODE(older)}, {})
    learned.reads([batch(RECORDS[60:])])
    learned.checkpoints()
    table = worths(learned)[-1]
    assert table.interactions == len(LOG)
    assert sum(one.plays for one in table.rows) <= len(LOG) - 60


def test_segments_by_another_feature_begin_anew() -> None:
    learned = Learned()
    base = learned.settings
    for feature in ("user", "platform"):
        learned.settings = base.model_copy(update={"segments": {"feed": SegmentSettings(feature=feature)}})
        learned.restart()
        learned.reads([batch(RECORDS[:60] if feature == "user" else RECORDS[60:])])
        learned.checkpoints()
    by_user, by_platform = worths(learned)
    assert {one.segment for one in by_user.rows} == {None, "u0", "u1", "u2"}
    assert {one.segment for one in by_platform.rows} == {None, "missing"}


def test_what_other_shards_saw_is_in_the_table_of_the_one_that_publishes() -> None:
    configured = worker_settings(publish_interactions=EVERY)
    sharded = {"feed": configured.models["feed"].model_copy(update={"sharded_by": "user"})}
    shared = configured.model_copy(update={"models": sharded})
    wiring = LearningWiring(shared, Log().outputs, LearningMetrics(Metrics()), always)
    publishing = contract_partition(b"feed", configured.topics.interaction_partitions)
    log = Log()
    elsewhere = LearningWiring(shared, log.outputs, LearningMetrics(Metrics()), always)
    here, other = PartitionLearner(publishing, wiring, {}, {}), PartitionLearner(publishing - 1, elsewhere, {}, {})
    asyncio.run(here.take(batch(RECORDS[90:])))
    seen = other.interactions.contiguous(batch(RECORDS[:90]))
    assert isinstance(seen, RecordBatch)
    asyncio.run(other.take(seen))
    asyncio.run(other.write_checkpoint())
    assert other.worth("feed") is None
    assert log.of("signal-worth") == []
    alone = here.worth("feed")
    saved = learner_checkpoints.decode(log.newest("checkpoints")[CHECKPOINT_KEY] or b"")
    here.take_worths("feed", [saved.worths["feed"]])
    together = here.worth("feed")
    assert alone is not None
    assert together is not None
    assert sum(one.plays for one in together.rows) > 2 * sum(one.plays for one in alone.rows)


def test_the_past_of_a_model_lies_beside_the_checkpoint_and_comes_back_with_it() -> None:
    learned, without = Learned(), Learned()
    point = Point(1000, (0.0, 0.5, 0.5, 0.0), None)
    learned.pasts.add("feed", 1.0, point)
    for one in (learned, without):
        one.reads([batch(RECORDS)])
        one.checkpoints()
    with_past, plain = (
        learner_checkpoints.decode(one.log.newest("checkpoints")[CHECKPOINT_KEY] or b"") for one in (learned, without)
    )
    assert with_past.models == plain.models, "what was learned knows nothing of it"
    assert set(learned.log.newest("checkpoints")) - set(without.log.newest("checkpoints")) == {past_key("feed")}
    shown = [one.action for one in learned.pasts.recent("feed").shown.shown(8).actions]
    learned.restart()
    assert learned.pasts.points("feed") == [point]
    assert [one.action for one in learned.pasts.recent("feed").shown.shown(8).actions] == shown != []
    without.restart()
    assert without.pasts.points("feed") == []


def test_a_checkpoint_that_is_none_stops_the_start() -> None:
    learned = Learned()
    wiring = LearningWiring(learned.settings, learned.log.outputs, LearningMetrics(learned.metrics), always)
    with pytest.raises(CheckpointError):
        PartitionLearner(0, wiring, {CHECKPOINT_KEY: b"something else"}, {})


def test_after_a_restart_no_chunk_of_the_published_policy_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 500)  # rather than learning a policy of megabytes
    learned = Learned()
    learned.reads([batch(RECORDS[:30])])
    whole, slot = chunks.assemble(b"feed", learned.log.newest("policies"))
    assert slot == 1
    learned.restart()
    before = len(learned.log.written)
    learned.reads([batch(RECORDS[:30])])
    topic = learned.log.newest("policies")
    assert chunks.assemble(b"feed", topic) == (whole, 0)
    for size in range(before, len(learned.log.written)):
        partial = {one.key or b"": one.value for one in learned.log.written[:size] if one.topic == "policies"}
        assert chunks.assemble(b"feed", partial)[0] == whole, "a reader at any moment finds a whole policy"


def test_the_partition_that_publishes_a_sharded_model_takes_the_policys_gauges_along() -> None:
    log, metrics = Log(), Metrics()
    configured = worker_settings(publish_interactions=EVERY)
    sharded = {"feed": configured.models["feed"].model_copy(update={"sharded_by": "user"})}
    shared = configured.model_copy(update={"models": sharded})
    wiring = LearningWiring(shared, log.outputs, LearningMetrics(metrics), always)
    publishing = contract_partition(b"feed", configured.topics.interaction_partitions)
    held, topics = HeldPartitions(), configured.topics
    for partition in (publishing, publishing - 1):
        learner = held.learners[partition] = PartitionLearner(partition, wiring, {}, {})
        asyncio.run(learner.take(batch(RECORDS[:30])))

    def told(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"groundswell_{name}", {"model": "feed"})

    assert told("policy_version") == EVERY
    held.keep_only({TP(topics.interactions, publishing - 1)}, topics)
    assert told("policy_version") is None
    assert told("policy_published_timestamp_seconds") is None
    assert told("mean_importance_weight") is not None, "the other shard is still learned here"
    held.keep_only(set(), topics)
    assert told("mean_importance_weight") is None


def test_how_full_its_tables_are_is_told_with_each_policy() -> None:
    newest = policy.decode(EXPECTED.policies()[-1])
    told = EXPECTED.metrics.registry.get_sample_value("groundswell_feature_table_occupancy", {"model": "feed"})
    assert told == newest.occupancy > 0


def test_a_leak_that_was_found_is_shown_again_after_a_restart() -> None:
    learned = Learned()
    log = [
        written(
            interaction(
                number,
                context={"user": f"u{number % 3}"},
                chosen=(chosen := number * 7 % 5),
                signals=["play" if chosen < 2 else "click" if chosen == number % 3 + 2 else "none"],
            ),
            number,
        )
        for number in range(4_000)
    ]
    learned.reads(batch(log[begin : begin + 500]) for begin in range(0, len(log), 500))
    labels = {"model": "feed", "signal": "play", "left_out": "true"}
    found = learned.metrics.registry.get_sample_value("groundswell_leaking_signals", labels)
    assert found is not None
    learned.checkpoints()
    learned.metrics = Metrics()
    learned.restart()
    assert learned.metrics.registry.get_sample_value("groundswell_leaking_signals", labels) == found


def test_a_checkpoint_of_interactions_that_were_made_again_is_refused_with_the_command_to_run() -> None:
    learned = Learned()
    learned.reads([batch(RECORDS[:30])])
    learned.checkpoints()
    learned.ids = {"interactions": "x"}
    learned.restart()
    learned.reads([batch(RECORDS[30:60])])
    learned.checkpoints()
    learned.restart()
    assert learned.learner.interactions.offset == 60, "that of an earlier release takes the id up"
    learned.ids = {"interactions": "y"}
    with pytest.raises(TopicChangedError, match=r"interactions was deleted and made again .*adopt-topics"):
        learned.restart()
