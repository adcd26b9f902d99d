"""The compiled models as River estimators, for pipelines and comparisons of one's own.

They are what `Learner` runs in its kernel, one interaction at a time behind River's interface: the same hashing of
names, the same steps (AdaGrad: Duchi, Hazan & Singer 2011; scale invariance: Ross, Mineiro & Langford 2013).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base

from groundswell.features import crossed, feature
from processors.compiled import compiled
from processors.features.crosses import cross
from processors.learners.weight_tables import estimate, logistic, score, step

Label = base.typing.ClfTarget
Arrays = tuple[NDArray[np.int64], NDArray[np.float64]]


class HashedOneVersusRest(base.Classifier):
    """One weighted binary logistic per label over hashed features, in one table of 2^`bits` rows.

    A label is known from the first time it is learned. Features may be numbers, booleans or text.

    >>> model = HashedOneVersusRest()
    >>> for _ in range(20):
    ...     model.learn_one({"signal": "like"}, "news")
    ...     model.learn_one({"signal": "skip"}, "sport", w=2.0)
    >>> model.predict_one({"signal": "like"})
    'news'
    """

    def __init__(self, bits: int = 18, learning_rate: float = 1.0) -> None:
        self.bits = bits
        self.learning_rate = learning_rate
        self._table: NDArray[np.float64] = np.zeros((1 << bits, 3))
        self._labels: dict[Label, int] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[Hashable, Any], y: Label, w: float = 1.0) -> None:
        """Learn that features `x` came with label `y`, with sample weight `w`."""
        chosen = self._labels.setdefault(y, _label_hash(y))
        hashes = np.fromiter(self._labels.values(), dtype=np.int64)
        _learn_labels(self._table, _hashed(x), hashes, chosen, w, self.learning_rate)

    def predict_proba_one(self, x: dict[Hashable, Any], **_: Any) -> dict[Label, float]:
        """Return the probability of each known label, normalised to sum to 1."""
        if not self._labels:
            return {}
        keys, values = _hashed(x)
        hashes = np.fromiter(self._labels.values(), dtype=np.int64)
        masses = _label_masses(self._table, keys, values, hashes)
        return dict(zip(self._labels, (masses / masses.sum()).tolist(), strict=True))


class HashedRegressor(base.Regressor):
    """A linear regression over hashed features: each weight between a weighted mean and AdaGrad, as the bandit's.

    >>> model = HashedRegressor()
    >>> for _ in range(50):
    ...     model.learn_one({"user": "ann", "action": "news"}, 1.0)
    >>> round(model.predict_one({"user": "ann", "action": "news"}), 1)
    1.0
    """

    def __init__(self, bits: int = 18, learning_rate: float = 0.5) -> None:
        self.bits = bits
        self.learning_rate = learning_rate
        self._table: NDArray[np.float64] = np.zeros((1 << bits, 3))

    def learn_one(self, x: dict[Hashable, Any], y: float, w: float = 1.0) -> None:
        """Learn that features `x` came with target `y`, with sample weight `w`."""
        index, value = self._rows(x)
        error = score(self._table, index, value, 0, len(index)) - y
        estimate(self._table, index, value, len(index), error, w, self.learning_rate)

    def predict_one(self, x: dict[Hashable, Any]) -> float:
        """Return the predicted target."""
        index, value = self._rows(x)
        return float(score(self._table, index, value, 0, len(index)))

    def _rows(self, x: dict[Hashable, Any]) -> Arrays:
        keys, values = _hashed(x)
        return keys & (len(self._table) - 1), values


def _hashed(x: dict[Hashable, Any]) -> Arrays:
    pairs = [
        feature(str(name), value if isinstance(value, str | bool) else float(value))
        for name, value in sorted(x.items(), key=repr)
    ]
    pairs.append(feature("", True))  # the constant
    return np.array([h for h, _ in pairs], dtype=np.int64), np.array([v for _, v in pairs])


def _label_hash(label: Label) -> int:
    return crossed(feature("=", str(label))[0], 1)


@compiled()
def _label_rows(keys: Any, label: Any, size: Any, index: Any) -> None:
    for j in range(len(keys)):
        index[j] = np.int64(cross(keys[j], label) & np.uint64(size - 1))


@compiled()
def _label_masses(table: Any, keys: Any, values: Any, labels: Any) -> Any:
    index = np.empty(len(keys), dtype=np.int64)
    masses = np.empty(len(labels))
    for k in range(len(labels)):
        _label_rows(keys, labels[k], len(table), index)
        masses[k] = logistic(score(table, index, values, 0, len(index)))
    return masses


@compiled()
def _learn_labels(table: Any, features: Any, labels: Any, chosen: Any, weight: Any, rate: Any) -> None:
    keys, values = features
    index = np.empty(len(keys), dtype=np.int64)
    for k in range(len(labels)):
        _label_rows(keys, labels[k], len(table), index)
        label = 1.0 if labels[k] == chosen else 0.0
        slope = weight * (logistic(score(table, index, values, 0, len(index))) - label)
        step(table, index, values, 0, len(index), slope, rate)
