"""Our estimators as River estimators: hashed features, sample weights, the learner's own compiled updates.

They fit wherever River's do: pipelines, its own one-versus-rest, or by hand.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from river import base
from river.base.typing import ClfTarget

from processors import kernel
from processors.features import CONSTANT, feature, hashed

_FORMS = {"one-versus-rest": kernel.ONE_VERSUS_REST, "softmax": kernel.SOFTMAX}


class HashedClassifier(base.Classifier):
    """Weighted multi-class logistic on hashed features, by scale-invariant AdaGrad (Duchi et al. 2011).

    Parameters
    ----------
    form
        One logistic per label ("one-versus-rest") or one softmax over the labels met so far.
    learning_rate
        How far the first step moves a score.
    bits
        The table has 2^bits rows, shared by features and labels.

    Examples
    --------
    >>> from processors.hashed import HashedClassifier
    >>> model = HashedClassifier(bits=10)
    >>> for x, y in [({"signal": "click"}, "cats"), ({"signal": "skip"}, "dogs")] * 5:
    ...     model.learn_one(x, y, w=0.5)
    >>> model.predict_one({"signal": "click"})
    'cats'

    """

    def __init__(
        self,
        form: Literal["one-versus-rest", "softmax"] = "one-versus-rest",
        learning_rate: float = 1.0,
        bits: int = 18,
    ) -> None:
        self.form = form
        self.learning_rate = learning_rate
        self.bits = bits
        self._table = np.zeros((1 << bits, 3))
        self._labels: dict[ClfTarget, int] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[Hashable, Any], y: ClfTarget, w: float = 1.0) -> None:
        """Learn that `x` is of label `y`, with sample weight `w`."""
        if y not in self._labels:
            self._labels[y] = hashed(f"={y!r}")
        chosen = list(self._labels).index(y)
        kernel.teach_classes(
            self._table, *_arrays(x), self._numbers(), _FORMS[self.form], chosen, float(w), self.learning_rate
        )

    def predict_proba_one(self, x: dict[Hashable, Any], **kwargs: Any) -> dict[ClfTarget, float]:
        """Return the probability of each label met so far."""
        if not self._labels:
            return {}
        shares = kernel.class_probabilities(self._table, *_arrays(x), self._numbers(), _FORMS[self.form])
        return dict(zip(self._labels, shares.tolist(), strict=True))

    def _numbers(self) -> NDArray[np.uint32]:
        return np.array(list(self._labels.values()), dtype=np.uint32)


class HashedRegressor(base.Regressor):
    """Weighted linear regression on hashed features, between a weighted mean and AdaGrad.

    Parameters
    ----------
    learning_rate
        How far the first step goes towards the target; 1 is all the way.
    bits
        The table has 2^bits rows.

    Examples
    --------
    >>> from processors.hashed import HashedRegressor
    >>> model = HashedRegressor(bits=10)
    >>> for _ in range(5):
    ...     model.learn_one({"user": "ann"}, 1.0)
    >>> round(model.predict_one({"user": "ann"}), 6)
    1.0

    """

    def __init__(self, learning_rate: float = 1.0, bits: int = 18) -> None:
        self.learning_rate = learning_rate
        self.bits = bits
        self._table = np.zeros((1 << bits, 3))

    def learn_one(self, x: dict[Hashable, Any], y: float, w: float = 1.0) -> None:
        """Learn the target `y` of `x`, with sample weight `w`."""
        kernel.teach_value(self._table, *_arrays(x), float(y), float(w), self.learning_rate)

    def predict_one(self, x: dict[Hashable, Any]) -> float:
        """Return the prediction, 0 before anything is learned."""
        return float(kernel.predict_value(self._table, *_arrays(x)))


def _arrays(x: dict[Hashable, Any]) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    # Sorted by hash, so that the order in which a dictionary was filled does not change the last bit of a sum.
    pairs = sorted([(hashed(CONSTANT), 1.0), *(feature(str(name), value) for name, value in x.items())])
    return (
        np.array([number for number, _ in pairs], dtype=np.uint32),
        np.array([value for _, value in pairs], dtype=np.float64),
    )
