"""Stock River estimators named in a configuration: built, or refused with the consequence."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from river import base

from processors.plain import NotPlainError, flattened


class Estimator(BaseModel):
    """A stock River class by import path, for example `river.linear_model.LogisticRegression`.

    `parameters` are its keyword arguments; one that is itself `{"class": …, "parameters": {…}}` is built
    likewise, so that an optimiser can be given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: Annotated[str, Field(alias="class", pattern=r"^river(\.[A-Za-z_]+)+$")]
    parameters: dict[str, Any] = {}


def build_classifier(estimator: Estimator) -> Any:
    """Return the classifier for the inverse kinematics.

    Raises:
        ValueError: it cannot serve; the message says why.
    """
    instance = _build(estimator)
    if not isinstance(instance, base.Classifier):
        raise ValueError(f"{estimator.path} is no classifier: it cannot tell which action was shown")  # noqa: TRY004
    return instance


def build_bandit(estimator: Estimator) -> Any:
    """Return the regressor for the bandit.

    Raises:
        ValueError: it cannot serve; the message says why.
    """
    instance = _build(estimator)
    if not isinstance(instance, base.Regressor) or not hasattr(instance, "weights"):
        raise ValueError(
            f"{estimator.path} is no linear regressor: apps could not evaluate its policy from a snapshot"
        )
    return instance


def _build(estimator: Estimator) -> Any:
    """Return an instance of the class that the configuration names.

    Raises:
        ValueError: there is no such class, it does not take these parameters, takes no sample weights, or
            cannot be kept in a checkpoint; the message says what follows from it.
    """
    module, _, name = estimator.path.rpartition(".")
    try:
        instance = getattr(importlib.import_module(module), name)(
            **{key: _built(value) for key, value in estimator.parameters.items()}
        )
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"cannot build {estimator.path}: {error}") from error
    if not hasattr(instance, "learn_one") or "w" not in inspect.signature(instance.learn_one).parameters:
        raise ValueError(
            f"{estimator.path} takes no sample weights (`learn_one(x, y, w=…)`): it would learn what the "
            "policy shows, not what feedback tells"
        )
    try:
        flattened(instance)
    except NotPlainError as error:
        raise ValueError(f"{estimator.path} cannot be kept in a checkpoint without pickle: {error}") from error
    return instance


def _built(value: Any) -> Any:
    if isinstance(value, dict) and "class" in value:
        nested = Estimator.model_validate(value)
        module, _, name = nested.path.rpartition(".")
        parameters = {key: _built(item) for key, item in nested.parameters.items()}
        return getattr(importlib.import_module(module), name)(**parameters)
    return value
