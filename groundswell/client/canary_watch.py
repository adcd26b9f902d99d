"""Whether the feature of a canary tells the people of an app apart: without it all of them are the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from groundswell.controls import Canary, Control, is_told_apart
from groundswell.events import FeatureValue

ENOUGH: Final = 20
"""Decisions under one control of which none has the feature, before that is said."""
LATELY: Final = 1_000
"""So many in a row where some had it: people who are not signed in may have none."""
MOST_NAMES: Final = 8
LONGEST_NAME: Final = 60


class CanaryWatch:
    """Counts the contexts in a row that a canary's feature does not tell apart. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: int | None = None
        self._apart = False
        self._in_a_row = 0
        self._problem: str | None = None

    def saw(self, control: Control, context: Mapping[str, FeatureValue]) -> None:
        """Take in a context that was decided in under a control of the mode `canary`."""
        if control.canary is None:
            return
        apart = is_told_apart(control.model, control.canary, context)
        with self._lock:
            if control.version != self._version:
                self._version, self._apart, self._in_a_row, self._problem = control.version, False, 0, None
            if apart:
                self._apart, self._in_a_row, self._problem = True, 0, None
                return
            self._in_a_row += 1
            if self._in_a_row == (LATELY if self._apart else ENOUGH):
                lacking = nobody_in_it(control.model, control.canary, context)
                self._problem = f"of the last {self._in_a_row:,} decisions {lacking}"

    def problem(self, control: Control | None) -> str | None:
        """Return what is wrong with the canary of this control, None where nothing is."""
        with self._lock:
            return None if control is None or control.version != self._version else self._problem


def nobody_in_it(model: str, canary: Canary, names: Iterable[str]) -> str:
    """Return that a canary tells nobody apart, and what to do; `names` are those of the features that contexts have."""
    there = list(names)
    if canary.feature in there:
        why = f"none has a {canary.feature!r} that is text or a whole number"
        hint = "choose a feature that is, or log it so"
    else:
        why = f"none has the feature {canary.feature!r}"
        close = get_close_matches(canary.feature.lower(), there, n=1)
        some = ", ".join(repr(one[:LONGEST_NAME]) for one in there[:MOST_NAMES])
        hint = f"did you mean {close[0]!r}?" if close else f"there are {some}" if some else "they have no features"
    return (
        f"{why}, by which the canary of {model!r} tells people apart ({hint}): all are the rest. Set the control anew "
        "with another --feature (`groundswell control set`), or give contexts this one"
    )
