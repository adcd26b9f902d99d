"""What is reported of a model that was learned again, and what its lineage is a name of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundswell import policy
from groundswell.chunks import split
from groundswell.policy import PolicyError
from processors.learners.learner_choice import learner_for
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, IncompleteError, lineage
from streams.worker.redecoded import MOST_SIGNALS, OTHER_SIGNAL, LastPlays, Redecoded
from streams.worker.rewards_before import Before
from tests.unit.observing.test_metrics import reward
from tests.unit.rounds import uniform_log
from tests.unit.stand_ins import worker_settings


def test_flips_are_said_by_signal_and_by_segment_with_the_change_of_what_was_shown() -> None:
    result = Redecoded(partition=2, before=9, learned=6, lineage="abc")
    for segment, signal, old, new in [
        ("ios", "skip", 0, -1), ("ios", "skip", 0, -1), ("ios", "like", 1, 1),
        ("web", "skip", 0, -1), ("web", "tap", None, 0),
    ]:  # fmt: skip
        result.add(
            segment, Before(old, float(old or 0)), msgspec.structs.replace(reward(signal, new), reward=float(new))
        )
    assert list(result.in_words()) == [
        "partition 2: 6 of 9 interactions learned again; 3 are no longer on the topic, and what they taught is lost",
        "  mean reward of what was shown +0.200 before, -0.400 now; states of 5 compared",
        "  skip: +0 became -1 3 times",
        "  tap: unknown became +0 1 times",
        "  segment ios: mean reward of what was shown +0.333 before, -0.333 now; states of 3 compared",
        "    skip: +0 became -1 2 times",
        "  segment web: mean reward of what was shown +0.000 before, -0.500 now; states of 2 compared",
        "    skip: +0 became -1 1 times",
        "    tap: unknown became +0 1 times",
        "  lineage abc",
    ]


def test_however_many_signals_flip_the_report_stays_bounded() -> None:
    result = Redecoded(partition=0, before=1)
    for number in range(MOST_SIGNALS + 100):
        result.add(None, Before(0, 0.0), reward(f"s{number}", 1))
    assert len(result.flips) == MOST_SIGNALS + 1
    assert result.flips[None, OTHER_SIGNAL, 0, 1] == 100


def test_a_policy_that_shows_what_people_like_is_worth_more_than_one_that_knows_nothing() -> None:
    learner, log = learner_for(worker_settings().models["feed"]), uniform_log(600)
    ignorant = learner.snapshot(None)
    last = LastPlays()
    last.add(log, learner.learn(log))
    found = last.values([ignorant, learner.snapshot(None)])
    assert found is not None
    assert found[1].low > found[0].high
    assert LastPlays().values([ignorant]) is None


@pytest.mark.parametrize(
    ("parent", "configuration", "release"), [("p", "c", "2"), ("p", "d", "1"), ("q", "c", "1"), (None, "c", "1")]
)
def test_a_lineage_is_another_where_anything_it_comes_from_is(
    parent: str | None, configuration: str, release: str
) -> None:
    assert lineage(parent, configuration, release) == lineage(parent, configuration, release)
    assert lineage(parent, configuration, release) != lineage("p", "c", "1")


def test_a_policy_names_its_lineage_and_one_without_is_the_bytes_it_always_was() -> None:
    snapshot = learner_for(worker_settings().models["feed"]).snapshot(None)
    assert b"lineage" not in policy.encode(snapshot)
    named = policy.encode(msgspec.structs.replace(snapshot, lineage="abc"))
    assert policy.decode(named).lineage == "abc"
    with pytest.raises(PolicyError, match="checksum"):
        policy.decode(named.replace(b'"abc"', b'"abd"'))


def test_a_checkpoint_is_read_whole_or_said_to_be_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.chunks.CHUNK_BYTES", 100)
    learner = learner_for(worker_settings().models["feed"])
    learner.learn(uniform_log(50))
    state: dict[str, Any] = learner.state()
    written = Checkpoint(7, {"floors": [], "above": []}, {"feed": state}, {}, {}, {"feed": "abc"})
    value = learner_checkpoints.encode(written)
    records, slot = split(CHECKPOINT_KEY, value, 0)
    newest: dict[bytes, bytes | None] = dict(records)
    found = learner_checkpoints.stored(newest)
    assert found is not None
    assert (found.size, found.slot, found.checkpoint.lineages) == (len(value), slot, {"feed": "abc"})
    del newest[records[0][0]]
    with pytest.raises(IncompleteError, match="not complete"):
        learner_checkpoints.stored(newest)
    assert learner_checkpoints.stored({}) is None
    assert learner_checkpoints.stored({CHECKPOINT_KEY: None}) is None
