"""How thorough properties are, HYPOTHESIS_PROFILE=nightly drawing 10,000 examples of each; and logs put back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No example has a deadline, nor has drawing them: how long they take is the machine's doing.
settings.register_profile("everyday", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("everyday"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Undo what commands set up that run in the process of the tests."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
