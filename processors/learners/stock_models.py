"""Stock River models by configuration: built from their import path, and refused where they cannot serve."""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable
from importlib import import_module
from typing import Any

from river import base, multiclass

from processors.learners.stock_state import UnplainError, from_plain, plain_copy
from processors.models.config import StockEstimator
from processors.wire.plain_state import MalformedError, require

SAMPLE: dict[Hashable, Any] = {1: 1.0, 2: 0.5}


class EstimatorError(Exception):
    """A configured estimator that cannot serve; the message says why and what to do."""


def build_classifier(config: StockEstimator) -> Any:
    """Return a classifier of many classes with sample weights; a binary one is wrapped one-versus-rest.

    Raises `EstimatorError` where the class is none, takes no weights, or cannot be checkpointed.
    """
    model = _built(config)
    if not isinstance(model, base.Classifier):
        raise EstimatorError(
            f"{config.path} is no classifier, and the inverse kinematics has to name an action: take one"
        )
    _check_weights(config, model)
    if not model._multiclass:
        model = multiclass.OneVsRestClassifier(model)
    tried = model.clone()
    for label in ("a", "b", "c"):
        _try(config, tried, label)
    _check_plain(config, tried)
    return model


def build_regressor(config: StockEstimator) -> Any:
    """Return a linear regressor with sample weights.

    Raises `EstimatorError` where the class is none, takes no weights, is not linear, or cannot be checkpointed.
    """
    model = _built(config)
    if not isinstance(model, base.Regressor):
        raise EstimatorError(f"{config.path} is no regressor, and the bandit has to predict a reward: take one")
    _check_weights(config, model)
    tried: Any = model.clone()
    _try(config, tried, 1.0)
    if not hasattr(tried, "weights"):
        raise EstimatorError(
            f"{config.path} has no linear weights, and a published policy is a list of them: apps could not evaluate "
            "it. Take a class of river.linear_model, or leave the bandit's estimator out"
        )
    _check_plain(config, tried)
    return model


def restored_estimator(plain: Any, built: Any, target: object) -> Any:
    """Return the estimator whose `to_plain` this is, and which was configured as `built` is.

    A copy of it is tried on the sample with this target. Raises `MalformedError` where it is another or does not serve.
    """
    made, tried = from_plain(plain), from_plain(plain)
    named = f"{type(built).__module__}.{type(built).__qualname__}"
    require(type(made) is type(built), f"an estimator's state: it is a {type(made).__qualname__}, not a {named}")
    try:
        tried.learn_one(SAMPLE, target, w=1.0)
        predicted = tried.predict_proba_one(SAMPLE) if isinstance(built, base.Classifier) else tried.weights
        numbers = [float(value) for value in dict(predicted).values()]
    except Exception as error:  # whatever comes of attributes that are something else
        raise MalformedError(f"an estimator's state: as {named} it fails: {type(error).__name__}: {error}") from error
    require(all(map(math.isfinite, numbers)), f"an estimator's state: as {named} it predicts what is no number")
    return made


def _built(config: StockEstimator) -> Any:
    module, _, name = config.path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise EstimatorError(
            f"there is no {config.path} in the installed River: {error}. Name a class by its whole path, as "
            "river.linear_model.LogisticRegression"
        ) from error
    parameters = {key: _parameter(value) for key, value in config.parameters.items()}
    try:
        return kind(**parameters)
    except TypeError as error:
        takes = ", ".join(name for name in inspect.signature(kind).parameters)
        raise EstimatorError(
            f"{config.path} cannot be made with {', '.join(sorted(parameters)) or 'no parameters'}: {error}. It takes "
            f"{takes}"
        ) from error


def _parameter(value: Any) -> Any:
    if isinstance(value, dict) and set(value) <= {"class", "parameters"} and "class" in value:
        return _built(StockEstimator.model_validate(value))
    return value


def _check_weights(config: StockEstimator, model: Any) -> None:
    parameters = inspect.signature(model.learn_one).parameters
    passes_on = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    if "w" not in parameters and not passes_on:
        raise EstimatorError(
            f"{config.path} takes no sample weights: what is shown more often would look like what people mean. Take "
            "one whose learn_one has `w`, or leave the estimator out"
        )


def _try(config: StockEstimator, model: Any, target: object) -> None:
    try:
        model.learn_one(SAMPLE, target, w=1.0)
    except TypeError as error:
        raise EstimatorError(
            f"{config.path} does not learn with a sample weight: {error}. Take another, or leave the estimator out"
        ) from error


def _check_plain(config: StockEstimator, model: Any) -> None:
    try:
        plain_copy(model)
    except UnplainError as error:
        raise EstimatorError(
            f"{config.path} cannot be checkpointed without pickle: it holds {error}. Leave the estimator out, or take "
            "one of river.linear_model"
        ) from error
