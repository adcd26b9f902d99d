"""What `groundswell doctor` makes of how often each action was shown: as often as the logged probabilities have it?

Pure; `examination.py` looks at the last impressions. An app that acts by another rule than it logs (it shows the best
nine times of ten, and logs one of three) has propensities that look right by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt
from typing import Final

from groundswell.events import Impression
from streams.doctor.findings import Finding, passed, warned
from streams.words import counted

ENOUGH: Final = 100
"""Impressions of which the probabilities of all actions are known."""
DEVIATIONS: Final = 6.0
"""Beyond what chance explains: one of a thousand actions is so by chance once in half a million looks."""
OFF: Final = 0.1
"""A share of the impressions by which an action has to be off as well: apps round, and a canary is not all."""
ALIKE: Final = 0.01
"""How near to 1/K a propensity is with which all actions were as likely."""


def of_shown_shares(model: str, impressions: Sequence[Impression]) -> Finding:
    """Judge whether a model's last impressions show each action as often as they say that they would."""
    check = f"shares of {model}"
    shown: dict[str, int] = defaultdict(int)
    expected: dict[str, float] = defaultdict(float)
    variance: dict[str, float] = defaultdict(float)
    known = 0
    for one in impressions:
        probabilities = _probabilities(one)
        if probabilities is None:
            continue
        known += 1
        shown[one.actions[one.chosen].id] += 1
        for action, probability in zip(one.actions, probabilities, strict=True):
            expected[action.id] += probability
            variance[action.id] += probability * (1 - probability)
    if known < ENOUGH:
        return passed(check, f"too few impressions say how likely all actions were ({known:,}) to compare them")
    off = {action: abs(shown[action] - mean) for action, mean in expected.items()}
    wrong = [action for action in off if off[action] > max(DEVIATIONS * sqrt(variance[action]), OFF * known)]
    if not wrong:
        return passed(
            check, f"of the last {counted(known, 'impression')} each action is shown about as often as logged"
        )
    worst = max(wrong, key=off.__getitem__)
    return warned(
        check,
        f"{worst!r} was shown in {shown[worst]:,} of the last {counted(known, 'impression')}, and by the logged "
        f"probabilities in about {expected[worst]:,.0f}: what is logged is not what was drawn by",
        "log the probabilities of the very rule that chose, exploration included, and draw by them (an app that asks "
        "groundswell logs the decision as it is). What is learned, and every estimate of a policy, rests on them",
    )


def _probabilities(impression: Impression) -> Sequence[float] | None:
    """Return those of all actions, None where they are not known, or there was no choice."""
    count = len(impression.actions)
    if count < 2 or impression.weight != 1.0:  # a log that was sub-sampled by what came back has other shares
        return None
    if impression.probabilities is not None:
        return impression.probabilities
    even = abs(impression.chosen_propensity * count - 1) <= ALIKE
    return [1 / count] * count if even else None
