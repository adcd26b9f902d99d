"""Clocks that are off by as many hours as local time is from UTC: what an app wrote without its zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MINUTE_MS: Final = 60_000
QUARTER_MS: Final = 15 * MINUTE_MS
TOLERANCE_MS: Final = MINUTE_MS
"""How near to a zone's hours a difference has to be: clocks are off a little, and sending takes time."""
MOST_HOURS: Final = 14
FEW: Final = 3
"""Differences that may be so by chance."""
MANY: Final = 0.05
"""A share of differences of hours that is more than accidents."""
MOST: Final = 0.8
"""A share of them that is nearly all."""


def zone_hours(ms: float) -> float | None:
    """Return how many hours ahead (below 0: behind) this looks like, None where no zone is that far from UTC.

    Zones are off by whole, half or three quarters of hours.
    """
    quarters, off = divmod(abs(ms) + TOLERANCE_MS, QUARTER_MS)
    hours = quarters / 4
    if off > 2 * TOLERANCE_MS or not 1 <= hours <= MOST_HOURS or quarters % 4 == 1:
        return None
    return hours if ms > 0 else -hours


def common_hours(differences: Sequence[float], spread_ms: float) -> float | None:
    """Return by how many hours many of these differences (ms) are off as one zone is, None where they are not.

    Each is longer than that by a delay of its own, which is mostly below `spread_ms`.
    """
    far = sorted(one for one in differences if abs(one) >= 4 * QUARTER_MS - TOLERANCE_MS)
    if len(far) < max(FEW, MANY * len(differences)):
        return None
    least = far[len(far) // 20]
    alike = sum(least - 2 * TOLERANCE_MS <= one <= least + spread_ms for one in far)
    return zone_hours(least) if alike >= MOST * len(far) else None


def in_words(hours: float) -> str:
    """Return what so many hours ahead (below 0: behind) look like."""
    return f"about {abs(hours):g} h {'ahead' if hours > 0 else 'behind'}, as local time is that was written for UTC"
