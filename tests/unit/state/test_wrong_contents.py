"""Checkpoints with a right checksum and wrong contents: refused with one error, or gone on from."""

from __future__ import annotations

import copy
import math
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import cramjam
import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.chunks import split
from groundswell.events import Action
from groundswell.policy import Policy
from processors.learners import three_state
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.ledger import Ledger
from processors.learners.signal_worth import SignalWorth
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed
from processors.wire.plain_state import MalformedError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, CheckpointError, Publication
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics, samples
from streams.settings import Settings
from streams.worker.model_worth import ModelWorth
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from tests.unit.rounds import uniform_log
from tests.unit.stand_ins import Log, always

LOG = uniform_log(200)
COMMON = {"name": "feed", "definitely_negative": ["dislike"], "hash_bits": 8}
ALPHA = {"reward": {"rule": "workshop", "alpha": 0.1}}
KINDS: dict[str, dict[str, Any]] = {
    "three-state": {},
    "shard": {"sharded_by": "user"},
    "papers": ALPHA,
    "embedding": {
        "reward": {"rule": "two-state", "extreme": "meaning"},
        "inverse_kinematics": {"form": "spectral", "user_feature": "user", "users": 8, "signals": 8},
    },
    "stock": {**ALPHA, "bandit": {"estimator": {"class": "river.linear_model.LinearRegression"}}},
}
MODELS = {kind: ModelConfig.model_validate({**COMMON, **extra}) for kind, extra in KINDS.items()}


def state_of(model: ModelConfig) -> dict[str, Any]:
    learner = learner_for(model)
    learner.learn(LOG[:100])
    found: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state()))
    return found


STATES = {kind: state_of(model) for kind, model in MODELS.items()}
NASTY: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, -1, 0, 1, 2**40, 2**62, -(2**62), math.nan, math.inf, -1e300, 1e300, "", "x", b"", [], {}]),
    st.integers(-300, 300),
    st.floats(),
    st.binary(max_size=40),
    st.lists(st.integers(-3, 300), max_size=4),
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a tree of lists and dictionaries."""
    members = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    tree = copy.deepcopy(tree)
    held = tree
    for key in path[:-1]:
        held = held[key]
    held[path[-1]] = change(held[path[-1]])
    return tree


def numbers_changed(data: st.DataObject, content: bytes) -> bytes:
    """Change one number among the bytes of an array, or the number of bytes."""
    if len(content) < 8 or data.draw(st.booleans()):
        return content[: data.draw(st.integers(0, len(content)))]
    place = 8 * data.draw(st.integers(0, len(content) // 8 - 1))
    number = data.draw(
        st.sampled_from([struct.pack("<d", one) for one in (math.nan, math.inf, -1.0, 1e300, 1e90)])
        | st.binary(min_size=8, max_size=8)
    )
    return content[:place] + number + content[place + 8 :]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(data=st.data())
def test_a_state_with_anything_in_it_changed_is_refused_with_one_error_or_learned_on_from(
    kind: str, data: st.DataObject
) -> None:
    model, state = MODELS[kind], STATES[kind]
    path = data.draw(st.sampled_from(list(places(state))), label="where")

    def change(old: Any) -> Any:
        if isinstance(old, bytes) and data.draw(st.booleans()):
            return numbers_changed(data, old)
        return data.draw(NASTY, label="what")

    try:
        learner = restored_learner(model, changed(state, path, change))
    except MalformedError:
        return
    except Exception as error:
        assert type(error).__name__ == "StateError", "of another configuration, version or River"  # noqa: PT017
        return
    if kind == "stock":  # what River's own attributes may be, only River knows: it is tried on a sample
        return
    learner.learn(LOG[100:])
    shown = [Action("a"), Action("b"), Action("c")]
    probabilities = Policy(learner.snapshot(None)).probabilities({"user": "u1"}, shown)
    assert math.isclose(math.fsum(probabilities), 1.0)


def learned_checkpoint() -> Checkpoint:
    ledger, learner = Ledger(), learner_for(MODELS["three-state"])
    ledger.admit_all([one.source for one in LOG[:100]])
    rewards = learner.learn(LOG[:100])
    worth = ModelWorth(MODELS["three-state"], None, None)
    worth.learned(LOG[:100], rewards)
    publication = Publication(due=150, version=100, parent=50)
    return Checkpoint(100, ledger.state(), {"feed": learner.state()}, {"feed": publication}, {"feed": worth.state()})


DOCUMENT: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(learned_checkpoint()))
SETTINGS = Settings.model_validate({"models": {"feed": {**COMMON}}})


def sealed(document: object, content: bytes | None = None) -> bytes:
    """Return a checkpoint with a right checksum."""
    body = bytes(cramjam.zstd.compress(msgspec.msgpack.encode(document) if content is None else content, level=1))
    written = learner_checkpoints.encode(learned_checkpoint())
    return written[:6] + sha256(body).digest() + body


def started(value: bytes, policies: dict[bytes, bytes | None] | None = None) -> PartitionLearner:
    wiring = LearningWiring(SETTINGS, Log().outputs, LearningMetrics(Metrics()), always)
    return PartitionLearner(3, wiring, {CHECKPOINT_KEY: value}, policies or {})


def test_the_document_that_is_changed_below_is_a_good_one() -> None:
    assert started(sealed(DOCUMENT)).interactions.offset == 100


OUTSIDE_OF_MODELS = [path for path in places(DOCUMENT) if path[0] != "models" or len(path) < 3]


@settings(max_examples=200)
@given(path=st.sampled_from(OUTSIDE_OF_MODELS), value=NASTY)
def test_a_checkpoint_with_anything_in_it_changed_is_refused_with_one_error_or_gone_on_from(
    path: tuple[Any, ...], value: Any
) -> None:
    try:
        learner = started(sealed(changed(DOCUMENT, path, lambda _: value)))
    except CheckpointError as error:
        told = str(error)
    else:
        told = learner_checkpoints.RELEARN if learner.interactions.offset >= 0 else ""
    assert learner_checkpoints.RELEARN in told


CASES: list[tuple[str, tuple[Any, ...], Any, str]] = [
    (
        "a table too small",
        ("models", "feed", "tables", "bandit", "count"),
        16,
        "table bandit: a table of 16 rows, expec",
    ),
    ("terabytes", ("models", "feed", "tables", "bandit", "count"), 2**50, "expected 256"),
    ("other types", ("models", "feed", "seen", "dtype"), "<f8", "seen: an array of <f8"),
    ("another shape", ("models", "feed", "seen", "shape"), [2**40], "seen: an array of .* of shape 1099511627776"),
    (
        "a row that is not there",
        ("models", "feed", "doubtful", "rows"),
        packed(np.array([256])),
        "ascending numbers below 256|expected",
    ),
    ("a floor of another kind", ("ledger", "floors"), [[0, -1]], "the ledger: Expected `int` >= 0"),
    ("nothing to publish for ever", ("publications", "feed", "due"), 3, "the next one is due at 3"),
    ("a version beyond all", ("publications", "feed", "version"), 2**50, "version 1125899906842624 of 100"),
    ("no signal's row", ("worths", "feed", "signals"), [["like", 49]], "have not a row each"),
    ("pace that divides by nothing", ("models", "feed", "reading", "pace"), packed(np.zeros(3)), "its pace"),
]


@pytest.mark.parametrize(("path", "value", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_line_14_wrong_contents_under_a_right_checksum_are_refused_by_what_is_wrong_and_where(
    path: tuple[Any, ...], value: Any, says: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"^partition 3: .*({says}).*Delete its records"):
        started(sealed(changed(DOCUMENT, path, lambda _: value)))


def test_line_14_weights_that_are_no_numbers_are_refused() -> None:
    path = ("models", "feed", "tables", "signals", "values", "content")
    for number in (math.nan, math.inf):
        spoilt = changed(DOCUMENT, path, lambda old: struct.pack("<d", number) + old[8:])  # noqa: B023
        with pytest.raises(CheckpointError, match="table signals: a number in it is none"):
            started(sealed(spoilt))


@pytest.mark.parametrize("total", range(three_state.TOTALS))
def test_line_14_a_total_that_counts_is_refused_below_0(total: int) -> None:
    totals = np.zeros(three_state.TOTALS)
    totals[total] = -1.0
    model, state = MODELS["three-state"], {**STATES["three-state"], "totals": packed(totals)}
    if total == three_state.TOLD:  # a sum of what feedback tells, which may be less than nothing
        restored_learner(model, state)
        return
    with pytest.raises(MalformedError, match="totals: one is below 0"):
        restored_learner(model, state)


@pytest.mark.parametrize("version", [1, 2])
def test_line_14_what_unpacks_to_gigabytes_is_refused_while_it_does(version: int) -> None:
    packer: Any = zlib.compressobj(1) if version == 1 else zstandard.ZstdCompressor(level=1).compressobj()
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1 << 10)) + packer.flush()
    value = learner_checkpoints.MAGIC + version.to_bytes(2, "big") + sha256(body).digest() + body
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="unpack to more than"):
        learner_checkpoints.decode(value)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    allowed = max(learner_checkpoints.ALWAYS_UNPACKED, learner_checkpoints.UNPACKED_TIMES * len(body))
    assert most < 2.5 * allowed < 1 << 30, "what was allowed, and room to put it together"


@pytest.mark.parametrize("one", [b"\x90", b"\x80", b"\x00", b"\xa0"], ids=["lists", "dictionaries", "numbers", "texts"])
def test_line_14_what_takes_gigabytes_once_it_is_made_of_is_refused_before(one: bytes) -> None:
    times = 60_000_000
    content = b"\x81\xa6models\x81\xa1x\x81\xa1y\xdd" + times.to_bytes(4, "big") + one * times
    value = sealed(None, content)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="there are more than the 1,048,576 values in it"):
        learner_checkpoints.decode(value)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * times


@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_a_large_ledger_is_no_such_thing(step: int) -> None:
    above = range(10**6, 10**6 + 2_000_000 * step, step)
    checkpoint = Checkpoint(1, {"floors": [(0, 1)], "above": [(0, list(above))]}, {}, {})
    assert len(learner_checkpoints.decode(learner_checkpoints.encode(checkpoint)).ledger["above"][0][1]) == len(above)


def test_line_14_nesting_beyond_all_measure_is_refused() -> None:
    with pytest.raises(CheckpointError, match="expected contents"):
        learner_checkpoints.decode(sealed(None, b"\x81\xa6ledger" + b"\x91" * 200_000 + b"\xc0"))


def test_line_14_a_ledger_beyond_all_offsets_is_noticed() -> None:
    ledger = Ledger()
    ledger.admit_all([one.source for one in LOG[:100]])
    last = max(one.source.offset for one in LOG[:100])
    assert ledger.beyond({0: last + 1}, "") is None
    floor = Ledger.restore({"floors": [[0, 10**12]], "above": []})
    assert (
        floor.beyond({0: 10**6}, "")
        == "it has learned the impression at [0]@999999999999, where the log ends at 1000000"
    )
    above = Ledger.restore({"floors": [], "above": [[1, [7, 10**12]]]})
    assert above.beyond({0: 10**6, 1: 8}, "now") is not None
    aside = {"topics": [[0, "old", "old"]], "others": [[0, "now", 10**12, []]]}
    assert Ledger.restore({"floors": [[0, 5]], "above": [], **aside}).beyond({0: 6}, "now") is not None
    before = {"topics": [[0, "old", "old"]]}
    assert Ledger.restore({"floors": [[0, 10**9]], "above": [], **before}).beyond({0: 6}, "now") is None, (
        "of a log that was"
    )


def test_manifests_of_anything_but_chunks_are_refused() -> None:
    for head in (b'{"kind":"chunked"', b'{"kind":"chunked","slot":7,"chunks":1,"sha256":""}'):
        with pytest.raises(CheckpointError, match="not a manifest of chunks"):
            learner_checkpoints.stored({CHECKPOINT_KEY: head})
    endless = msgspec.json.encode({"kind": "chunked", "slot": 0, "chunks": 10**12, "sha256": "0" * 64})
    with pytest.raises(CheckpointError, match="not a manifest of chunks"):
        learner_checkpoints.stored({CHECKPOINT_KEY: endless})
    with pytest.raises(ValueError, match="more than the 1,000 chunks"):
        split(b"k", bytes(801_000_000), 0)


@pytest.mark.parametrize("more", [b'"slot":"x"}', b'"\xed\xa0\x80":1}'])
def test_line_16_a_malformed_manifest_on_policies_ends_no_worker(more: bytes) -> None:
    metrics = Metrics()
    wiring = LearningWiring(SETTINGS, Log().outputs, LearningMetrics(metrics), always)
    PartitionLearner(3, wiring, {}, {b"feed": b'{"kind":"chunked",' + more})
    assert list(samples(metrics.disbelieved)) == [({"topic": "policies"}, 1.0)]


def test_line_15_a_state_names_no_class_that_river_only_imported() -> None:
    """`river.utils.rolling` has a class of `collections` by its name, `river.stats.base` the module `abc`."""
    model, state = MODELS["stock"], STATES["stock"]
    for module, name in (
        ("river.utils.rolling", "collections.deque"),
        ("river.stats.base", "abc.ABC"),
        ("os", "_Environ"),
    ):
        with pytest.raises(MalformedError, match="only River's own classes"):
            restored_learner(model, {**state, "regressor": ["object", module, name, []]})


def test_line_15_a_state_is_of_the_estimator_that_is_configured_and_serves() -> None:
    model, state = MODELS["stock"], STATES["stock"]
    with pytest.raises(MalformedError, match=r"not a river\.linear_model\.lin_reg\.LinearRegression"):
        restored_learner(model, {**state, "regressor": state["classifier"]})
    with pytest.raises(MalformedError, match=r"as river\.linear_model\.lin_reg\.LinearRegression it fails"):
        restored_learner(model, {**state, "regressor": [*state["regressor"][:3], []]})


def test_a_signal_that_has_not_come_for_ages_is_of_no_worth_rather_than_an_error() -> None:
    worth = SignalWorth(MODELS["three-state"])
    state = worth.state()
    sums = np.zeros((1, 1, 8))
    sums[0, 0, 0] = 1e-170  # its square is nothing
    told = SignalWorth.restore(MODELS["three-state"], {**state, "signals": [("like", 0)], "sums": packed(sums)})
    assert told.rows() == ([], 0)
