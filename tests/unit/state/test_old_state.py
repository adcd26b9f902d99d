"""State that earlier releases wrote, read with the code of today: nothing of it may be lost or mean something else.

The files are those of `tests/assets/f107b08`, whose README says what each is and what it was made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from aiokafka import ConsumerRecord
from faust.serializers.codecs import loads
from faust.types import EventT
from pydantic import ValidationError

from groundswell import policy
from groundswell.chunks import assemble, is_chunk
from groundswell.events import Action, Feedback, Impression, Reward, Watermark
from groundswell.policy import Policy, PolicyError
from processors.admission.event_records import Admission
from processors.admission.interaction_records import InteractionReader
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.ledger import Ledger
from processors.learners.shard_learner import ShardLearner
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_envelope, decode_interaction
from processors.wire.plain_state import StateError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint
from state.segment_table import unpacked
from streams.app import create_app
from streams.kafka.record_batches import Gap, RecordBatch
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.replay.event_time_pace import in_event_time
from streams.replay.examination import examine, found_good, readable_log
from streams.replay.mapping_file import load_mapping
from streams.replay.standards import Standards
from streams.settings import Settings
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from tests.factories import Record, encode, feedback, impression, models
from tests.unit.join.memory_segments import Changelog, MemorySegments
from tests.unit.stand_ins import Log, always, batch, record, worker_settings

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "f107b08"
T0 = 1_700_000_000_000


class Line(msgspec.Struct):
    """A record of which the value is JSON, with the bytes that it has on its topic."""

    key: str | None
    value: msgspec.Raw
    topic: str = ""
    partition: int | None = None


def lines(name: str) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in (ASSETS / name).read_bytes().splitlines()]


def records(name: str) -> list[tuple[bytes, bytes]]:
    return msgspec.msgpack.decode((ASSETS / name).read_bytes(), type=list[tuple[bytes, bytes]])


def facts(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], msgspec.json.decode((ASSETS / name).read_bytes()))


def agrees(now: object, then: object) -> bool:
    """Say whether all that was recorded then is so now, numbers to nine digits: processors and compilers differ."""
    if isinstance(then, Mapping):
        return isinstance(now, Mapping) and all(key in now and agrees(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(agrees, now, then))
    if isinstance(then, float):
        return bool(now == pytest.approx(then, rel=1e-9, abs=1e-12))
    return now == then


# -- what waited in a join ------------------------------------------------------------------------------------

PARTITION = 1
JOIN = {"wait": 10.0, "grace": 2.0, "backward": 3.0, "activation": 8.0, "remember": 20.0, "idle": None}
"""Those under which it was written, but for the bounds, which were 8 impressions and 2 pieces of early feedback."""


class Joined(NamedTuple):
    """An interaction: the offset of its impression, its feedback in the order of occurrence, and its signals."""

    offset: int
    feedback: list[str]
    signals: list[str]


CLOSED_THEN = {
    "closed": (Joined(0, ["f1"], ["click"]), "closed with its click"),
    "silent": (Joined(1, [], ["none"]), "closed without feedback"),
}
JOINED = {
    "several": (
        Joined(3, ["s1", "s2", "s3", "s4"], ["click", "share"]),
        "three pieces of feedback came before the restart and one after it; one that came again does not count twice",
    ),
    "weighted": (Joined(7, ["w1"], ["dislike"]), "closes 12 s after it was shown, at 29 s"),
    "moved": (
        Joined(10, ["m1"], ["click"]),
        "occurred at 14 s and was logged after 19 s, so that it counts from 17 s, and takes feedback until 27 s",
    ),
    "shown-before": (
        Joined(4, ["e1", "a1"], ["like"]),
        "deferred, shown at 18 s before the restart; its like came before it did",
    ),
    "unanswered": (Joined(8, [], ["none"]), "nobody said anything"),
    "ahead": (Joined(9, ["g1"], ["click"]), "its click was logged before it"),
    "expected": (Joined(11, ["x1"], ["click"]), "its click came before the restart, and it came after"),
    "unmet": (
        Joined(12, [], ["none"]),
        "its click had been given up before the restart, when more was early than may be: it does not come back",
    ),
    "shown-after": (
        Joined(5, ["h1", "a2"], ["like"]),
        "deferred, shown at 22 s after the restart; its like was held until then",
    ),
}
"""In the order in which they close: by the time from which they count, then by offset."""

STRAYS = {
    "l1": (("late", 11_000), "to an impression that had closed before the restart: 21 s after 0 s, the wait is 10 s"),
    "l2": (("late", -1_000), "to the one that was evicted before the restart: 22 s, and its wait ended at 23 s"),
    "l3": (("late", 2_000), "12 s after its impression"),
    "o1": (("orphan", None), "it was early before the restart, and no impression of that id ever came"),
}
COUNTS = {
    "not_shown": 1,  # never-shown
    "duplicate_impression": 2,  # of the one that had closed, and of the one that was evicted
    "duplicate_feedback": 1,  # s2
    "matched": 7,
    "none": 2,
}
IMPRESSIONS = [("expected", 21), ("unmet", 21), ("closed", 21), ("evicted", 22)]
FEEDBACK = [
    ("l1", "closed", "click", 21.0),
    ("l2", "evicted", "share", 22.0),
    ("a2", "shown-after", "shown", 22.0),
    ("s2", "several", "share", 16.5),
    ("s4", "several", "share", 23.0),
    ("m1", "moved", "click", 26.0),
    ("l3", "several", "click", 27.0),
]
"""What comes after the restart: (id, impression, signal, seconds)."""


def ms(seconds: float) -> int:
    return T0 + round(seconds * 1000)


class Restored:
    """A partition's join that goes on from the changelog."""

    def __init__(self) -> None:
        table = create_app(worker_settings())._table
        codec = str(cast(Any, table.changelog_topic).key_serializer)
        events = [
            SimpleNamespace(key=loads(codec, key), value=value, message=SimpleNamespace(value=value, partition=1))
            for key, value in records("pending.msgpack")
        ]
        table.apply_changelog_batch(cast(list[EventT[Any]], events))
        self.segments = dict(table.segments(PARTITION))
        self.marks = table.marks(PARTITION)
        self.changelog = Changelog(table.data)
        self.log, self.metrics = Log(), Metrics()
        self.table = MemorySegments(self.changelog)
        wiring = JoinWiring(worker_settings(JOIN), self.table, self.log.outputs, self.metrics)
        self.join = PartitionJoin(PARTITION, wiring)
        self.join.restore()

    def goes_on(self) -> None:
        """Read what comes after the restart, then the end of both logs."""
        shown = [(name, encode(impression(name, ms(at)))) for name, at in IMPRESSIONS]
        answers = [
            (about, encode(feedback(about, ms(at), feedback_id=name, signal=signal)))
            for name, about, signal, at in FEEDBACK
        ]
        end = encode({"schema_version": 1, "watermark": ms(100)})
        impressions, feedback_log = _log("impressions", 11, shown), _log("feedback", 13, answers)
        _take(self.join.impressions.contiguous(batch(impressions)), self.join.take_impressions)
        _take(self.join.feedback.contiguous(batch(feedback_log)), self.join.take_feedback)
        for cursor, take, topic, offset in (
            (self.join.impressions, self.join.take_impressions, "impressions", 15),
            (self.join.feedback, self.join.take_feedback, "feedback", 20),
        ):
            _take(cursor.contiguous(batch([record(topic, offset, None, end, PARTITION)])), take)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def _log(topic: str, begin: int, written: Sequence[tuple[str, bytes]]) -> list[ConsumerRecord]:
    return [record(topic, offset, key.encode(), value, PARTITION) for offset, (key, value) in enumerate(written, begin)]


def _take(new: RecordBatch | Gap | None, take: Callable[[RecordBatch], Awaitable[None]]) -> None:
    assert isinstance(new, RecordBatch)

    async def step() -> None:
        await take(new)

    asyncio.run(step())


def joined(values: Sequence[bytes]) -> dict[str, Joined]:
    """Return the interactions in these records, by id and in their order."""
    decoded = [decode_interaction(value) for value in values]
    found = {
        one.impression.impression_id: Joined(
            one.source.offset, [answer.feedback_id for answer in one.feedback], one.signals
        )
        for one in decoded
    }
    assert len(found) == len(decoded), "one interaction of each"
    return found


@pytest.fixture(scope="module")
def gone_on() -> Restored:
    restored = Restored()
    restored.goes_on()
    return restored


def test_the_join_goes_on_where_the_mark_says() -> None:
    """Eight impressions wait, two pieces of feedback are early, and both logs go on at the next record."""
    restored = Restored()
    assert sorted(restored.marks) == ["1-0a0a0a0a", "2-0b0b0b0b", "3-0c0c0c0c"]
    assert (restored.join.impressions.offset, restored.join.feedback.offset) == (11, 13)
    assert restored.sample("groundswell_join_pending", partition="1") == 8
    assert restored.sample("groundswell_join_early_feedback", partition="1") == 2
    assert restored.sample("groundswell_watermark_timestamp_seconds", partition="1") == ms(19) / 1000


def test_every_column_of_a_segment_is_in_the_file() -> None:
    """Or this would say less than it seems to."""
    kept = [unpacked(*one) for one in Restored().segments.items()]
    assert all(any(list(getattr(segment, column)) for segment in kept) for column in (
        "impressions", "feedback", "held", "early", "evicted", "waited_since", "spent",
    ))  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), [(name, one) for name, (one, _) in JOINED.items()], ids=list(JOINED))
def test_what_waited_has_its_feedback_from_before_and_after_the_restart(
    gone_on: Restored, name: str, expected: Joined
) -> None:
    found = joined([one.value or b"" for one in gone_on.log.of("interactions")])
    assert found[name] == expected, JOINED[name][1]


def test_nothing_else_becomes_an_interaction_and_they_close_in_order(gone_on: Restored) -> None:
    """Not what had closed or been evicted, nor what was never shown."""
    assert list(joined([one.value or b"" for one in gone_on.log.of("interactions")])) == list(JOINED)


@pytest.mark.parametrize(("name", "expected"), [(name, one) for name, (one, _) in STRAYS.items()], ids=list(STRAYS))
def test_what_was_over_before_the_restart_is_told_from_what_never_was(
    gone_on: Restored, name: str, expected: tuple[str, int | None]
) -> None:
    strays = {
        msgspec.json.decode(one.value or b"", type=Feedback).feedback_id: (
            one.headers["reason"].decode(),
            int(one.headers["lateness_ms"]) if "lateness_ms" in one.headers else None,
        )
        for one in gone_on.log.of("late-feedback")
    }
    assert strays[name] == expected, STRAYS[name][1]
    assert sorted(strays) == sorted(STRAYS)


@pytest.mark.parametrize(("outcome", "count"), COUNTS.items(), ids=list(COUNTS))
def test_outcomes_count_what_came_of_it(gone_on: Restored, outcome: str, count: int) -> None:
    assert gone_on.sample("groundswell_join_total", outcome=outcome) == count


def test_its_segments_are_forgotten_with_their_windows() -> None:
    """Those of the writers before, and those beyond their marks: only the new mark is left."""
    restored = Restored()
    restored.goes_on()
    restored.join.forget()
    restored.table.crash(arriving=1000)
    assert [key[1] for key in restored.changelog] == [-1]
    assert [key[2].partition("-")[0] for key in restored.changelog] == ["4"]


# -- interactions and rewards ---------------------------------------------------------------------------------

INTERACTIONS = [bytes(line.value) for line in lines("interactions.jsonl")]
ABC = [Action("a"), Action("b"), Action("c")]


def test_interactions_are_those_of_the_logs() -> None:
    """Early, several, none, deferred: the same as come of what waited, and the two that had closed before."""
    assert {line.key for line in lines("interactions.jsonl")} == {"feed"}
    expected = {name: one for name, (one, _) in (CLOSED_THEN | JOINED).items()}
    assert list(joined(INTERACTIONS).items()) == list(expected.items())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "closed",
            {
                "occurred_at": ms(0),
                "context": {"user": "Zoë", "age": 41.5, "member": True},
                "actions": [Action("a", {"price": 3, "kind": "new"}), Action("b"), Action("c")],
                "chosen": 1,
                "probabilities": [0.25, 0.5, 0.25],
                "chosen_propensity": 0.5,
                "policy_version": None,
                "weight": 1.0,
                "deferred": False,
            },
        ),
        ("weighted", {"chosen_propensity": 0.25, "weight": 2.5, "policy_version": 7, "actions": ABC}),
        ("moved", {"occurred_at": ms(14)}),
        ("shown-after", {"occurred_at": ms(16), "deferred": True}),
    ],
    ids=[
        "features of every type, a name that is not ASCII",
        "a propensity in the place of probabilities, a weight, the version of the policy that chose",
        "the time that the app gave, not that from which it counts",
        "a deferred one is known as such",
    ],
)
def test_an_impression_says_what_it_said(name: str, expected: Mapping[str, object]) -> None:
    decoded = [decode_interaction(value) for value in INTERACTIONS]
    (shown,) = [one.impression for one in decoded if one.impression.impression_id == name]
    assert {fact: getattr(shown, fact) for fact in expected} == expected


def test_a_field_that_nobody_knows_travels_on() -> None:
    assert b'"request":{"trace":"x-1"}' in INTERACTIONS[0]


def test_feedback_says_what_it_said() -> None:
    """Its time and its value."""
    (answer,) = decode_interaction(INTERACTIONS[0]).feedback
    assert (answer.occurred_at, answer.signal, answer.value) == (ms(1), "click", 0.5)


def test_a_learner_reads_them_and_lets_each_in_once() -> None:
    """Sealed or open they are the same, none is refused, and none that comes again is new."""
    arrivals = InteractionReader(models("feed")).read(INTERACTIONS)
    assert not arrivals.refused
    assert [decode_envelope(value).opened() for value in INTERACTIONS] == list(map(decode_interaction, INTERACTIONS))
    ledger, sources = Ledger(), [decode_interaction(value).source for value in INTERACTIONS]
    assert all(ledger.admit_all(sources))
    assert not any(ledger.admit_all(sources))


@pytest.mark.parametrize(
    ("impression_id", "expected"),
    [
        ("i189", {"action": "a1", "signal": "click", "state": -1, "reward": -1.0, "policy_version": 189}),
        ("i191", {"action": "a2", "signal": "share", "state": 1, "reward": 1.0, "weight": 1.0}),
        ("i195", {"action": "a3", "signal": "none", "state": 0, "reward": 0.0, "logged_policy_version": 97}),
        ("i198", {"action": "a2", "signal": "dislike", "state": -1, "weight": 2.0, "threshold": 0.5}),
    ],
    ids=["a click that meant no", "the last of two signals", "the version the app named", "weight and threshold"],
)
def test_a_reward_says_what_it_said(impression_id: str, expected: Mapping[str, object]) -> None:
    (line,) = [line for line in lines("rewards.jsonl") if line.key == impression_id]
    reward = msgspec.json.decode(line.value, type=Reward)
    number = int(impression_id[1:])
    assert {fact: getattr(reward, fact) for fact in expected} == expected
    assert (reward.impression_id, reward.model) == (impression_id, "one-versus-rest")
    assert (reward.occurred_at, reward.source.offset) == (T0 + number, number)


# -- learners -------------------------------------------------------------------------------------------------

LEARNERS = {
    "one-versus-rest": "compiled, in the form of the default",
    "softmax": "compiled, with crosses, shared weights, sets of signals and graded rewards; its checkpoint in chunks",
    "spectral": "an embedding that is refreshed once more after the restart",
    "co-occurrence": "the other embedding",
    "stock": "estimators of River; its checkpoint in chunks",
    "shard": "one that had taken in what another shard contributed",
}
GOES_ON = ["spectral"]
"""Its rule is still there. The others learned by rules that are no more."""
IGL: dict[str, Any] = {"reward": {"rule": "iclr", "alpha": 0.2}}


def checkpoint_of(name: str) -> Checkpoint:
    value, _ = assemble(CHECKPOINT_KEY, dict(records(f"learners/{name}.msgpack")))
    assert value is not None, "all chunks are there"
    return learner_checkpoints.decode(value)


of_each = pytest.mark.parametrize("name", GOES_ON)


def model_of(name: str, **changes: Any) -> ModelConfig:
    return ModelConfig.model_validate({"name": name, **facts(f"learners/{name}.json")["model"], **changes})


def restored(name: str) -> Learner:
    return restored_learner(model_of(name), checkpoint_of(name).models[name])


def as_learned(learner: Learner, recorded: Mapping[str, Any]) -> dict[str, object]:
    actions = [Action(one) for one in recorded["actions"]]
    return {
        "interactions_included": learner.interactions_included,
        "version": learner.version,
        "statistics": msgspec.to_builtins(learner.statistics),
        "forgotten": dict(learner.forgotten),
        "scores": [learner.scores(context, actions).tolist() for context in recorded["contexts"]],
        "probabilities": [learner.probabilities(context, actions) for context in recorded["contexts"]],
    }


LEARNED = 2


def next_of(name: str) -> list[bytes]:
    """Return two interactions that were learned, one long ago and the last, and the first twelve that were not."""
    return [bytes(line.value) for line in lines(f"learners/{name}.next.jsonl")]


@of_each
def test_a_learner_knows_what_it_knew(name: str) -> None:
    """How much it learned, what it counted, how it scores actions, and with which probabilities it shows them."""
    recorded = facts(f"learners/{name}.json")
    assert agrees(as_learned(restored(name), recorded), recorded["then"]), LEARNERS[name]


@of_each
def test_a_learner_learns_on_as_it_would_have(name: str) -> None:
    """It infers the same rewards of what comes next, and ends at the same scores."""
    recorded, learner = facts(f"learners/{name}.json"), restored(name)
    rewards = learner.learn([decode_interaction(value) for value in next_of(name)[LEARNED:]])
    assert agrees(msgspec.to_builtins(list(rewards)), recorded["rewards"]), LEARNERS[name]
    assert agrees(as_learned(learner, recorded), recorded["later"]), LEARNERS[name]


@of_each
def test_a_learner_goes_on_the_same_each_time(name: str) -> None:
    """To the byte, and also by way of a checkpoint of today."""
    first, second = restored(name), restored(name)
    again = Checkpoint(0, Ledger().state(), {name: restored(name).state()}, {})
    third = restored_learner(model_of(name), learner_checkpoints.decode(learner_checkpoints.encode(again)).models[name])
    states = set()
    for learner in (first, second, third):
        learner.learn([decode_interaction(value) for value in next_of(name)[LEARNED:]])
        states.add(msgspec.msgpack.encode([learner.state(), policy.encode(learner.snapshot(None))]))
    assert len(states) == 1


@of_each
def test_a_partition_of_learners_goes_on_from_the_checkpoint(name: str) -> None:
    """It reads on at the next interaction, publishes the versions that follow, and learns nothing for a second time."""
    recorded = facts(f"learners/{name}.json")
    settings = Settings.model_validate(
        {"models": {name: recorded["model"]}, "learning": {"publish_interactions": 60, "checkpoint_seconds": 1}}
    )
    written = Log()
    wiring = LearningWiring(settings, written.outputs, LearningMetrics(Metrics()), always)
    values = next_of(name)

    async def go_on() -> PartitionLearner:
        learner = PartitionLearner(
            recorded["partition"], wiring, dict(records(f"learners/{name}.msgpack")), dict(published())
        )
        assert learner.interactions.offset == recorded["offset"]
        assert learner.policy_versions == {name: recorded["publication"]["version"]}
        begin = recorded["offset"]
        log = [record("interactions", begin + at, name.encode(), value) for at, value in enumerate(values)]
        new = learner.interactions.contiguous(batch(log))
        assert isinstance(new, RecordBatch)
        await learner.take(new)
        await learner.write_checkpoint()
        return learner

    learner = asyncio.run(go_on())
    rewards = [msgspec.json.decode(one.value or b"") for one in written.of("rewards")]
    assert agrees(rewards, [one for one in recorded["rewards"] if one is not None])
    assert learner.durable_offset == recorded["offset"] + len(values)
    value, _ = assemble(CHECKPOINT_KEY, written.newest("checkpoints"))
    after = learner_checkpoints.decode(value or b"")
    assert after.models[name]["interactions_included"] == recorded["later"]["interactions_included"]
    assert msgspec.to_builtins(after.publications[name]) == recorded["publication"], "none was due"


@pytest.mark.parametrize("name", ["one-versus-rest", "shard"])
def test_what_the_default_of_then_learned_is_refused_with_the_way_to_relearn_it(name: str) -> None:
    """The same configuration means another rule now: neither gone on with nor dropped without a word."""
    with pytest.raises(
        StateError, match=f"`groundswell redecode --model {name}` relearns it from the interactions log"
    ):
        restored(name)


def test_so_it_is_at_the_start_of_a_worker() -> None:
    name = "one-versus-rest"
    settings = Settings.model_validate({"models": {name: facts(f"learners/{name}.json")["model"]}})
    wiring = LearningWiring(settings, Log().outputs, LearningMetrics(Metrics()), always)
    with pytest.raises(StateError, match="groundswell redecode"):
        PartitionLearner(0, wiring, dict(records(f"learners/{name}.msgpack")), dict(published()))


@pytest.mark.parametrize(
    ("name", "message", "mended"),
    [
        ("softmax", "extreme 'graded' is no more.*groundswell redecode", {"inverse_kinematics": {}, "reward": {}}),
        (
            "co-occurrence",
            "form 'co-occurrence' is no more.*groundswell redecode",
            {"inverse_kinematics": {"form": "spectral", "signals": 4, "user_feature": "user", "users": 6}},
        ),
        ("stock", r'reward = {rule = "iclr", alpha = 0.1}', IGL),
    ],
)
def test_a_configuration_of_then_says_what_is_no_more(name: str, message: str, mended: Mapping[str, Any]) -> None:
    """And with one of today, what was learned is refused with the way to relearn it."""
    with pytest.raises(ValidationError, match=message):
        model_of(name)
    with pytest.raises(StateError, match=f"`groundswell redecode --model {name}` relearns it"):
        restored_learner(model_of(name, **mended), checkpoint_of(name).models[name])


def under_igl(name: str) -> Learner:
    """Return the learner that would have been restored had the model been configured for IGL-P(3) then.

    What a state holds and how was the same under every rule.
    """
    model = model_of(name, **IGL)
    state = checkpoint_of(name).models[name] | {"configuration": learner_for(model).configuration}
    return restored_learner(model, state)


@pytest.mark.parametrize("name", ["one-versus-rest", "shard"])
def test_what_the_papers_rules_learned_is_known_still(name: str) -> None:
    recorded = facts(f"learners/{name}.json")
    assert agrees(as_learned(under_igl(name), recorded), recorded["then"]), LEARNERS[name]


def test_a_shard_tells_what_it_learned_itself_from_what_it_took_in() -> None:
    """Where the other shard contributes nothing any more, what is left is its own."""
    recorded, shard = facts("learners/shard.json"), under_igl("shard")
    assert isinstance(shard, ShardLearner)
    shard.take_in([])
    assert shard.version == shard.interactions_included == 200
    assert agrees(as_learned(shard, recorded), recorded["alone"])


@pytest.mark.skipif(
    version("river") != checkpoint_of("stock").models["stock"]["river"], reason="written by another version of River"
)
def test_what_estimators_of_river_learned_is_known_still() -> None:
    recorded = facts("learners/stock.json")
    assert agrees(as_learned(under_igl("stock"), recorded), recorded["then"]), LEARNERS["stock"]


def test_estimators_of_another_river_are_refused_with_its_version() -> None:
    model = model_of("stock", **IGL)
    state = learner_for(model).state() | {"river": "0.0.1"}
    with pytest.raises(StateError, match=r"River 0\.0\.1, .* install that version"):
        restored_learner(model, state)


@pytest.mark.parametrize("name", ["softmax", "stock"])
def test_what_is_in_chunks_is_in_several(name: str) -> None:
    """With those of the checkpoint before beside them: the manifest says which count."""
    chunks = [key for key, _ in records(f"learners/{name}.msgpack") if is_chunk(key)]
    assert {key.split(b"\x00")[1] for key in chunks} == {b"0", b"1"}
    assert len(chunks) >= 4


# -- policies -------------------------------------------------------------------------------------------------


def published() -> list[tuple[bytes, bytes]]:
    plain = [((line.key or "").encode(), bytes(line.value)) for line in lines("policies.jsonl")]
    return [*plain, *records("policies-in-chunks.msgpack")]


def policy_of(name: str) -> bytes:
    value, _ = assemble(name.encode(), dict(published()))
    assert value is not None, "all chunks are there"
    return value


@pytest.mark.parametrize("name", LEARNERS)
def test_a_policy_ranks_actions_as_it_did(name: str) -> None:
    """It fits its checksum, says which version it is and of which it is the next, and shows actions as often."""
    recorded = facts("policies.json")
    expected, contexts = recorded["policies"][name], recorded["contexts"]
    actions = [Action(one) for one in recorded["actions"]]
    snapshot = policy.decode(policy_of(name))
    decides = Policy(snapshot)
    scores = [decides.scores(context, actions) for context in contexts]
    assert (snapshot.model, snapshot.version, snapshot.parent) == (name, expected["version"], expected["parent"])
    assert [_ranked(one, recorded["actions"]) for one in scores] == expected["ranked"]
    assert agrees(scores, expected["scores"])
    assert agrees([decides.probabilities(context, actions) for context in contexts], expected["probabilities"])


def _ranked(scores: Sequence[float], actions: Sequence[str]) -> list[str]:
    return [action for _, action in sorted(zip(scores, actions, strict=True), key=lambda pair: -pair[0])]


def test_the_large_policy_is_in_chunks() -> None:
    manifest = dict(published())[b"softmax"]
    assert msgspec.json.decode(manifest)["kind"] == "chunked"


@pytest.mark.parametrize("name", LEARNERS)
def test_a_policy_of_which_one_digit_is_another_is_refused(name: str) -> None:
    value = policy_of(name)
    at = value.index(b'"version":') + len(b'"version":')
    with pytest.raises(PolicyError, match="checksum"):
        policy.decode(value[:at] + (b"2" if value[at : at + 1] == b"1" else b"1") + value[at + 1 :])


# -- replayed logs --------------------------------------------------------------------------------------------

SHOP = [
    Action("007", {"price": 9.5, "kind": "book"}),
    Action("8", {"price": 20.0, "kind": "toy"}),
    Action("9", {"kind": "toy"}),
]
BUYER = {"age": 41.5, "member": True, "city": "Zürich"}


class Replay(NamedTuple):
    """What comes of a log: facts of each impression, its feedback as (signal, seconds, value), what is left out."""

    log: str
    impressions: dict[str, dict[str, object]]
    feedback: list[tuple[str, str, float, float | None]]
    refused: dict[str, int]


REPLAYS = {
    "a side table, features of every type, times of three kinds, a row twice and one that is no good": Replay(
        "shop.csv",
        {
            "s1:1": {"occurred_at": ms(0), "context": BUYER, "chosen": 0, "propensity": 0.5, "policy_version": 12},
            "s1:2": {"occurred_at": ms(1), "context": BUYER, "chosen": 1, "propensity": 0.25, "weight": 1.0},
            "s3:1": {"occurred_at": ms(2), "context": {"age": 30.0, "member": False, "city": "Bern"}, "chosen": 0},
            "s2:1": {"occurred_at": ms(3), "context": {"member": False}, "chosen": 2, "weight": 2.5, "actions": SHOP},
        },
        [
            ("s1:1", "open", 1.5, None),
            ("s1:1", "buy", 5, None),
            ("s3:1", "buy", 7, None),
            ("s1:1", "rate", 9, 4.5),
            ("s2:1", "open", 13, None),
        ],
        {"impression": 1},
    ),
    "a set of its own and its probabilities in each row, signals named by the log": Replay(
        "news.jsonl",
        {
            "n1": {"actions": [Action("x"), Action("y"), Action("z")], "chosen": 0, "probabilities": [0.5, 0.3, 0.2]},
            "n2": {"actions": [Action("y"), Action("z"), Action("w")], "chosen": 1, "chosen_propensity": 0.8},
            "n3": {"occurred_at": ms(2), "context": {"user": "u1"}, "chosen": 1, "propensity": None},
        },
        [("n1", "like", 2, None), ("n3", "hide", 4, None)],
        {},
    ),
}
of_each_log = pytest.mark.parametrize("expected", REPLAYS.values(), ids=list(REPLAYS))


def replayed(log: str) -> list[Line]:
    return lines(f"replay/{log.partition('.')[0]}.replayed.jsonl")


def stretch(log: str, topic: str) -> list[Record]:
    written = [line for line in replayed(log) if line.topic == topic]
    return [
        Record(None if line.key is None else line.key.encode(), bytes(line.value), offset, 2**41)
        for offset, line in enumerate(written)
    ]


@of_each_log
def test_what_was_replayed_is_let_in(expected: Replay) -> None:
    """Under its key, with the facts of its row, and with the end of input on every partition."""
    admission = Admission(models("shop", "news"), max_ahead_ms=60_000)
    shown = admission.impressions(stretch(expected.log, "impressions"))
    observed = admission.feedback(stretch(expected.log, "feedback"))
    good = [one for one in shown if isinstance(one, ShownImpression)]
    decoded = [msgspec.json.decode(bytes(one.value), type=Impression) for one in good]
    assert {
        one.impression_id: {fact: getattr(one, fact) for fact in expected.impressions[one.impression_id]}
        for one in decoded
    } == expected.impressions
    assert {one.model for one in good} == {expected.log.partition(".")[0]}
    answers = [one for one in observed if isinstance(one, ObservedFeedback)]
    values = [msgspec.json.decode(one.value, type=Feedback).value for one in answers]
    assert [
        (one.impression_id, one.signal, one.occurred_at, value) for one, value in zip(answers, values, strict=True)
    ] == [(about, signal, ms(at), value) for about, signal, at, value in expected.feedback]
    ends = [one for one in [*shown, *observed] if isinstance(one, Watermark)]
    assert len(ends) == 4
    assert len(good) + len(answers) + len(ends) == len(shown) + len(observed), "nothing is refused"


@of_each_log
def test_a_mapping_gives_the_same_messages_of_the_same_log(expected: Replay) -> None:
    """In the same order, leaving out the same rows."""
    path = ASSETS / "replay" / expected.log
    mapping = load_mapping(path.with_suffix(".toml"))
    log = readable_log(path, mapping)
    found = examine(log, mapping.model, Standards(), None)
    messages = list(in_event_time(found_good(log, found, None), found.backward_ms))
    kinds: dict[str, type[Impression | Feedback]] = {"impressions": Impression, "feedback": Feedback}
    then = [msgspec.json.decode(line.value, type=kinds[line.topic]) for line in replayed(expected.log) if line.key]
    assert messages == then
    assert log.left_out.total() == sum(expected.refused.values())
