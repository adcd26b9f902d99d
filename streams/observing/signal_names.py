"""Whether the names of signals are what they should be: a few that come again, written as the configuration has them.

A signal is learned by its name, to the letter. `Dislike` is another one than the `dislike` that the configuration calls
definite; and of `watched 83.21 s` nothing is learned, as it never comes again. All is judged of the last names.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache, partial
from typing import Final

from groundswell.events import NONE_SIGNAL
from processors.models.config import ModelConfig
from streams.observing.conditions import SIGNAL_MISSPELT, SIGNALS_NEVER_AGAIN, Conditions, Kind
from streams.words import counted

KEPT: Final = 1000
"""Names of a model of which it is judged, the last ones."""
EVERY, EVERY_PART = 20, 10
"""After so many new names that is done again, or after this part of those that are kept."""
FEW: Final = 2
"""Pieces of feedback under a name that says nothing yet."""
ALIKE: Final = 0.85
"""How much alike two names must be for the one to be taken for the other (`difflib`)."""
MOST_COMPARED: Final = 50
"""Names that are compared with those of the configuration, the commonest."""
MANY_NUMBERS: Final = 20
"""Names that differ in nothing but their numbers, which are values then; a scale of stars has five, of percent ten."""
ENOUGH: Final = 100
MOST_ONCE: Final = 0.5
"""A share of names that came once, of so many, which no vocabulary explains."""
LONGEST: Final = 60
"""Characters of a name that are shown."""
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,:]\d+)*")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[^\W\d_])[\s_.:/-]+(?=[^\W\d_])")


def named_signals(model: ModelConfig) -> frozenset[str]:
    """Return the signals that the configuration of a model names."""
    sets = (model.definitely_negative, model.definitely_positive, model.indifferent, model.trusted_signals)
    return frozenset().union(*sets, model.ignored_signals, model.value_measures) - {NONE_SIGNAL}


def misspelt(came: Mapping[str, int], named: Collection[str]) -> list[tuple[str, str]]:
    """Return which names that came are meant to be which of those named, the commonest first.

    Others than by capitals and signs between letters only where what is named never came.
    """
    found = []
    for name, _ in Counter(came).most_common(MOST_COMPARED):
        meant = [] if name in named else [one for one in sorted(named) if _is_meant(one, name, came)]
        if meant:
            found.append((name, max(meant, key=partial(_likeness, name))))
    return found


def in_words(name: str, meant: str, number: int) -> str:
    """Return what is the matter with a name."""
    return f"{name!r} came {counted(number, 'time')}, and the configuration names {meant!r}"


@lru_cache(maxsize=4096)
def _letters(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name).casefold()


@lru_cache(maxsize=4096)
def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, _letters(one), _letters(other)).ratio()


def _is_meant(one: str, name: str, came: Container[str]) -> bool:
    return _letters(one) == _letters(name) or (one not in came and _is_near(one, name))


def _is_near(one: str, other: str) -> bool:
    ours, theirs = _letters(one), _letters(other)
    if ours.endswith(theirs) or theirs.endswith(ours) or _shape(ours) == _shape(theirs):
        return False  # `unlike` is not `like`, nor `rated_2` `rated_1`
    return _likeness(one, other) >= ALIKE


@lru_cache(maxsize=4096)
def _shape(name: str) -> str:
    """Return a name with # for each number."""
    return _NUMBER.sub("#", name)


def never_again(came: Counter[str]) -> str | None:
    """Return what speaks for values, ids or texts within the names that came so often, None where nothing does."""
    pieces = counted(came.total(), "piece")
    shapes = Counter(map(_shape, came))
    for shape, number in shapes.most_common(1):
        if number >= MANY_NUMBERS:  # without a number each has a shape of its own
            return (
                f"{counted(number, 'signal')} of {pieces} of feedback differ in nothing but their numbers, "
                f"{shape[:LONGEST]!r}: each is learned by itself"
            )
    once = [name for name, number in came.items() if number == 1]
    if came.total() < ENOUGH or len(once) < MOST_ONCE * came.total():
        return None
    return (
        f"{len(once):,} of {pieces} of feedback have a signal that came once only, such as {once[-1][:LONGEST]!r}: "
        "nothing is learned of it"
    )


class SignalNames:
    """The last names of the signals of one model, and those that its configuration has."""

    def __init__(self, named: Collection[str]) -> None:
        self._named = named
        self._names: deque[str] = deque(maxlen=KEPT)
        self._unjudged = 0
        self._judged: dict[Kind, str | None] = {}

    def observe(self, signals: Iterable[Sequence[str]]) -> None:
        """Take in the signals of impressions."""
        before = len(self._names)
        for some in signals:
            new = [one for one in some if one != NONE_SIGNAL]
            self._names += new
            self._unjudged += len(new)
        if self._unjudged >= max(EVERY, before // EVERY_PART) or before < EVERY:
            self._unjudged = 0
            self._judge()

    def judged(self) -> Iterator[tuple[Kind, str | None]]:
        """Yield each kind with what there is to say of it, or None."""
        yield from self._judged.items()

    def _judge(self) -> None:
        came = Counter(self._names)
        wrong = [(name, meant) for name, meant in misspelt(came, self._named) if came[name] > FEW]
        says = "; ".join(in_words(name, meant, came[name]) for name, meant in wrong[:3])
        self._judged = {SIGNAL_MISSPELT: says or None, SIGNALS_NEVER_AGAIN: never_again(came)}


class SignalNamesReport:
    """Says of each model what is the matter with the names of its signals."""

    def __init__(self, conditions: Conditions, models: Mapping[str, ModelConfig]) -> None:
        self._conditions = conditions
        self._named = {name: named_signals(model) for name, model in models.items()}
        self._models: dict[str, SignalNames] = {}

    def learned(self, model: str, signals: Iterable[Sequence[str]]) -> None:
        """Take in the signals of some of the interactions of a stretch."""
        names = self._models.setdefault(model, SignalNames(self._named.get(model, frozenset())))
        names.observe(signals)
        for kind, says in names.judged():
            self._conditions.say(kind, says, model)

    def leave(self, model: str) -> None:
        """Forget a model that another worker learns from now on."""
        for kind, _ in self._models.pop(model, SignalNames(())).judged():
            self._conditions.say(kind, None, model)
