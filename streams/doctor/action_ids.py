"""What `groundswell doctor` makes of the ids of actions: do they come back, so that something can be learned of them?

Pure; `examination.py` looks at the last impressions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from groundswell.events import Impression
from streams.doctor.findings import Finding, passed, warned
from streams.words import counted

ENOUGH: Final = 100
"""Decisions before anything is said."""
NEARLY_ALL: Final = 0.99
"""A share of offers under an id of one decision alone that no catalogue explains which apps really choose from."""


def of_action_ids(model: str, impressions: Sequence[Impression]) -> Finding:
    """Judge whether the ids of a model's last impressions come back; what has features is known by them anyway."""
    check = f"action ids of {model}"
    met = _offers(one for one in impressions if len(one.actions) > 1)
    decisions = {one for offered in met.values() for one in offered}
    offers = sum(len(offered) for offered in met.values())
    fresh = sum(len(offered) == 1 and not any(offered.values()) for offered in met.values())
    seen = f"of the last {counted(len(decisions), 'decision')}"
    if len(decisions) < ENOUGH or fresh < NEARLY_ALL * offers:
        return passed(check, f"{seen} nothing speaks against them")
    return warned(
        check,
        f"{seen} nearly all action ids ({fresh:,} of {offers:,}) were met once only, and without features: nothing is "
        "learned of an action that does not come back",
        "give the same thing the same id in every impression, and describe things that are always new by `features` of "
        "their actions (docs/clients.md)",
    )


def _offers(impressions: Iterable[Impression]) -> dict[str, dict[str, bool]]:
    """Return by id of an action the decisions that offered it, and whether with features.

    Slots of one decision offer the same actions, and an impression that was sent twice is one.
    """
    met: dict[str, dict[str, bool]] = defaultdict(dict)
    for one in impressions:
        decision = one.impression_id if one.decision is None else one.decision.id
        for action in one.actions:
            met[action.id][decision] = bool(action.features)
    return met
