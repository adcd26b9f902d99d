"""How often Python looks for cyclic garbage in a worker."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (200_000, 20, 50)
"""New objects before the young are looked through, and how often before the older ones are."""


def collect_seldom() -> None:
    """Look for cyclic garbage less often, and never among what is there now.

    A worker makes and drops records by the ten thousand, without cycles; Python would look through the impressions
    that wait again and again: a sixth of the join's time. Call it when everything has been imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
