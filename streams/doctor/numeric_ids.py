"""What `groundswell doctor` makes of numbers in contexts and of actions: quantities, or names?

Pure; `examination.py` looks at the last impressions.
"""

from __future__ import annotations

from collections.abc import Sequence

from groundswell.events import Impression
from streams.doctor.findings import Finding, passed, warned
from streams.observing.conditions import NUMERIC_ID
from streams.observing.numeric_ids import NumericIds, in_words
from streams.words import counted


def of_numeric_ids(model: str, impressions: Sequence[Impression]) -> Finding:
    """Judge whether numbers in a model's last impressions seem to be ids, or times."""
    check = f"numbers of {model}"
    contexts, shown = NumericIds(), NumericIds()
    contexts.observe(one.context for one in impressions)
    shown.observe(one.actions[one.chosen].features for one in impressions)
    found = [*contexts.judged(), *((f"{name} (of actions)", says) for name, says in shown.judged())]
    says = in_words(found)
    if says is None:
        return passed(check, f"of the last {counted(len(impressions), 'impression')} none seems to be an id")
    return warned(check, says, NUMERIC_ID.do)
