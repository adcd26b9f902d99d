"""What `groundswell doctor` makes of texts in contexts: people and things that come back, or what is new each time?

Pure; `examination.py` looks at the last impressions. A person may be new each time among very many; what tells is the
name, or that it is the id of the impression itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from groundswell.events import Impression
from streams.doctor.findings import Finding, passed, warned
from streams.words import counted

ENOUGH: Final = 100
"""Texts of a feature before anything is said."""
_PASSING: Final = frozenset({
    "request", "req", "impression", "event", "trace", "span", "correlation", "uuid", "guid", "nonce", "timestamp", "ts",
    "time", "datetime", "date", "now",
})  # fmt: skip
_TOKEN: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def of_passing_texts(model: str, impressions: Sequence[Impression]) -> Finding:
    """Judge whether the texts in a model's last contexts come back."""
    check = f"texts of {model}"
    texts: dict[str, list[str]] = defaultdict(list)
    own: dict[str, int] = defaultdict(int)
    for one in {each.impression_id: each for each in impressions}.values():
        for name, value in one.context.items():
            if isinstance(value, str):
                texts[name].append(value)
                own[name] += value == one.impression_id
    found = [
        name
        for name, came in texts.items()
        if len(came) >= ENOUGH and len(set(came)) == len(came) and (own[name] == len(came) or _is_passing(name))
    ]
    if not found:
        return passed(check, f"of the last {counted(len(impressions), 'impression')} nothing speaks against them")
    named = ", ".join(map(repr, found[:3]))
    return warned(
        check,
        f"{named}: another text in each of the last {counted(len(impressions), 'impression')}, of which nothing can be "
        "learned; features that are always new make a young model explore for longer, up to always",
        "leave out of `context` what names this one impression (ids of requests, times): it is there to tell apart "
        "people and situations that come again. Of a time, send what may matter of it, such as the hour",
    )


def _is_passing(name: str) -> bool:
    return not _PASSING.isdisjoint(one.lower() for one in _TOKEN.findall(name))
