"""A hundred people with a hundred words, shown what a class-matching policy picks, in one compiled loop.

A round shows a context and a fixed set of actions; the right ones are rewarded. Normal people say a good word to a
rewarded action and a bad one to any other, bizarre people the other way round. The loop drives the kernel of
`EmbeddingLearner`; tests/unit/people/test_word_users.py shows that such a learner, given the same interactions, ends
with the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments.people.self_play import draw
from groundswell.events import Action, Features
from groundswell.features import feature
from processors.features import crosses
from processors.features.feature_store import FeatureStore
from processors.learners import (
    exploration_kernel,
    kernel,
    kernel_columns,
    running_totals,
    spectral_embedding,
    weight_tables,
)
from processors.learners.embedding_learner import wait
from processors.learners.kernel_parameters import kernel_parameters
from processors.models.config import ModelConfig

USER = "user"


@dataclass(frozen=True)
class WordUsers:
    """Who is bizarre, which words are bad, and what they meet.

    `tiles` has shape (rounds, active tiles) and holds the numbers of tiles below `tile_count`, each column's its own;
    `labels` are the right actions, of which `rewarded` in a row count (modulo `actions`).
    """

    tiles: NDArray[np.int32]
    labels: NDArray[np.int64]
    tile_count: int
    actions: int
    rewarded: int
    bizarre: NDArray[np.bool_]
    bad: NDArray[np.bool_]

    def context(self, number: int, user: int) -> Features:
        """Return the context of a round as an app would log it."""
        return {**{_name(j): str(tile) for j, tile in enumerate(self.tiles[number])}, USER: f"u{user}"}

    @property
    def action_set(self) -> list[Action]:
        """The actions of every round."""
        return [Action(f"a{number}") for number in range(self.actions)]


@dataclass(frozen=True)
class WordPlay:
    """What was played: true reward and decoded state (-1 where unknown), who said what to which action, and how likely.

    `wrong` are (interactions, people and words in the wrong group) at each refresh of the embedding.
    """

    true: NDArray[np.int8]
    decoded: NDArray[np.int8]
    users: NDArray[np.int64]
    words: NDArray[np.int64]
    chosen: NDArray[np.int64]
    propensities: NDArray[np.float64]
    bandit: NDArray[np.float64]
    wrong: list[tuple[int, int]]


def play(people: WordUsers, model: ModelConfig, seed: int, *, oracle: bool) -> WordPlay:
    """Play all rounds in order by the learner's own policy; its bandit is given the true reward if `oracle`."""
    config = model.inverse_kinematics
    horizon, users, words = len(people.labels), len(people.bizarre), len(people.bad)
    shape = (config.users, config.signals)
    moments = np.zeros((*shape, spectral_embedding.SKETCH), dtype=np.float32)
    weights, squares, meanings = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    size = 1 << model.hash_bits
    bandit, totals = np.zeros((size, 3)), np.zeros(running_totals.TOTALS + running_totals.LATER_TOTALS)
    tables = (np.zeros((size, 3)), bandit)
    rows = np.full((2, max(users, words)), -1, dtype=np.int64)
    record, propensities = np.full((horizon, 5), -1, dtype=np.int64), np.zeros(horizon)
    rng = np.random.default_rng(seed)
    wrong: list[tuple[int, int]] = []
    begin = 0
    while begin < horizon:
        end = min(begin + wait(begin), horizon)
        _play(
            rng, begin, end, people.tiles, people.labels, _tile_hashes(people), _user_hashes(users), people.rewarded,
            people.bizarre, np.flatnonzero(~people.bad), np.flatnonzero(people.bad), oracle, tables, totals,
            kernel_parameters(model), model.exploration.t0, _actions(people), (moments, weights, squares, meanings),
            rows, record, propensities,
        )  # fmt: skip
        if not oracle and end < horizon:
            spectral_embedding.embedding(moments, weights, squares, float(people.actions), meanings)
            wrong.append((end, _misplaced(meanings, rows, people)))
        begin = end
    columns = record.T
    return WordPlay(
        true=columns[0].astype(np.int8),
        decoded=columns[1].astype(np.int8),
        users=columns[2],
        words=columns[3],
        chosen=columns[4],
        propensities=propensities,
        bandit=bandit,
        wrong=wrong,
    )


def _name(column: int) -> str:
    return f"tile {column:03}"


def _tile_hashes(people: WordUsers) -> NDArray[np.uint32]:
    hashes = np.zeros(people.tile_count, dtype=np.uint32)
    for column in range(people.tiles.shape[1]):
        for tile in np.unique(people.tiles[:, column]):
            hashes[tile], _ = feature(_name(column), str(tile))
    return hashes


def _user_hashes(users: int) -> NDArray[np.uint32]:
    return np.array([feature(USER, f"u{user}")[0] for user in range(users)], dtype=np.uint32)


def _actions(people: WordUsers) -> tuple[NDArray[np.int64], ...]:
    store = FeatureStore(crosses=False)
    store.actions(people.action_set)
    return store.arrays[3:]  # type: ignore[return-value]  # a slice of a tuple loses the types of its items


def _misplaced(meanings: NDArray[np.float64], rows: NDArray[np.int64], people: WordUsers) -> int:
    """Count people and words that are on the wrong side, whichever side is called which."""
    of_users, of_words = rows[0, : len(people.bizarre)], rows[1, : len(people.bad)]
    signs = np.sign(meanings[of_users][:, of_words])
    left, _, right = np.linalg.svd(signs)
    return _wrong(left[:, 0] > 0, people.bizarre) + _wrong(right[0] > 0, people.bad)


def _wrong(side: NDArray[np.bool_], second: NDArray[np.bool_]) -> int:
    errors = int(np.sum(side != second))
    return min(errors, len(side) - errors)


@njit
def _row(rows, number):
    """Return the table row of a user or word, given in the order in which they come, and whether it is new."""
    if rows[number] >= 0:
        return rows[number], 0
    rows[number] = rows.max() + 1
    return rows[number], 1


@njit
def _play(
    rng, begin, end, tiles, labels, tile_hashes, user_hashes, rewarded, bizarre, good_words, bad_words, oracle, tables,
    totals, parameters, t0, action_arrays, embedding, rows, record, propensities,
):  # fmt: skip
    ik, bandit = tables
    moments, weights, squares, meanings = embedding
    active = tiles.shape[1]
    actions = action_arrays[0][1]
    # The constant, the tiles, the user: one row of a feature store, written anew each round.
    contexts = np.zeros(active + 2, dtype=np.uint32)
    features = (np.array([0, active + 2]), contexts, np.ones(active + 2), *action_arrays)
    seen = running_totals.nothing_seen()
    index, value, start, posterior = kernel.scratch((active + 2) * actions, actions)
    scores, shown, output = np.empty(actions), np.empty(actions), np.empty(kernel_columns.OUTPUTS)
    interaction = np.zeros(kernel_columns.COLUMNS, dtype=np.int64)
    cell, without, importance = np.zeros((1, 7), dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1)
    for t in range(begin, end):
        user = rng.integers(0, len(bizarre))
        for j in range(active):
            contexts[1 + j] = tile_hashes[tiles[t, j]]
        contexts[1 + active] = user_hashes[user]
        exploration_kernel.action_scores(bandit, features, parameters[kernel_columns.SHARED], 0, 0, scores)
        epsilon = min(1.0, (t0 / t) ** (1.0 / 3.0)) if t else 1.0
        exploration_kernel.explore(scores, exploration_kernel.EPSILON_GREEDY, epsilon, shown)
        action = draw(rng, shown)
        reward = (action - labels[t]) % actions < rewarded
        words = good_words if reward != bizarre[user] else bad_words
        word = words[rng.integers(0, len(words))]
        importance[0] = 1.0 / (actions * shown[action])
        record[t, 0], record[t, 2], record[t, 3], record[t, 4] = reward, user, word, action
        propensities[t] = shown[action]
        if oracle:
            n = crosses.gather(features, 0, action, -1, 1.0, False, len(bandit), index, value, 0)
            error = weight_tables.score(bandit, index, value, 0, n) - reward
            capped = min(importance[0], parameters[kernel_columns.BANDIT_CAP])
            weight_tables.estimate(bandit, index, value, n, error, capped, parameters[kernel_columns.BANDIT_RATE])
            continue
        user_row, new_user = _row(rows[0], user)
        word_row, new_word = _row(rows[1], word)
        meaning = meanings[user_row, word_row]
        interaction[:] = 0, 0, -1, 0, 0, action, 0
        kernel.learn_one(
            ik, bandit, seen, totals, parameters, features, interaction, meaning, importance[0],
            index, value, start, posterior, output,
        )  # fmt: skip
        if meaning != 0.0:
            record[t, 1] = np.int64(output[kernel_columns.STATE])
        cell[0, :] = user_row, word_row, 0, 0, action, new_user, new_word
        without[0] = user_hashes[user]
        if not oracle:
            importance[0] = output[kernel_columns.WEIGHT]
        spectral_embedding.add_batch(moments, weights, squares, features, without, cell, importance)
