from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from groundswell.events import Action
from processors.features.feature_store import FeatureStore
from processors.learners import spectral_embedding
from tests.unit.heartbeat import heartbeats_go_on_during

USERS, SIGNALS, ACTIONS, KINDS = 20, 30, 8, 4


def simulated(
    *, reward_rate: int, interactions: int, seed: int, bizarre_share: float = 0.5
) -> tuple[tuple[NDArray[np.floating], ...], NDArray[np.bool_]]:
    """Return moments after uniform play of people whose right actions hang on a context of 4 kinds, and the truth."""
    rng = np.random.default_rng(seed)
    bizarre, bad = rng.random(USERS) < bizarre_share, rng.permutation(SIGNALS) < SIGNALS // 2
    words = {True: np.flatnonzero(bad), False: np.flatnonzero(~bad)}
    right = np.stack([rng.permutation(ACTIONS)[:reward_rate] for _ in range(KINDS)])
    store = FeatureStore(crosses=False)
    contexts = [store.context({"kind": f"k{kind}"}) for kind in range(KINDS)]
    actions = store.actions([Action(f"a{number}") for number in range(ACTIONS)])
    rows = np.zeros((interactions, 7), dtype=np.int64)
    for row in rows:
        user, kind, action = rng.integers(USERS), rng.integers(KINDS), rng.integers(ACTIONS)
        said = words[bool((action in right[kind]) == bizarre[user])]
        row[:5] = user, rng.choice(said), contexts[kind], actions, action
    moments, weights, squares = empty()
    nobody, ones = np.zeros(interactions, dtype=np.int64), np.ones(interactions)
    spectral_embedding.add_batch(moments, weights, squares, store.arrays, nobody, rows, ones)
    return (moments, weights, squares), np.equal.outer(bizarre, bad)


def empty() -> tuple[NDArray[np.floating], ...]:
    shape = (USERS, SIGNALS)
    return np.zeros((*shape, spectral_embedding.SKETCH), dtype=np.float32), np.zeros(shape), np.zeros(shape)


def embedded(moments: tuple[NDArray[np.floating], ...]) -> NDArray[np.float64]:
    z = np.zeros((USERS, SIGNALS))
    spectral_embedding.embedding(*moments, float(ACTIONS), z)
    return z


@pytest.mark.parametrize("reward_rate", [1, 2, 3])
@pytest.mark.parametrize("bizarre_share", [0.3, 0.5])
def test_who_means_what_is_read_from_what_they_do(reward_rate: int, bizarre_share: float) -> None:
    moments, meaning = simulated(
        reward_rate=reward_rate, interactions=6_000, seed=reward_rate, bizarre_share=bizarre_share
    )
    assert np.array_equal(embedded(moments) > 0, meaning)


def test_nothing_is_known_of_nobody() -> None:
    assert not embedded(empty()).any()


def test_what_has_not_been_met_means_nothing_yet() -> None:
    moments, _ = simulated(reward_rate=1, interactions=6_000, seed=1)
    for table in moments:
        table[3], table[:, 5] = 0.0, 0.0
    z = embedded(moments)
    unknown = z == 0
    assert unknown[3].all()
    assert unknown[:, 5].all()
    assert unknown.sum() == USERS + SIGNALS - 1


def test_other_threads_go_on_while_the_embedding_is_read() -> None:
    moments = tuple(
        np.tile(table, (25, 3, 1)[: table.ndim]) for table in simulated(reward_rate=1, interactions=6_000, seed=1)[0]
    )
    z = np.zeros(moments[1].shape)
    assert heartbeats_go_on_during(lambda: spectral_embedding.embedding(*moments, float(ACTIONS), z))


@pytest.mark.parametrize(("flag", "user", "signal"), [(5, 3, slice(None)), (6, slice(None), 4)])
def test_a_row_given_anew_holds_nothing_of_before(flag: int, user: int | slice, signal: int | slice) -> None:
    store = FeatureStore(crosses=False)
    context = store.context({"kind": "k1"})
    actions = store.actions([Action(f"a{number}") for number in range(ACTIONS)])
    everywhere = [(u, s, context, actions, 1, 0, 0) for u in range(USERS) for s in range(SIGNALS)]

    def learned(rows: Sequence[tuple[int, ...]]) -> tuple[NDArray[np.floating], ...]:
        tables = empty()
        table = np.array(rows, dtype=np.int64)
        spectral_embedding.add_batch(
            *tables, store.arrays, np.zeros(len(rows), dtype=np.int64), table, np.ones(len(rows))
        )
        return tables

    anew = (3, 4, context, actions, 2, *(int(number == flag) for number in (5, 6)))
    forgetful, fresh, before = learned([*everywhere, anew]), learned([anew]), learned(everywhere)
    for after, alone, old in zip(forgetful, fresh, before, strict=True):
        assert np.array_equal(after[user, signal], alone[user, signal])
        kept = np.ones((USERS, SIGNALS), dtype=bool)
        kept[user, signal] = False
        assert np.array_equal(after[kept], old[kept])
