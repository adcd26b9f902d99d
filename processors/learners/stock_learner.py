"""The learner with stock River models in the place of the compiled ones: slower, and open to any that River has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell import exploration
from groundswell.events import Action, FeatureValue, Impression, Interaction
from groundswell.features import action_features, context_features, crossed, hashed
from groundswell.policy import PolicySnapshot, Weights
from processors.admission.interaction_records import Stretch
from processors.learners import influence, kernel_columns, reward_decoding, reward_rules, running_totals
from processors.learners.papers_learner import PapersLearner
from processors.learners.reward_columns import RewardColumns
from processors.learners.signal_reading import Read
from processors.learners.stock_models import build_classifier, build_regressor, restored_estimator
from processors.learners.stock_state import to_plain
from processors.models.config import BanditConfig, ModelConfig, StockEstimator
from processors.wire.plain_state import StateError

CLASSIFIER = StockEstimator.model_validate(
    {
        "class": "river.linear_model.LogisticRegression",
        "parameters": {"optimizer": {"class": "river.optim.AdaGrad", "parameters": {"lr": 1.0}}, "intercept_lr": 0.0},
    }
)
REGRESSOR = StockEstimator.model_validate(
    {
        "class": "river.linear_model.LinearRegression",
        "parameters": {"optimizer": {"class": "river.optim.AdaGrad", "parameters": {"lr": 0.5}}, "intercept_lr": 0.0},
    }
)
"""What stands beside a stock estimator where only one of the two is configured."""

Features = dict[int, float]
RIVER_VERSION = version("river")


class StockLearner(PapersLearner):
    """Learns one interaction after another with River's classifier and regressor.

    The classifier sees the crosses of context and feedback and names the action; the regressor sees the crosses of
    context and action, under the same hashed indices as a policy snapshot lists.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model)
        self._classifier: Any = build_classifier(model.inverse_kinematics.estimator or CLASSIFIER)
        self._regressor: Any = build_regressor(model.bandit.estimator or REGRESSOR)

    def learn_stretch(self, stretch: Stretch) -> RewardColumns:
        """Learn interactions as they were read."""
        return self.learn(list(stretch))

    def _step(self, interactions: Sequence[Interaction], read: Read, weights: Sequence[float]) -> NDArray[np.float64]:
        outputs = np.empty((len(interactions), kernel_columns.OUTPUTS))
        for interaction, signal, weight, out in zip(interactions, read.signals, weights, outputs, strict=True):
            out[kernel_columns.WEIGHT] = influence.cut_weight(self._totals, weight)
            self._step_one(interaction.impression, signal, out[kernel_columns.WEIGHT], out)
            negative = signal in self.model.definitely_negative
            running_totals.tally(self._sums, negative, weight, len(interaction.impression.actions), out, False)
        return outputs

    def _step_one(self, impression: Impression, signal: str, weight: float, out: NDArray[np.float64]) -> None:
        shown = impression.actions[impression.chosen]
        count = len(impression.actions)
        context = np.array([h for h, _ in context_features(impression.context, self.model.context_crosses)])
        running_totals.notice(self._seen, self._totals, context, count)
        seen = self._feedback_features(impression.context, signal)
        predicted = self._classifier.predict_proba_one(seen)
        prior = 1 / count
        # Of actions never shown yet the classifier knows nothing: they keep their prior.
        masses = [predicted.get(action.id, prior) for action in impression.actions]
        total = math.fsum(masses) or 1.0
        posterior = masses[impression.chosen] / total
        out[kernel_columns.POSTERIOR] = posterior
        out[kernel_columns.LOG_LOSS] = -math.log(max(posterior, 1e-300))
        out[kernel_columns.CORRECT] = float(masses[impression.chosen] == max(masses))
        anchor = reward_rules.anchor(self.model, signal)
        out[kernel_columns.STATE], out[kernel_columns.REWARD] = reward_decoding.judge(
            count * posterior, count, 1.0, anchor, self._parameters
        )
        cap = self.model.inverse_kinematics.weight_cap
        self._classifier.learn_one(seen, shown.id, w=weight if cap is None else min(weight, cap))
        features = self._action_features(impression.context, shown)
        self._regressor.learn_one(features, float(out[kernel_columns.REWARD]), w=_capped(weight, self.model.bandit))

    def scores(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> NDArray[np.float64]:
        """Return the predicted reward of each action, as the snapshot of this moment would."""
        weights = self._regressor.weights
        return np.array(
            [
                math.fsum(weights.get(i, 0.0) * x for i, x in self._action_features(context, action).items())
                for action in actions
            ]
        )

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the probability with which to show each action, as the snapshot of this moment would."""
        return exploration.probabilities(self.scores(context, actions).tolist(), self.exploration)

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment. A stock classifier has no weights that others could read."""
        weights = {int(i): float(w) for i, w in dict(self._regressor.weights).items() if w}
        indices = sorted(weights)
        bandit = Weights(indices, [weights[i] for i in indices])
        return msgspec.structs.replace(super().snapshot(parent), bandit=bandit, inverse_kinematics=None)

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {
            **super().state(),
            "river": RIVER_VERSION,
            "classifier": to_plain(self._classifier),
            "regressor": to_plain(self._regressor),
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is. Raises `StateError` if it cannot."""
        learner = super().restore(model, state)
        if state.get("river") != RIVER_VERSION:
            raise StateError(
                f"the estimators of model {model.name!r} were written by River {state.get('river')}, this is "
                f"{RIVER_VERSION}: install that version, or give the model a new name"
            )
        learner._classifier = restored_estimator(state.get("classifier"), learner._classifier, "a")
        learner._regressor = restored_estimator(state.get("regressor"), learner._regressor, 1.0)
        return learner

    def _feedback_features(self, context: Mapping[str, FeatureValue], signal: str) -> Features:
        of_signal = hashed(signal)
        return self._crosses(context, [(of_signal, 1.0)])

    def _action_features(self, context: Mapping[str, FeatureValue], action: Action) -> Features:
        return self._crosses(context, action_features(action))

    def _crosses(self, context: Mapping[str, FeatureValue], others: Sequence[tuple[int, float]]) -> Features:
        features = context_features(context, self.model.context_crosses)
        if len(features) > 1 and not self.model.shared_weights:
            del features[0]
        mask = (1 << self.model.hash_bits) - 1
        crosses: Features = {}
        for g, x in features:
            for h, y in others:
                index = crossed(g, h) & mask
                crosses[index] = crosses.get(index, 0.0) + x * y
        return crosses


def _capped(weight: float, bandit: BanditConfig) -> float:
    return weight if bandit.weight_cap is None else min(weight, bandit.weight_cap)
