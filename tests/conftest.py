"""How thorough properties are: HYPOTHESIS_PROFILE=nightly draws 10,000 examples of each."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
