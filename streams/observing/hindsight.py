"""Which features of a context hold what came back: they were written afterwards, and no app knows them when it chooses.

Whatever is learned by such a feature looks right, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Final

from groundswell.events import FeatureValue

EACH: Final = 10
"""How many impressions with feedback, and how many without, have to be told apart by a feature."""
NEARLY_ALL: Final = 0.95
"""A share of texts that are names of what came back with them."""


class _Holds(Enum):
    """What of a feature may tell whether something came back: a count or a time that is there only then."""

    NOTHING = 0
    ZERO = 1
    NUMBER = 2
    TEXT = 3

    @classmethod
    def of(cls, value: FeatureValue | None) -> _Holds:
        if value is None:
            return cls.NOTHING
        if isinstance(value, str):
            return cls.TEXT
        return cls.NUMBER if value else cls.ZERO


class Hindsight:
    """Impressions of one model with what came back."""

    def __init__(self) -> None:
        self.impressions = self._answered = 0
        self._seen: dict[str, Counter[tuple[_Holds, bool]]] = {}
        self._named: Counter[str] = Counter()

    def observe(self, context: Mapping[str, FeatureValue], signals: Collection[str]) -> None:
        """Take in a context and the signals that came back, none where nothing did."""
        self.impressions += 1
        self._answered += bool(signals)
        for name, value in context.items():
            self._seen.setdefault(name, Counter())[_Holds.of(value), bool(signals)] += 1
            self._named[name] += value in signals

    def says(self, name: str) -> str | None:
        """Return what a feature tells that is known only afterwards, None where nothing speaks for that."""
        if name not in self._seen:
            return None
        if self._answered >= EACH and self._named[name] >= NEARLY_ALL * self._answered:
            return "is the signal that came back"
        return "tells of every impression whether something came back" if self._tells_answers(name) else None

    def judged(self) -> Iterator[tuple[str, str]]:
        """Yield each feature that was written afterwards, and what it tells."""
        for name in self._seen:
            if (says := self.says(name)) is not None:
                yield name, says

    def _tells_answers(self, name: str) -> bool:
        """Return whether what it held says of each impression whether something came back."""
        if min(self._answered, self.impressions - self._answered) < EACH:
            return False
        seen = self._seen[name].copy()
        for came, total in ((True, self._answered), (False, self.impressions - self._answered)):
            seen[_Holds.NOTHING, came] = total - sum(count for (_, one), count in seen.items() if one is came)
        return not any(seen[held, True] and seen[held, False] for held in _Holds)
