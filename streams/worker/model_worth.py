"""What the signals of one model are worth on one partition, by the segments of its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.events import Interaction
from groundswell.worth import WorthTable
from processors.admission.interaction_records import contexts
from processors.learners.reward_columns import RewardColumns
from processors.learners.signal_reading import Leak
from processors.learners.signal_worth import SignalWorth
from processors.learners.value_quantiles import bucket_names
from processors.models.config import ModelConfig
from processors.wire.plain_state import require
from streams.observing.context_segments import Segments
from streams.settings import SegmentSettings


class ModelWorth:
    """Follows the rewards of one model; of a rule that gives the states no probabilities there is nothing to say."""

    def __init__(self, model: ModelConfig, settings: SegmentSettings | None, state: Mapping[str, Any] | None) -> None:
        """Go on from what a checkpoint has, unless segments were values of another feature then."""
        self._model = model
        self._feature = None if settings is None else settings.feature
        if state is not None and feature_of(state) == self._feature:
            self._worth = SignalWorth.restore(model, state)
        else:
            self._worth = SignalWorth(model)
        self._segments = None if settings is None else Segments(settings, self._worth.segments)

    def learned(self, interactions: Sequence[Interaction], rewards: RewardColumns) -> None:
        """Take in what came of a stretch."""
        if rewards.probabilities is None:
            return
        segments = None
        if self._segments is not None:
            label, shown = self._segments.label, contexts(interactions)
            segments = [label(shown[place]) for place in rewards.places]
        self._worth.add(rewards.signals, segments, rewards.probabilities, rewards.uninformed, rewards.weights)

    def table(self, interactions: int, others: Sequence[Mapping[str, Any]], leaking: Mapping[str, Leak]) -> WorthTable:
        """Return the table after so many interactions.

        `others` are the states of the model's other shards, `leaking` the signals that were found to tell the action.
        """
        left_out = {
            name for signal, leak in leaking.items() if leak.left_out for name in (signal, *bucket_names(signal))
        }
        same = [SignalWorth.restore(self._model, one) for one in others if feature_of(one) == self._feature]
        rows, further = self._worth.rows(same, left_out)
        return WorthTable(
            model=self._model.name, interactions=interactions, feature=self._feature, rows=rows, further=further
        )

    def state(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {"feature": self._feature, **self._worth.state()}


def checked_worth(model: ModelConfig, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a state, from which `ModelWorth` can go on. Raises `MalformedError` where it cannot."""
    feature_of(state), SignalWorth.restore(model, state)
    return state


def feature_of(state: Mapping[str, Any]) -> str | None:
    """Return the feature whose values were the segments of a state. Raises `MalformedError` where it names none."""
    feature = state.get("feature")
    require(
        "feature" in state and isinstance(feature, str | None), "what signals are worth: its segments are of nothing"
    )
    return feature
