"""How long the join waits, and how much it holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SHORTEST = 0.001
"""Times are kept in milliseconds: with a wait of none, every impression out of order would be late."""
LONGEST = 1e8
"""More than three years, in seconds: sums of such times fit into what is kept of them."""


class JoinConfig(BaseModel):
    """How long to wait for feedback. All times in seconds of event time unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    wait: float = Field(
        600.0,
        ge=SHORTEST,
        le=LONGEST,
        description="how long after an impression its feedback counts; one that is logged later than this and the "
        "grace is late, and not learned",
    )
    grace: float = Field(30.0, ge=0, le=LONGEST, description="how far out of order a log may be")
    backward: float = Field(
        60.0,
        ge=0,
        le=LONGEST,
        description="how long before its impression feedback may have occurred (clocks of apps differ)",
    )
    activation: float = Field(
        600.0,
        ge=0,
        le=LONGEST,
        description="how long after a deferred impression it may be shown; one that never is is not learned",
    )
    remember: float = Field(
        600.0,
        ge=0,
        le=LONGEST,
        description="how long after closing an impression is known, to tell late feedback and duplicates",
    )
    idle: float | None = Field(
        5.0,
        gt=0,
        le=LONGEST,
        description="wall-clock seconds after which a log read to its end, whose time nothing moves, advances with the "
        "clock; none: never",
    )
    max_pending: int = Field(
        5_000_000, gt=0, description="pending impressions of a partition beyond which the oldest are evicted"
    )
    max_pending_bytes: int = Field(
        1_000_000_000,
        gt=0,
        description="bytes of memory that they and their feedback take, at 600 each beside their own, beyond which the "
        "oldest are evicted; what lies in `spill_folder` does not count. What is kept, packed, of what came is thinned "
        "beyond it, too",
    )
    max_early: int = Field(
        1_000_000,
        gt=0,
        description="feedback of a partition waiting for its impression beyond which the oldest is given up",
    )
    max_early_bytes: int = Field(
        500_000_000,
        gt=0,
        description="bytes of memory that it takes, at 600 each beside their own, beyond which the oldest is given up",
    )
