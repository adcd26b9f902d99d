"""What comes in batches is refused, learned and rewarded as it would be whole and one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundswell import policy
from groundswell.events import MAX_FEATURES, Interaction
from processors.admission.event_records import Reason, Refusal, unlearnable
from processors.admission.interaction_records import ArrivedInteractions, InteractionReader, Stretch
from processors.features.context_features import ContextFeatures
from processors.learners.learner_choice import learner_for
from processors.learners.ledger import Ledger
from processors.wire.envelopes import UNREADABLE
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.settings import Settings
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from tests.unit.stand_ins import Log, always, cut, record

MODELS = {
    "feed": {"definitely_negative": ["dislike"], "hash_bits": 8},
    "crossed": {
        "definitely_negative": ["dislike"], "hash_bits": 8, "context_crosses": True, "several_signals": "count",
    },
    "stock": {
        "definitely_negative": ["dislike"], "hash_bits": 8, "reward": {"rule": "iclr", "alpha": 0.2},
        "bandit": {"estimator": {"class": "river.linear_model.LinearRegression"}},
    },
}  # fmt: skip
SETTINGS = Settings.model_validate({"models": MODELS, "learning": {"publish_interactions": 7}})
whole = msgspec.json.Decoder(Interaction)

ACTIONS = [
    '{"id":"a"}', '{"id":"b"}', '{"id":"c"}', '{"id":"d","features":{"n":1}}', '{"id":"e","features":{"n":1.0}}',
    '{"id":"f","features":{"n":true}}', '{"id":"\u6f22","features":{"\u00e9":"\U0001f600"}}',
    '{"id":"n","features":{"z":0,"y":-2.5,"x":1e300,"w":"t","v":123456789012345678901234567890}}',
    '{"id":"g},{h"}', '{"id":"i\\"},{\\"id\\":\\"j"}', '{"x":[{},{"id":"k"},{}],"id":"l"}',
    ' {"id":"m"} ', '{ "id" : "o" }',
    '{"id":"p","id":"q"}', '{"id":"\\u0072"}',
]  # fmt: skip
NO_ACTIONS = [
    '{"id":"a","features":{"n":1}}', '{"id":""}', '{"id":1}', '{}', '{"features":{}}', '{"id":"k"', '"l"',
    "null", '"},{"',
    '{"id":"m","x":"', '","id":"n"}', "", '{"id":"\udcff"}',
]  # fmt: skip
"""Also one whose id another may have."""
MEMBERS = [
    '"user":"u1"', '"hour":7', '"Z":7.0', '"none":0', '"less":-0.0', '"far":1e12', '"near":-1e-12', '"seen":true',
    '"unseen":false', '"huge":-123456789012345678901234567890', '"a":",\\"b\\":1"', '"quoted \\"":"\\n"', '"aa":"b,"',
    '"\u00e9t\u00e9":"\u6f22"', '"\U0001f600":1', '"\\u0061b":"u3"', '"spaced" : "x"',
]  # fmt: skip
NO_MEMBERS = [
    '"user":"u2"', '"user": "u1"', '"":1', '"nothing":null', '"list":[1,"x"]', '"within":{"a":1,"b":2}',
    '"lost":"\udcff"', '"far":1e999', '"b"', "", " ",
]  # fmt: skip
"""Also some whose name another may have."""


@st.composite
def texts(draw: st.DrawFn, good: Sequence[str], bad: Sequence[str], most: int) -> str:
    """Return pieces one after the other, seldom bad ones, mostly as JSON is written."""
    pieces = draw(st.lists(st.sampled_from(good), min_size=1, max_size=most, unique=True))
    if draw(st.integers(0, 9)) == 9:
        pieces.insert(draw(st.integers(0, len(pieces))), draw(st.sampled_from(bad)))
    return draw(st.sampled_from([",", ",", ",", ", ", " , "])).join(pieces)


def written(**fields: str) -> str:
    """Return an object of members whose values are JSON already."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def json(value: object) -> str:
    """Return a value as JSON."""
    return msgspec.json.encode(value).decode()


FIELDS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "impression_id": (['"i1"', '"i\u00e9\\n"'], ['""', "1"]),
    "occurred_at": (["5", "1000000"], ["-1", "1.5"]),
    "model": (['"feed"', '"crossed"', '"stock"'], ['"unknown"', "null"]),
    "chosen": (["0", "0", "0", "1", "2"], ["7", "-1", str(2**70), "10000"]),
    "propensity": (["0.5", "0.25", "1", "1e-6"], ["0", "1.5", "1e-10", "null", '"x"', "1e999"]),
    "weight": (["1", "2.5", "1e9", "1e-6"], ["0", "1e10", "1e-7", "null"]),
    "policy_version": (["null", "0", "7", str(2**80)], ["-1", "1.5"]),
    "deferred": (["false", "true"], ["0"]),
    "more": (["null", '{"x":[]}'], []),
}
"""What impressions may hold beside context and actions, and what they may not."""
signals = st.lists(
    st.sampled_from(["click", "dislike", "none", "g\u00e9nial \U0001f600", '"\n']), min_size=1, max_size=3
)


@st.composite
def impressions(draw: st.DrawFn) -> str:
    """Return an impression as JSON, sometimes one that is none."""
    fields = {name: draw(st.sampled_from(good)) for name, (good, _) in FIELDS.items()}
    spoilt = draw(st.sampled_from([None] * 40 + [*FIELDS]))
    if spoilt is not None and FIELDS[spoilt][1]:
        fields[spoilt] = draw(st.sampled_from(FIELDS[spoilt][1]))
    actions = draw(texts(ACTIONS, NO_ACTIONS, 6))
    if draw(st.booleans()):
        count = draw(st.sampled_from([actions.count('"id"')] * 4 + [1, 3]))
        fields["probabilities"] = json([1 / count] * count)
        if draw(st.booleans()):
            del fields["propensity"]
    fields |= {"context": "{" + draw(texts(MEMBERS, NO_MEMBERS, 5)) + "}", "actions": f"[{actions}]"}
    return written(schema_version="1", **{name: fields[name] for name in draw(st.permutations(list(fields)))})


@st.composite
def values(draw: st.DrawFn, offset: int) -> bytes:
    """Return a record: an interaction, perhaps one that is none."""
    came = draw(signals)
    answers = [
        {"schema_version": 1, "impression_id": "i", "feedback_id": f"f{n}", "occurred_at": n, "signal": signal}
        for n, signal in enumerate(came * draw(st.integers(0, 2)))
    ]
    source = {"partition": 0, "offset": draw(st.sampled_from([offset] * 4 + [offset - 1])), "floor": max(0, offset - 3)}
    version = draw(st.sampled_from(["1"] * 19 + ["2"]))
    interaction = written(
        schema_version=version, source=json(source), impression=draw(impressions()), feedback=json(answers),
        signals=json(came),
    )  # fmt: skip
    return interaction.encode(errors="surrogateescape")


logs = st.integers(1, 14).flatmap(lambda count: st.tuples(*[values(offset) for offset in range(count)]))


def whole_or_refused(value: bytes | None) -> Interaction | Refusal:
    """Return what the decoder of whole interactions and the checks of whole impressions say."""
    try:
        interaction = whole.decode(value or b"")
    except UNREADABLE as error:
        return Refusal(Reason.SCHEMA, str(error))
    return unlearnable(interaction.impression, SETTINGS.models) or interaction


@settings(max_examples=100, deadline=None)
@given(logs, st.lists(st.integers(1, 13), max_size=3))
def test_the_worker_refuses_and_learns_what_whole_interactions_one_by_one_say(
    log: Sequence[bytes], places: Sequence[int]
) -> None:
    log_of_worker = Log()
    worker = PartitionLearner(
        0, LearningWiring(SETTINGS, log_of_worker.outputs, LearningMetrics(Metrics()), always), {}, {}
    )
    records = [record("interactions", offset, b"key", value) for offset, value in enumerate(log)]

    async def reads() -> None:
        for one in cut(records, places):
            await worker.take(one)

    asyncio.run(reads())
    learners = {name: learner_for(model) for name, model in SETTINGS.models.items()}
    ledger, rewards, refused = Ledger(), dict[str, list[bytes]](), []
    for value in log:
        one = whole_or_refused(value)
        if isinstance(one, Refusal):
            refused.append((value, one.reason.encode(), one.detail.encode(errors="replace")[:1000]))
        elif ledger.admit(one.source):
            (reward,) = learners[one.impression.model].learn([one])
            if reward is not None:
                rewards.setdefault(reward.model, []).append(msgspec.json.encode(reward))
    found: dict[str, list[bytes]] = {}
    for reward_record in log_of_worker.of("rewards"):
        assert reward_record.value is not None
        found.setdefault(msgspec.json.decode(reward_record.value)["model"], []).append(reward_record.value)
    assert found == rewards
    dead = [(one.value, one.headers["reason"], one.headers["detail"]) for one in log_of_worker.of("dead-letter")]
    assert dead == refused
    for name, learner in worker._learners.items():
        assert learner.state() == learners[name].state()
        assert policy.encode(learner.snapshot(None)) == policy.encode(learners[name].snapshot(None))
    learned = {name for name, learner in learners.items() if learner.interactions_included}
    assert set(worker._learners) == learned


def interaction_text(
    context: str = '"user":"u1"', actions: str = '{"id":"a"},{"id":"b"},{"id":"c"}', **more: str
) -> bytes:
    """Return an interaction with this in its context and actions."""
    outside = {"schema_version": "1", "impression_id": '"i"', "occurred_at": "5", "model": '"feed"', "chosen": "1"}
    inside = {"context": "{" + context + "}", "actions": "[" + actions + "]", "propensity": "0.5"}
    impression = written(**{**outside, **inside, **more})
    source = '{"partition":0,"offset":5,"floor":5}'
    return written(schema_version="1", source=source, impression=impression, feedback="[]", signals='["none"]').encode(
        errors="surrogateescape"
    )


def only(arrivals: ArrivedInteractions) -> Interaction | Refusal:
    """Return what came in a batch of one record."""
    return arrivals.refused[0] if arrivals.refused else Stretch(arrivals, [0])[0]


@pytest.mark.parametrize(
    ("name", "value", "sealed"),
    [
        ("as apps write them", interaction_text(), True),
        ("as Python writes them", interaction_text(actions='{"id": "a"}, {"id": "b"}, {"id": "c"}'), True),
        ("escapes and unicode", interaction_text('"\\u0061\u00e9":"\u6f22\\n"'), True),
        ("nothing in the context", interaction_text(""), True),
        ("probabilities", interaction_text(propensity="null", probabilities="[0.25,0.5,0.25]"), True),
        ("a comma within a text", interaction_text('"a":"b,","c":1'), False),
        ("a name twice", interaction_text('"user":"u1","user":"u2"'), False),
        ("an id twice", interaction_text(actions='{"id":"a"},{"id": "a"}'), False),
        ("no model", interaction_text(model='"other"'), False),
        ("too many features", interaction_text(",".join(f'"f{n}":1' for n in range(64)), model='"crossed"'), False),
        ("an action nested deeply", interaction_text(actions=f'{{"id":"a","x":{"[" * 200 + "]" * 200}}}'), False),
        ("an offset that no log has", interaction_text().replace(b'"offset":5', b'"offset":%d' % 2**63), False),
        ("not JSON", b"junk", False),
        ("nothing", None, False),
    ],
)
def test_only_what_surely_is_fine_stays_sealed(name: str, value: bytes | None, sealed: bool) -> None:
    reader = InteractionReader(SETTINGS.models)
    for _ in range(2):
        arrivals = reader.read([value])
        assert arrivals.sealed.tolist() == [sealed], name
        assert only(arrivals) == whole_or_refused(value)


@given(st.permutations(range(60)), st.integers(1, 60), st.integers(0, 59))
def test_a_context_is_the_same_in_whatever_order_its_many_members_come(
    order: Sequence[int], count: int, again: int
) -> None:
    members = [f'"f{n}":{n + 1}' for n in order[:count]]
    reader = InteractionReader(SETTINGS.models)
    arrivals = reader.read([interaction_text(",".join(some)) for some in (members, sorted(members))])
    start, hashes, values = arrivals.arrays[:3]
    rows = [(hashes[begin:end].tolist(), values[begin:end].tolist()) for begin, end in pairwise(start.tolist())]
    assert rows[0] == rows[1]
    assert len(rows[0][0]) == 1 + count
    twice = [*members, f'"f{order[again % count]}":-1']
    assert reader.read([interaction_text(",".join(twice))]).sealed.tolist() == [False]


@given(
    st.lists(st.lists(st.sampled_from(ACTIONS + NO_ACTIONS), max_size=4), max_size=3), st.sampled_from([",", ", ", ""])
)
@example([['{"id":"a},{b"}'], ['{"id":"a"', '"b"}']], "},{")
def test_actions_are_what_is_written_whatever_was_met_before(sets: list[list[str]], between: str) -> None:
    reader = InteractionReader(SETTINGS.models)
    for actions in sets:
        value = interaction_text(actions=between.join(actions), chosen="0")
        assert repr(only(reader.read([value]))) == repr(whole_or_refused(value)), "1, 1.0 and true differ"


def test_what_was_read_is_forgotten_where_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.features.known_texts.MOST_BYTES", 0)
    monkeypatch.setattr(
        "processors.features.known_texts.KnownTexts.trim",
        lambda texts, beside=0: len(texts) > 50 and (texts._forget() or True),
    )
    reader, learner, other = (
        InteractionReader(SETTINGS.models),
        *(learner_for(SETTINGS.models["feed"]) for _ in range(2)),
    )
    for number in range(60):
        value = interaction_text(f'"user":"u{number}"', f'{{"id":"a{number}"}},{{"id":"b"}},{{"id":"c"}}')
        rewards = learner.learn_stretch(Stretch(reader.read([value]), [0]))
        assert rewards == other.learn([whole.decode(value)])
    assert learner.state() == other.state()


def test_what_is_read_of_several_models_and_kinds_is_learned_in_its_order() -> None:
    arrivals = InteractionReader(SETTINGS.models).read(
        [interaction_text(), interaction_text('"a":"b,","c":1'), interaction_text(actions='{"id":"a"}', chosen="0")]
    )
    kinds = [(sealed, len(run)) for sealed, run in Stretch(arrivals, [0, 1, 2]).runs()]
    assert kinds == [(True, 1), (False, 1), (True, 1)]
    assert Stretch(arrivals, [2, 1])[1:][0] == Stretch(arrivals, [0, 1, 2])[1]


def test_beyond_so_many_names_contexts_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.features.context_features.MOST_NAMES", 2)
    texts = [b'{"b":1,"a":2}', b'{"c":3}', b'{"a":5,"b":"x"}']
    rows = ContextFeatures().rows(texts, np.zeros(3, dtype=np.bool_), MAX_FEATURES)
    assert rows.fine.tolist() == [True, False, True]
    assert np.diff(rows.start).tolist() == [3, 0, 3]
