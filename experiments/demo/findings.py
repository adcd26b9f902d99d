"""What a run found beside the policy: what stayed unknown, what each signal is worth, which signal tells the action."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.demo.audit import UNKNOWN, Judged
from groundswell.worth import Worth, WorthTable


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The states that data could not tell, of the whole run.

    `reasons` counts them by why; `last` is the number of the interaction, from 1 on, after which none was unknown.
    """

    count: int
    share: float
    reasons: dict[str, int]
    last: int | None


class SignalFigure(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal was learned to be worth, over all people, and what it is truly worth.

    `log_odds`, `low`, `high` and `doubt` are as in `groundswell.worth.Worth`. `true_share` is how much of what was
    learned from it left people satisfied, if all actions were shown alike, which only the simulator knows; `holds` says
    whether that lies between the bounds. Both are None where there is nothing to compare.
    """

    signal: str
    log_odds: float | None
    low: float | None
    high: float | None
    doubt: str | None
    true_share: float | None
    holds: bool | None


class LeakFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that tells the action whatever people think of it.

    `share` of it is explained by which action was shown. It was found when about `found_after` interactions were
    learned: the worker is asked once a second. `left_out` says that it has not been learned from since.
    """

    signal: str
    share: float
    left_out: bool
    found_after: int


def unknown_states(judged: Sequence[Judged]) -> Unknown:
    """Count what was unknown, and why."""
    places = [place for place, one in enumerate(judged, start=1) if one.state == UNKNOWN]
    return Unknown(
        count=len(places),
        share=len(places) / max(len(judged), 1),
        reasons=dict(Counter(judged[place - 1].doubt or "unsaid" for place in places).most_common()),
        last=places[-1] if places else None,
    )


def signal_figures(table: WorthTable | None, judged: Sequence[Judged], truths: NDArray[np.int8]) -> list[SignalFigure]:
    """Set what was learned of each signal beside the truth; `truths` holds the latent state of each of `judged`."""
    if table is None:
        return []
    came: defaultdict[str, float] = defaultdict(float)
    satisfied: defaultdict[str, float] = defaultdict(float)
    for one, truth in zip(judged, truths.tolist(), strict=True):
        came[one.signal] += one.weight
        satisfied[one.signal] += one.weight * (truth == 1)
    return [
        _beside(row, satisfied[row.signal] / came[row.signal] if came[row.signal] else None)
        for row in table.rows
        if row.segment is None
    ]


def _beside(row: Worth, true_share: float | None) -> SignalFigure:
    return SignalFigure(
        signal=row.signal,
        log_odds=row.log_odds,
        low=row.low,
        high=row.high,
        doubt=row.doubt,
        true_share=true_share,
        holds=None if true_share is None or row.log_odds is None else holds(row, true_share),
    )


def holds(row: Worth, share: float) -> bool:
    """Say whether a share lies between the bounds of its log odds."""
    log_odds = math.inf if share >= 1.0 else -math.inf if share <= 0.0 else math.log(share / (1.0 - share))
    return (row.low is None or row.low <= log_odds) and (row.high is None or log_odds <= row.high)


def share_of(log_odds: float | None, otherwise: float) -> float:
    """Return a share from its log odds; `otherwise` is where there is no bound."""
    return otherwise if log_odds is None else 1.0 / (1.0 + math.exp(-log_odds))
