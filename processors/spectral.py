"""Many users and many signals: who means what by which signal, from a rank-one structure in what they do.

Where every person has a way of their own to use a hundred signals, crosses of user and signal are too many to
learn one by one. But feedback depends on user and signal only through the state it stands for, so that the
sign of z(u, y) = g(u) h(y) tells the state. For each user u and signal y we keep the moments

    T[u, y] = sum of w (1[a] - 1/K) (x) psi(x)

with psi a random sketch of the context, w = 1/(K p), and the weighted counts of (u, y), centred by rows and
columns and scaled to the same noise, as one more channel. The best rank-one approximation g (x) h (x) v of
this tensor gives the embedding; the rewarded sign is the one whose actions are the more concentrated. At a
reward rate of exactly one half under uniform play the two signs cannot be told apart.

The start matters more than the iteration: it is tried from the counts' singular vectors and from the leading
eigenvectors of both unfoldings (Gram matrices without their diagonals), keeping the
better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ITERATIONS: Final = 30
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Embedding:
    """Signs of users and of signals, and which product of the two is the rewarded state."""

    users: NDArray[np.int8]
    signals: NDArray[np.int8]
    rewarded: int

    def rewards(self) -> NDArray[np.int8]:
        """Return the inferred reward, 0 or 1, of each user and signal; shape (users, signals)."""
        same: NDArray[np.bool_] = np.outer(self.users, self.signals) == self.rewarded
        return same.astype(np.int8)


class SpectralDecoder:
    """Moments of users x signals x (actions x sketch), and the embedding that they show.

    It is dense in users x signals: 100 x 100 with 7 actions and a sketch of 12 takes 7 MB.
    """

    def __init__(self, users: int, signals: int, actions: int, sketch: int) -> None:
        self.actions = actions
        self.moments = np.zeros((users, signals, actions, sketch))
        self.weights = np.zeros((users, signals))
        self.squares = np.zeros((users, signals))

    def add(self, user: int, signal: int, action: int, weight: float, sketch: Floats) -> None:
        """Add one interaction; `weight` is 1/(K p), `sketch` that of its context."""
        self.weights[user, signal] += weight
        self.squares[user, signal] += weight * weight
        self.moments[user, signal] -= (weight / self.actions) * sketch
        self.moments[user, signal, action] += weight * sketch

    def embedding(self) -> Embedding:
        """Return the embedding of everything added so far."""
        tensor = self._tensor()
        users, signals = max(
            (_rank_one(tensor, *start) for start in _starts(tensor)),
            key=lambda pair: _objective(tensor, *pair),
        )
        user_signs, signal_signs = _signs(users), _signs(signals)
        return Embedding(user_signs, signal_signs, self._rewarded(np.outer(user_signs, signal_signs)))

    def _tensor(self) -> Floats:
        count, signals, _, _ = self.moments.shape
        total = self.weights.sum()
        expected = self.weights.sum(axis=1, keepdims=True) * self.weights.sum(axis=0, keepdims=True) / max(total, 1.0)
        noise = math.sqrt((1 / self.actions) * (1 - 1 / self.actions))
        centred = noise * (self.weights - expected)
        tensor = np.concatenate((centred[:, :, None], self.moments.reshape(count, signals, -1)), axis=2)
        # A few rare actions weigh so much that their cells alone would make the best rank-one approximation.
        scaled: Floats = tensor / np.sqrt(self.squares + self.squares.mean() + 1e-12)[:, :, None]
        # What all have in common is a rank-one part as well. Centring leaves the signs of two groups as they
        # are.
        scaled -= scaled.mean(axis=0, keepdims=True)
        scaled -= scaled.mean(axis=1, keepdims=True)
        return scaled

    def _rewarded(self, signs: NDArray[np.int8]) -> int:
        def concentration(sign: int) -> float:
            chosen = signs == sign
            total = float(self.weights[chosen].sum())
            return float(np.linalg.norm(self.moments[chosen].sum(axis=0))) / max(total, 1e-9)

        return 1 if concentration(1) >= concentration(-1) else -1


def _starts(tensor: Floats) -> list[tuple[Floats, Floats]]:
    left, _, right = np.linalg.svd(tensor[:, :, 0])
    by_user, by_signal = tensor.reshape(len(tensor), -1), tensor.transpose(1, 0, 2).reshape(tensor.shape[1], -1)
    users, signals = _leading(by_user), _leading(by_signal)
    # The signs of two eigenvectors are free, each on its own; iterating mends them.
    return [(left[:, 0], right[0]), (users, signals)]


def _leading(unfolding: Floats) -> Floats:
    gram = unfolding @ unfolding.T
    np.fill_diagonal(gram, 0.0)
    vectors: Floats = np.linalg.eigh(gram)[1]
    return vectors[:, -1]


def _rank_one(tensor: Floats, users: Floats, signals: Floats) -> tuple[Floats, Floats]:
    for _ in range(ITERATIONS):
        channels = _unit(np.einsum("u,ufc,f->c", users, tensor, signals, optimize=True))
        matrix = tensor @ channels
        users = _unit(matrix @ signals)
        signals = _unit(users @ matrix)
    return users, signals


def _objective(tensor: Floats, users: Floats, signals: Floats) -> float:
    """Return how much of the tensor a rank-one candidate's signs explain: all have a say, large or small."""
    contracted = np.einsum("u,ufc,f->c", _signs(users), tensor, _signs(signals), optimize=True)
    return float(np.linalg.norm(contracted))


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _signs(vector: Floats) -> NDArray[np.int8]:
    return np.where(vector >= 0, 1, -1).astype(np.int8)
