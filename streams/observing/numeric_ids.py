"""Which numbers in a context are names: a person's id as a number is a slope on which all people lie, and not somebody.

What is told is meant to be sure, as ages, counts, prices and scores are numbers, too: whole numbers under a name that
says id or person, and without such a name only what no measure is like. Numbers that are times since 1970 are told as
well. All is judged of the last values of a feature.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from groundswell.events import LIKELY_SECONDS, FeatureValue
from streams.observing.conditions import NUMERIC_ID, Conditions
from streams.words import counted

ENOUGH: Final = 20
"""Numbers of a feature before anything is said."""
KEPT: Final = 200
"""Of so many last values of a feature it is judged."""
MOST_FEATURES: Final = 64
"""That are looked at: further ones take the place of those that came first."""
LARGE: Final = 1_000_000
"""Below it a whole number without a name that tells may be a count, a price or a year."""
MOST_ROUND: Final = 0.3
"""A share of multiples of ten; a tenth of the ids are, and most amounts."""
LEAST_DIFFERENT: Final = 10
"""Ids, where the name does not tell."""
EXACT: Final = 1 << 53
"""From here on doubles do not tell every whole number from the next: a measure is never that long."""
MOST_NAMED: Final = 3
"""Features in one sentence."""
_IDS: Final = frozenset({"id", "ids", "uid", "uuid", "guid", "zip", "zipcode", "postcode", "plz", "sku", "ean", "isbn"})
_SOMEBODY: Final = frozenset({
    "user", "customer", "member", "visitor", "account", "session", "device", "person", "subscriber", "client", "player",
    "viewer", "reader", "household",
})  # fmt: skip
_THINGS: Final = _SOMEBODY | {"item", "product", "article", "video", "category", "author", "seller", "shop", "store"}
_QUANTITIES: Final = frozenset({
    "per", "in", "of", "by", "since", "for", "until", "number", "num", "no", "n", "nr", "count", "avg", "average",
    "mean", "total", "sum", "max", "min", "median", "rate", "share", "ratio", "score", "age", "time", "days", "hours",
    "minutes", "seconds", "ms", "length", "duration", "size", "new", "is", "has",
})  # fmt: skip
_TOKEN: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4096)
def names_somebody(feature: str) -> bool:
    """Return whether a feature is called what ids are called: `user_id`, `userId`, `customer`, `zip`."""
    tokens = [one.lower() for one in _TOKEN.findall(feature)]
    if not tokens or not _QUANTITIES.isdisjoint(tokens[:-1]):
        return False
    last = tokens[-1]
    return last in _IDS or last in _SOMEBODY or (last.endswith("id") and last[:-2] in _THINGS)


class _Numbers:
    """The last values of a feature, None for each that was no number."""

    def __init__(self, feature: str) -> None:
        self._named = names_somebody(feature)
        self._values: deque[float | None] = deque(maxlen=KEPT)

    def observe(self, value: float | None) -> None:
        self._values.append(value)

    def says(self) -> str | None:
        """Return what the numbers are if not quantities, else None."""
        numbers = [one for one in self._values if one is not None]
        if len(numbers) < ENOUGH:
            return None
        different = set(numbers)
        whole = all(one == int(one) for one in different)
        if self._named:
            flag = different <= {0, 1}
            return f"{_seen(different, numbers)} that seem to be ids" if whole and not flag else None
        if _are_times(different) and _are_uneven(different):
            return "times since 1970, which only go on: nothing that is learned of them holds later"
        comes_again = LEAST_DIFFERENT <= len(different) <= len(numbers) - ENOUGH
        if whole and (min(different) >= EXACT or (min(different) >= LARGE and comes_again and _are_uneven(different))):
            return f"{_seen(different, numbers)} that seem to be ids"
        return None


def _seen(different: Collection[float], numbers: Collection[float]) -> str:
    return f"{counted(len(different), 'whole number')} in {counted(len(numbers), 'impression')}"


def _are_times(numbers: Iterable[float]) -> bool:
    values = [*numbers]
    return any(all(int(one / unit) in LIKELY_SECONDS for one in values) for unit in (1, 1e3, 1e6, 1e9))


def _are_uneven(numbers: Collection[float]) -> bool:
    return sum(one % 10 == 0 for one in numbers) <= MOST_ROUND * len(numbers)


class NumericIds:
    """The numbers in the contexts of one model that may be names."""

    def __init__(self) -> None:
        self._features: dict[str, _Numbers] = {}

    def observe(self, contexts: Iterable[Mapping[str, FeatureValue]]) -> None:
        """Take in contexts, or the features of actions."""
        for context in contexts:
            for name, value in context.items():
                self._observe(name, value)

    def _observe(self, name: str, value: FeatureValue) -> None:
        number = value if type(value) is int or type(value) is float else None
        known = self._features.get(name)
        if known is None:
            if number is None or not (abs(number) >= LARGE or names_somebody(name)):
                return
            if len(self._features) == MOST_FEATURES:
                del self._features[next(iter(self._features))]
            known = self._features[name] = _Numbers(name)
        known.observe(number)

    def says(self, name: str) -> str | None:
        """Return what the numbers of a feature are where they are no quantities, else None."""
        known = self._features.get(name)
        return None if known is None else known.says()

    def judged(self) -> Iterator[tuple[str, str]]:
        """Yield each feature whose numbers are no quantities, and what they are."""
        for name, numbers in self._features.items():
            says = numbers.says()
            if says is not None:
                yield name, says


def in_words(judged: Iterable[tuple[str, str]]) -> str | None:
    """Return what is judged of features in one sentence, None of nothing."""
    found = [f"{name!r} holds {says}" for name, says in judged]
    if not found:
        return None
    more = f"; and so do {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{'; '.join(found[:MOST_NAMED])}{more}: numbers count as quantities, with one slope for all"


class NumericIdsReport:
    """Says of each model which numbers in its contexts seem to be names."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._models: dict[str, NumericIds] = {}

    def learned(self, model: str, contexts: Iterable[Mapping[str, FeatureValue]]) -> None:
        """Take in some of the contexts of a stretch."""
        numbers = self._models.setdefault(model, NumericIds())
        numbers.observe(contexts)
        self._conditions.say(NUMERIC_ID, in_words(numbers.judged()), model)

    def leave(self, model: str) -> None:
        """Forget a model that another worker learns from now on."""
        self._models.pop(model, None)
        self._conditions.say(NUMERIC_ID, None, model)
