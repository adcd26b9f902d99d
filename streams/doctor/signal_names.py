"""What `groundswell doctor` makes of the names of signals: are they written as they come, and do they come again?

Pure; `examination.py` looks at the last feedback.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from streams.doctor.findings import Finding, passed, warned
from streams.observing.conditions import SIGNAL_MISSPELT, SIGNALS_NEVER_AGAIN
from streams.observing.signal_names import LONGEST, in_words, misspelt, never_again
from streams.words import counted

CHECK = "signals"
MOST_SHOWN = 5
"""Signals that are listed, the commonest."""


def of_signals(signals: Sequence[str], named: Collection[str]) -> Finding:
    """Judge the signals of the last feedback by those that the configuration names."""
    came = Counter(signals)
    if (says := never_again(came)) is not None:
        return warned(CHECK, says, SIGNALS_NEVER_AGAIN.do)
    if wrong := misspelt(came, named):
        says = "; ".join(in_words(name, meant, came[name]) for name, meant in wrong)
        return warned(CHECK, says, SIGNAL_MISSPELT.do)
    each = ", ".join(f"{name[:LONGEST]} {number:,}" for name, number in came.most_common(MOST_SHOWN))
    more = f" and {len(came) - MOST_SHOWN} more" if len(came) > MOST_SHOWN else ""
    return passed(CHECK, f"of the last {counted(len(signals), 'piece')} of feedback: {each}{more}")
