"""Which learner a model's configuration asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from groundswell.events import NONE_SIGNAL, Action, Impression, Interaction, Source
from processors.admission.interaction_records import InteractionReader
from processors.learners.embedding_learner import EmbeddingLearner
from processors.learners.learner import Learner
from processors.learners.papers_learner import PapersLearner
from processors.learners.shard_learner import PapersShard, ThreeStateShard
from processors.learners.stock_learner import StockLearner
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig


def learner_for(model: ModelConfig) -> Learner:
    """Return a new learner of the model. Raises `EstimatorError` where a stock estimator that it names cannot serve."""
    return _kind(model)(model)


def restored_learner(model: ModelConfig, state: Mapping[str, Any]) -> Learner:
    """Return the learner whose `state()` this is. Raises `StateError` where it cannot continue from it."""
    return _kind(model).restore(model, state)


def warm_up(models: Iterable[ModelConfig]) -> None:
    """Compile what these models need now rather than at the first interaction: it takes seconds where it is not cached.

    Raises `EstimatorError` where one of them names a stock estimator that cannot serve.
    """
    InteractionReader({}).read([None])
    for model in models:
        learner = learner_for(model)
        learner.learn([_interaction(f"u{number}") for number in range(3)])
        learner.snapshot(None), learner.violated
        if isinstance(learner, EmbeddingLearner):
            learner.refresh()


def _kind(model: ModelConfig) -> type[Learner]:
    if model.inverse_kinematics.embeds:
        return EmbeddingLearner
    if model.inverse_kinematics.estimator or model.bandit.estimator:
        return StockLearner
    sharded = model.sharded_by is not None
    if model.reward.rule == "three-state":
        return ThreeStateShard if sharded else ThreeStateLearner
    return PapersShard if sharded else PapersLearner


def _interaction(user: str) -> Interaction:
    impression = Impression(
        schema_version=1,
        impression_id="i",
        occurred_at=0,
        model="m",
        context={"user": user},
        actions=[Action("a"), Action("b"), Action("c")],
        chosen=0,
        propensity=1.0,
    )
    source = Source(partition=0, offset=0, floor=0)
    return Interaction(schema_version=1, source=source, impression=impression, feedback=[], signals=[NONE_SIGNAL])
