"""What signals are worth: the estimate and its interval, what is bounded, and what a restart must not change."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.worth import Worth
from processors.learners import signal_worth
from processors.learners.signal_worth import BLOCK, MOST_SAID, MOST_SIGNALS, SignalWorth, logit
from processors.models.config import ModelConfig

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))
SURE, NOT = (0.0, 0.01, 0.99), (0.01, 0.985, 0.005)


def played(
    worth: SignalWorth,
    signals: list[str],
    states: list[tuple[float, float, float]],
    segments: list[str] | None = None,
    weights: list[float] | None = None,
    *,
    uninformed: bool = False,
) -> None:
    count = len(signals)
    worth.add(signals, segments, states, [uninformed] * count, [1.0] * count if weights is None else weights)


def row(worth: SignalWorth, signal: str, segment: str | None = None) -> Worth:
    (found,) = [one for one in worth.rows()[0] if (one.signal, one.segment) == (signal, segment)]
    return found


def anchored() -> SignalWorth:
    """Return one that has seen a definite signal, and enough of `none`."""
    worth = SignalWorth(MODEL)
    played(worth, ["dislike"] * 10 + ["none"] * 200, [(1.0, 0.0, 0.0)] * 10 + [(0.0, 1.0, 0.0)] * 200)
    return worth


def test_half_joy_by_sure_plays_is_known_well_and_half_joy_by_doubtful_ones_is_not() -> None:
    worth = anchored()
    vaguely, silent = (0.3, 0.05, 0.65), (0.0, 1.0, 0.0)
    played(worth, ["split", "split", "vague", "none"] * 1_000, [SURE, NOT, vaguely, silent] * 1_000)
    known, vague = row(worth, "split"), row(worth, "vague")
    assert known.log_odds == pytest.approx(logit((0.99 + 0.005) / 2), abs=0.02)
    assert known.low is not None
    assert known.high is not None
    assert known.high - known.low < 2.0
    assert vague.low is not None
    assert vague.high is not None
    assert vague.high - vague.low > 5.0


def test_a_play_counts_by_its_importance_weight() -> None:
    worth = anchored()
    played(worth, ["tap"] * 20, [SURE, NOT] * 10, weights=[0.1, 1.9] * 10)
    found = row(worth, "tap")
    assert found.log_odds == pytest.approx(logit(0.05 * 0.99 + 0.95 * 0.005), abs=0.01)
    assert found.plays == pytest.approx(20.0 / ((0.1**2 + 1.9**2) / 2), rel=0.01)


def test_what_is_all_but_certain_has_no_bound_on_that_side() -> None:
    worth = anchored()
    played(worth, ["tap", "none"] * 2_000, [SURE, (0.0, 1.0, 0.0)] * 2_000)
    found = row(worth, "tap")
    assert found.high is None
    assert found.low is not None
    assert 0.0 < found.low < MOST_SAID


@pytest.mark.parametrize(
    ("signals", "state", "signal", "doubt"),
    [
        (["tap"] * 50, SURE, "tap", "no_definite_signal"),
        (["dislike"] + ["none"] * 50 + ["tap"] * 5, SURE, "tap", "few"),
        (["dislike"] + ["none"] * 50 + ["tap"] * 50, (0.3, 0.2, 0.5), "tap", "undetermined_signal"),
        (["dislike"] + ["none"] * 50, SURE, "none", "by_definition"),
        (["dislike"] * 50, SURE, "dislike", "by_definition"),
        (["dislike"] + ["tap"] * 50, (0.0, 1.0, 0.0), "tap", "stands_for_none"),
    ],
)
def test_where_the_decoder_is_in_doubt_the_row_says_so_instead_of_a_number(
    signals: list[str], state: tuple[float, float, float], signal: str, doubt: str
) -> None:
    worth = SignalWorth(MODEL)
    played(worth, signals, [state] * len(signals))
    found = row(worth, signal)
    assert (found.doubt, found.log_odds, found.low, found.high) == (doubt, None, None, None)


def test_no_number_rests_on_what_was_decoded_while_feedback_told_nothing() -> None:
    worth = anchored()
    played(worth, ["tap", "none"] * 1_000, [SURE, (0.0, 1.0, 0.0)] * 1_000, uninformed=True)
    found = row(worth, "tap")
    assert (found.doubt, found.log_odds, found.low, found.high) == ("uninformative_feedback", None, None, None)
    assert row(worth, "none").doubt == "by_definition"
    played(worth, ["tap", "none"] * 1_000, [SURE, (0.0, 1.0, 0.0)] * 1_000)
    assert row(worth, "tap").doubt is None, "what was decoded at first fades"


def test_where_next_to_no_none_comes_the_interval_is_wider_and_says_why() -> None:
    def width(none: int) -> tuple[float, str | None]:
        worth = SignalWorth(MODEL)
        cycle = ["none"] * none + ["tap"] * (98 - none) + ["dislike"] * 2
        played(worth, cycle * 20, [(0.2, 0.1, 0.7) if one == "tap" else (0.0, 1.0, 0.0) for one in cycle] * 20)
        found = row(worth, "tap")
        share = [0.5 * (1 + math.tanh(one / 2)) for one in (found.low or -MOST_SAID, found.high or MOST_SAID)]
        return share[1] - share[0], found.doubt

    assert width(20)[1] is None
    assert width(0)[1] == "no_indifference"
    assert width(0)[0] > width(20)[0] + 0.02


def test_what_was_decoded_badly_at_first_is_forgotten() -> None:
    worth = anchored()
    played(worth, ["tap"] * 1_000, [NOT] * 1_000)
    played(worth, ["tap"] * 9_000, [SURE] * 9_000)
    found = row(worth, "tap")
    assert found.log_odds is not None
    assert found.log_odds > logit(0.98)


def test_segments_are_apart_and_all_of_them_together() -> None:
    worth = anchored()
    played(worth, ["tap"] * 400, [SURE, NOT] * 200, segments=["phone", "desk"] * 200)
    phone, desk, both = (row(worth, "tap", segment) for segment in ("phone", "desk", None))
    assert phone.log_odds is not None
    assert desk.log_odds is not None
    assert both.log_odds is not None
    assert desk.log_odds < both.log_odds < phone.log_odds
    assert phone.share == 1.0
    assert [one.segment for one in worth.rows()[0]][:3] == [None, None, None], "all together comes first"


def random_plays(seed: int, count: int) -> tuple[list[str], list[str], list[list[float]], list[bool], list[float]]:
    rng = np.random.default_rng(seed)
    signals = rng.choice(["tap", "dislike", "none", *(f"s{i}" for i in range(MOST_SIGNALS + 5))], count).tolist()
    segments = rng.choice(["phone", "desk", "other"], count).tolist()
    uninformed: list[bool] = (rng.random(count) < 0.5).tolist()
    states: list[list[float]] = rng.dirichlet((1.0, 1.0, 1.0), count).tolist()
    return signals, segments, states, uninformed, rng.exponential(1.0, count).tolist()


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3 * BLOCK - 1), max_size=6), st.integers(0, 3 * BLOCK))
def test_it_is_the_same_to_the_bit_however_plays_are_cut_and_wherever_it_restarts(cuts: list[int], saved: int) -> None:
    signals, segments, states, uninformed, weights = random_plays(1, 3 * BLOCK)
    whole = SignalWorth(MODEL)
    whole.add(signals, segments, states, uninformed, weights)
    worth = SignalWorth(MODEL)
    edges = sorted({0, *cuts, saved, len(signals)})
    for begin, end in pairwise(edges):
        if begin == saved:
            kept = msgspec.msgpack.decode(msgspec.msgpack.encode(worth.state()))
            worth = SignalWorth.restore(MODEL, kept)
        part = slice(begin, end)
        worth.add(signals[part], segments[part], states[part], uninformed[part], weights[part])
    assert msgspec.msgpack.encode(worth.state()) == msgspec.msgpack.encode(whole.state())


def test_however_many_signals_and_segments_come_the_common_ones_are_kept_in_the_same_room() -> None:
    worth = SignalWorth(MODEL)
    for number in range(40):
        rare = [f"rare {number} {i}" for i in range(BLOCK // 2)]
        signals = [one for pair in zip(rare, ["late"] * len(rare), strict=True) for one in pair]
        played(worth, signals, [SURE] * BLOCK, segments=[f"g{number} {i}" for i in range(BLOCK)])
    state: dict[str, Any] = worth.state()
    assert len(state["signals"]) == MOST_SIGNALS
    assert len(state["segments"]) == signal_worth.MOST_SEGMENTS
    assert row(worth, "late").share > 0.5
    assert len(worth.rows()[0]) <= signal_worth.MOST_ROWS


def test_a_common_signal_that_comes_late_takes_the_place_of_a_rare_one() -> None:
    worth = SignalWorth(MODEL)
    played(worth, [f"rare {i}" for i in range(BLOCK)], [NOT] * BLOCK)
    played(worth, ["tap"] * BLOCK, [SURE] * BLOCK)
    played(worth, ["tap"] * BLOCK, [SURE] * BLOCK)
    assert row(worth, "tap").plays > 0
    assert len(worth.state()["signals"]) == MOST_SIGNALS


def test_shards_together_know_what_each_of_them_saw() -> None:
    first, second, both = anchored(), anchored(), SignalWorth(MODEL)
    played(first, ["tap"] * 400, [SURE] * 400)
    played(second, ["tap"] * 400 + ["skip"] * 20, [NOT] * 420)
    rows = {one.signal: one for one in first.rows([second])[0]}
    tap = rows["tap"].log_odds
    assert tap is not None
    assert abs(tap) < 0.5
    assert rows["skip"].plays == pytest.approx(20.0, rel=0.2)
    assert both.rows() == ([], 0)
