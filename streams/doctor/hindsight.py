"""What `groundswell doctor` makes of contexts beside what came back: was anything in them written afterwards?

Pure; `examination.py` looks at the last interactions.
"""

from __future__ import annotations

from streams.doctor.findings import Finding, passed, warned
from streams.observing.hindsight import Hindsight
from streams.words import counted


def of_hindsight(model: str, seen: Hindsight) -> Finding:
    """Judge whether features of a model's last interactions hold what came back."""
    check, of = f"hindsight in {model}", f"of the last {counted(seen.impressions, 'interaction')}"
    found = [f"{name!r} {says}" for name, says in seen.judged()]
    if not found:
        return passed(check, f"{of} no feature of the context tells what came back")
    return warned(
        check,
        f"{of}: {'; '.join(found[:3])}",
        "leave it out of `context`: that is what is known before anything is shown, and by what comes afterwards "
        "nothing can be decided. Log it as feedback",
    )
