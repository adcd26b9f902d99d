"""How thorough properties are, HYPOTHESIS_PROFILE=nightly drawing 10,000 examples of each; and logs put back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

# No example has a deadline, nor has drawing them: how long they take is the machine's doing.
settings.register_profile("everyday", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("everyday"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))


class _SetUp(NamedTuple):
    level: int = logging.NOTSET
    propagate: bool = True
    disabled: bool = False
    filters: tuple[Any, ...] = ()


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Undo what commands set up that run in the process of the tests, of every logger."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    before = {one: _SetUp(one.level, one.propagate, one.disabled, tuple(one.filters)) for one in _loggers()}
    yield
    root.handlers[:] = handlers
    for one in _loggers():
        was = before.get(one, _SetUp())
        one.setLevel(was.level)
        one.propagate, one.disabled, one.filters[:] = was.propagate, was.disabled, was.filters
    logging.disable(logging.NOTSET)
    logging.captureWarnings(False)


def _loggers() -> list[logging.Logger]:
    named = logging.Logger.manager.loggerDict.values()
    return [logging.getLogger(), *(one for one in named if isinstance(one, logging.Logger))]
