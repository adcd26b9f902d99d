"""The step of three states: what it gets right that one versus rest does not, and that a batch is its interactions."""

import numpy as np
import pytest

from experiments.papers import feed_worlds
from experiments.people import changes, many_enjoyed, no_none, opposed, tastes
from experiments.people.playing import INFERRED, MODEL, TRUE, kind_of, played
from experiments.people.world import World
from groundswell.features import hashed
from processors.learners import (
    doubtful_contexts,
    kernel_columns,
    leaking_signals,
    running_totals,
    three_state,
    three_state_batch,
    value_quantiles,
)
from processors.learners.kernel_parameters import kernel_parameters

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes


def tables() -> tuple[np.ndarray, ...]:
    size = 1 << 16
    return (
        np.zeros((size, three_state.BANDIT_COLUMNS)),
        np.zeros((size, three_state.SIGNAL_COLUMNS)),
        running_totals.nothing_seen(),
        np.zeros(three_state.TOTALS),
        np.zeros(running_totals.SUMS),
    )


def logged(world: World, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return interactions of uniformly shown actions and their weights."""
    rng = np.random.default_rng(5)
    chosen = rng.integers(0, world.states.shape[1], count)
    kinds = np.array([kind_of(world, signal) for signal in world.signals])
    hashes = np.array([hashed(signal) for signal in world.signals])
    cells = world.states[world.rows[:count], chosen] + 1
    signals = np.array([rng.choice(len(hashes), p=world.emissions[0, cell]) for cell in cells])
    named = kinds[signals] == three_state.ANCHORED
    came = 1 << signals
    columns = (world.contexts[:count], world.sets[:count], hashes[signals], kinds[signals], named, chosen, came)
    return np.column_stack(columns).astype(np.int64), np.full(count, 1.0)


def learned(
    world: World, rows: np.ndarray, weights: np.ndarray, size: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    state, parameters, leaks = tables(), kernel_parameters(MODEL), leaking_signals.nothing_known()
    doubtful, no_values = np.zeros((doubtful_contexts.SLOTS, doubtful_contexts.COLUMNS)), np.zeros(0, dtype=np.int64)
    outputs, scratch = np.zeros((len(rows), three_state.OUTPUTS)), (np.empty(4096, dtype=np.int64), np.empty(4096))
    for begin in range(0, len(rows), size):
        part = slice(begin, begin + size)
        watching = (leaks, begin, no_values, no_values, np.zeros(0))
        three_state_batch.learn_batch(
            *state[:2], state[2:], parameters, world.store.arrays, rows[part], weights[part], watching, doubtful,
            scratch, outputs[part],
        )  # fmt: skip
    return (*state, doubtful, *leaks), outputs


def settled(world: World, source: int, seed: int) -> float:
    return float(played(world, source, seed).values[-5_000:].mean())


def test_two_enjoyed_of_four_are_found() -> None:
    world = many_enjoyed.world("2/1 of 4", 1)
    oracle = settled(world, TRUE, 1)
    assert settled(world, INFERRED, 1) >= 0.9 * oracle


@pytest.mark.parametrize("case", ["1/0 of 2", "6/2 of 11"])
def test_states_are_named_right_where_somebody_is_indifferent(case: str) -> None:
    outcome = played(many_enjoyed.world(case, 2), INFERRED, 2)
    assert (outcome.decoded == outcome.true)[25_000:].mean() >= 0.95


def test_hate_that_is_commoner_than_joy_is_not_taken_for_it() -> None:
    outcome = played(tastes.world("clean groups 20/50", 3), INFERRED, 3)
    hated = outcome.true[25_000:] == -1
    assert (outcome.decoded[25_000:][hated] == -1).mean() >= 0.7


def test_people_may_mean_the_opposite_and_be_known_only_by_who_they_are() -> None:
    assert settled(opposed.world("by id", 4), INFERRED, 4) >= 0.97


@pytest.mark.parametrize("case", ["overlap", "rare none", "positives"])
def test_feeds_in_which_everything_brings_feedback(case: str) -> None:
    assert settled(no_none.world(case, 5), INFERRED, 5) >= 0.9


def test_after_a_change_of_taste_the_policy_is_soon_back() -> None:
    outcome = played(changes.world("tastes", 6), INFERRED, 6)
    assert outcome.values[35_000:].mean() >= 0.97


def test_accidents_do_not_turn_it_round() -> None:
    assert settled(feed_worlds.world("noise .2", 7), INFERRED, 7) >= 0.9


def test_probabilities_are_shares_and_the_reward_is_their_difference() -> None:
    world = many_enjoyed.world("2/1 of 4", 8)
    _, outputs = learned(world, *logged(world, 500), size=500)
    probabilities = outputs[:, three_state.MINUS : three_state.PLUS + 1]
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    # Probabilities are rounded where they are told, the reward is not.
    assert np.allclose(outputs[:, kernel_columns.REWARD], probabilities[:, 2] - probabilities[:, 0], atol=2e-6)
    assert np.allclose(outputs[:, kernel_columns.LOG_LOSS], -np.log(outputs[:, kernel_columns.POSTERIOR]))


@pytest.mark.parametrize("size", [1, 7])
def test_a_batch_is_its_interactions_one_at_a_time_to_the_bit(size: int) -> None:
    world = many_enjoyed.world("3/1 of 6", 9)
    rows, weights = logged(world, 300)
    whole, parts = learned(world, rows, weights, 300), learned(world, rows, weights, size)
    assert np.array_equal(whole[1], parts[1])
    assert all(np.array_equal(one, other) for one, other in zip(whole[0], parts[0], strict=True))


def test_what_cannot_be_told_gets_no_reward_yet_and_nothing_overflows() -> None:
    world = many_enjoyed.world("3/1 of 6", 10)
    rows, weights = logged(world, 200)
    state, outputs = learned(world, rows, weights * 1e9, 50)
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(table).all() for table in state)
    assert abs(outputs[0, kernel_columns.REWARD]) < 1.0


def test_the_same_seed_gives_the_same_run() -> None:
    world = many_enjoyed.world("2/1 of 4", 11)
    first, second, third = (played(world, INFERRED, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.probabilities, second.probabilities)
    assert not np.array_equal(first.chosen, third.chosen)


def test_only_positive_signals_named_is_the_mirror_of_only_negative_ones() -> None:
    outcome = played(no_none.world("positives", 12), INFERRED, 12)
    joyful = outcome.true[25_000:] == 1
    assert (outcome.decoded[25_000:][joyful] == 1).mean() >= 0.9


def test_quantile_buckets_follow_any_unit_and_the_wide_one_is_in_the_middle() -> None:
    rng = np.random.default_rng(13)
    values = np.exp(rng.normal(3.0, 1.0, 5_000))
    shares = []
    for unit in (1.0, 1_000.0):
        table = np.zeros((value_quantiles.SIGNALS, value_quantiles.COLUMNS))
        numbers = [value_quantiles.bucket(table, 17, unit * value, 0.0, 1.0) for value in values]
        shares.append(np.bincount(numbers[1_000:], minlength=value_quantiles.BUCKETS) / 4_000)
    levels = np.diff([0.0, *value_quantiles.LEVELS, 1.0])
    assert np.abs(shares[0] - levels).max() < 0.05
    assert np.abs(shares[1] - levels).max() < 0.05
    assert int(shares[0].argmax()) == value_quantiles.BUCKETS // 2


def test_a_value_is_measured_against_its_length_and_nonsense_does_no_harm() -> None:
    table = np.zeros((value_quantiles.SIGNALS, value_quantiles.COLUMNS))
    for value in (1.0, 2.0, float("nan"), float("inf"), -5.0, 0.0) * 50:
        value_quantiles.bucket(table, 3, value, 0.0, 1e12)
    assert np.isfinite(table).all()
    rng = np.random.default_rng(14)
    fresh = np.zeros((value_quantiles.SIGNALS, value_quantiles.COLUMNS))
    for share in rng.random(3_000):
        length = rng.choice([10.0, 600.0])
        value_quantiles.bucket(fresh, 4, share * length, length, 1.0)
    short, long = (value_quantiles.bucket(fresh, 4, 0.99 * length, length, 1.0) for length in (10.0, 600.0))
    assert short == long >= value_quantiles.BUCKETS - 2


def test_evidence_that_only_makes_up_for_a_presumption_takes_nothing_from_telling_hatred_from_joy() -> None:
    signals = np.zeros((1, three_state.SIGNAL_COLUMNS))
    for play in range(4_000):
        minus = 0.3 if play % 3 else -0.3
        three_state.shift(
            signals, 0, minus, 0.3, -minus, 0.0, three_state.MARK_RATE, 0.6, three_state.KEPT_COMMON, 4.0, 0.0
        )
    minus, zero, plus = signals[0, three_state.MEANING : three_state.MEANING + 3]
    assert minus - plus >= 0.9 * three_state.KEPT_COMMON
    assert zero - 4.0 <= minus - 2.0
