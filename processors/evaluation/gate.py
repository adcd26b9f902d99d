"""Whether a candidate may go live: what the confidence sequence of the difference to the live policy says, in words.

The sequence bounds what the candidate would have earned more than the live policy, on the average of the interactions
so far. By the rule "beats" it passes when that is surely above 0, by "not_worse" when it is surely above -`margin`;
it is refused when it surely is not, and else it waits. Surely: at all times together the rule is wrong with a
probability of `error` at most, so it may be asked after each interaction (gated deployment: Karampatziakis, Mineiro &
Ramdas 2021; arXiv 2210.10768).
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from processors.evaluation.confidence_sequence import ERROR, Interval

Verdict = Literal["passes", "refused", "undecided"]
MOST_MARGIN: Final = 2.0
"""Rewards lie between -1 and 1."""
MOST_UNSUPPORTED: Final = 0.05
"""Beyond this share of decisions in which the candidate would show what the log cannot speak of, it is said."""
MOST_TIMES: Final = 1_000
"""So many times the interactions there are: beyond that nothing is foretold."""


class Rule(Struct, frozen=True):
    """What a candidate has to be: better than the live policy (`margin` 0), or not worse than it by more than `margin`.

    `margin` is in units of the reward, of which the whole range is 2.
    """

    kind: Literal["beats", "not_worse"] = "beats"
    margin: Annotated[float, Meta(ge=0, le=MOST_MARGIN)] = 0.0
    error: Annotated[float, Meta(gt=0, lt=1)] = ERROR

    def __post_init__(self) -> None:
        if self.kind == "beats" and self.margin:
            raise ValueError(
                "margin: whoever has to beat the live policy has none; set kind to not_worse, or leave it out"
            )
        if self.kind == "not_worse" and not 0 < self.margin <= MOST_MARGIN:
            raise ValueError(
                f"margin: a loss above 0 and of no more than {MOST_MARGIN:g}; to beat the live policy is kind beats"
            )
        if not 0 < self.error < 1:
            raise ValueError("error: a probability above 0 and below 1, as .05")


class Decision(NamedTuple):
    """A verdict and its reason, for people."""

    verdict: Verdict
    reason: str


def decide(
    rule: Rule, interval: Interval, count: int, supported: float = 1.0, *, misweighted: bool = False
) -> Decision:
    """Return whether a candidate goes live after `count` interactions, from the interval of candidate minus live.

    The interval has to be of the rule's error. `supported` is the share of what the candidate would show of which the
    log speaks. Where one of the two is `misweighted`, what all rests on does not hold, and nothing is decided.
    """
    least = -rule.margin if rule.kind == "not_worse" else 0.0
    wanted = (
        f"no worse than the live policy by more than {rule.margin:g}" if rule.margin else "better than the live policy"
    )
    bounds = f"{interval.low:+.3f} to {interval.high:+.3f}"
    where = f"after {count:,} interactions its reward differs from the live policy's by {bounds}"
    sure = f"with {1 - rule.error:.0%} confidence at all times together"
    if count == 0:
        return Decision("undecided", f"it has to be {wanted}, and there is no interaction yet to tell by")
    if interval.contradictory:
        return Decision(
            "undecided",
            f"it cannot be told: {where}, and no number lies in there. Logged probabilities are not those that were "
            f"acted by, or a chance of one in {1 / rule.error:.0f} came: see that apps log what they draw by",
        )
    if misweighted:
        return Decision(
            "undecided",
            f"it cannot be told: {where}, which holds only where logged probabilities are those that were acted by, "
            "and the weights say that they are not: see that apps log what they draw by",
        )
    if interval.low > least:
        return Decision("passes", f"it is {wanted}: {where}, {sure}")
    if interval.high <= least:
        return Decision("refused", f"it is not {wanted}: {where}, {sure}")
    return Decision(
        "undecided",
        f"it is not known to be {wanted}: {where}, {sure}; {_what_helps(interval, count, least, supported)}",
    )


def _what_helps(interval: Interval, count: int, least: float, supported: float) -> str:
    """Return what would bring a decision."""
    if 1 - supported > MOST_UNSUPPORTED:
        return (
            f"{1 - supported:.0%} of what it would show is never shown there, which more of the same log cannot tell: "
            "let the live policy explore"
        )
    off = abs((interval.low + interval.high) / 2 - least)
    half = (interval.high - interval.low) / 2
    if half > MOST_TIMES**0.5 * off:
        return "the two are so close, or the log says so little, that it may stay so"
    # Widths shrink with the square root of the interactions, or somewhat slower.
    needed = count * (half / off) ** 2
    digits = 10 ** math.floor(math.log10(needed))
    return f"if it goes on so, about {math.ceil(needed / digits) * digits:,} interactions in all would tell"
