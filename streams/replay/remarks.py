"""What a log whose rows are all right may still get wrong: of which nothing, or the wrong thing, would be learned.

None of it is a reason to stop. It is told where the log is at hand, and not weeks later by what was learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Self

from groundswell.events import FeatureValue, Feedback, Impression
from streams.observing.hindsight import Hindsight
from streams.observing.logging_habits import LoggingHabits
from streams.observing.numeric_ids import NumericIds
from streams.observing.signal_names import in_words, misspelt, never_again
from streams.replay.dsjson import DsjsonMapping
from streams.replay.mapping import Mapping
from streams.words import counted

ENOUGH: Final = 50
"""Impressions before features are judged."""
MOST_KEPT: Final = 10_000
"""Values of a feature, of which it is seen whether one comes again; that a later one does not is believed."""
STRETCH: Final = 500
_NOTHING: Final = frozenset({"none", "null", "nil", "na", "n/a", "nan", "undefined", "-", "0", "false"})
"""What programs write, in letters of any kind, where they have no value."""


class _Feature:
    """One feature of the context over the impressions so far.

    `different` are its texts or whole numbers while no two impressions had the same, None from then on.
    """

    def __init__(self) -> None:
        self.different: set[str | float] | None = set()
        self.seen = 0

    def observe(self, value: FeatureValue) -> None:
        self.seen += 1
        if self.different is None:
            return
        if not (type(value) is int or isinstance(value, str)) or value in self.different:
            self.different = None
        elif len(self.different) < MOST_KEPT:
            self.different.add(value)


class Remarks:
    """Looks at what would be sent.

    `features` and `signals` are those that the mapping declares, `definite` the signals by which the configuration
    tells satisfied from dissatisfied.
    """

    def __init__(self, features: Collection[str], signals: Collection[str], definite: Collection[str]) -> None:
        self._declared, self._signals, self._definite = features, signals, definite
        self._choices = 0
        self._came: Counter[str] = Counter()
        self._features: dict[str, _Feature] = {}
        self._habits = LoggingHabits()
        self._numbers, self._hindsight = NumericIds(), Hindsight()
        self._counts: list[int] = []
        self._propensities: list[float] = []

    @classmethod
    def of(cls, mapping: Mapping | DsjsonMapping, definite: Collection[str], *, whole: bool) -> Self:
        """Return what looks at a log of this mapping; of a part of it, a signal may well be in the rest."""
        declared = mapping.feedback if isinstance(mapping, Mapping) else mapping.signals
        signals = [one.signal for one in declared if one.signal is not None] if whole else []
        return cls(list(mapping.context) if isinstance(mapping, Mapping) else [], signals, definite if whole else [])

    def observe(self, impression: Impression, feedback: Sequence[Feedback]) -> None:
        """Take in an impression and what came back."""
        self._choices += len(impression.actions) > 1
        for piece in feedback:
            self._came[piece.signal] += 1
        self._numbers.observe([impression.context])
        self._hindsight.observe(impression.context, [piece.signal for piece in feedback])
        for name, value in impression.context.items():
            self._features.setdefault(name, _Feature()).observe(value)
        self._counts.append(len(impression.actions))
        self._propensities.append(impression.chosen_propensity)
        if len(self._counts) >= STRETCH:
            self._judge_propensities()

    def in_words(self) -> Iterator[str]:
        """Yield a sentence for each thing to look at."""
        if not self._hindsight.impressions:
            return
        if not self._choices:
            yield (
                "every impression offers a single action: without a choice nothing is learned; name all actions that "
                "could have been shown in `action.set`"
            )
        yield from self._of_signals()
        for name in self._declared:
            if name not in self._features:
                yield f"context.{name}: not one impression has it; see its column, and the keys of its table"
        for name, feature in self._features.items():
            yield from self._of_feature(name, feature)
        self._judge_propensities()
        yield from (f"propensity: {says}. {kind.do}" for kind, says in self._habits.judged() if says and self._choices)

    def _of_signals(self) -> Iterator[str]:
        if nothing := sorted(signal for signal in self._came if signal.strip().lower() in _NOTHING):
            yield (
                f"feedback: {', '.join(map(repr, nothing))} count as signals; where they say that nothing came back, "
                "leave the cells empty"
            )
        if not self._came:
            yield "feedback: nothing comes back to any impression, so that nothing can be learned; see `feedback`"
            return
        if (says := never_again(self._came)) is not None:
            yield f"feedback: {says}; map what is the same to one signal, and its number to `value`"
        for name, meant in misspelt(self._came, self._definite):
            yield f"feedback: {in_words(name, meant, self._came[name])}; signals count to the letter"
        for signal in self._signals:
            if signal not in self._came:
                yield f"feedback.{signal}: comes back to no impression; is its value written as in the log?"
        if self._definite and not self._came.keys() & set(self._definite):
            yield (
                f"none of the definite signals of the configuration ({', '.join(sorted(self._definite))}) comes back, "
                "so that satisfied and dissatisfied could change places; there are " + ", ".join(sorted(self._came))
            )

    def _of_feature(self, name: str, feature: _Feature) -> Iterator[str]:
        if feature.different is not None and len(feature.different) >= ENOUGH:
            yield (
                f"context.{name}: has another value in each of {counted(feature.seen, 'impression')}; if it "
                "is an id, leave it out: nothing can be learned of what comes once"
            )
        elif (says := self._numbers.says(name)) is not None:
            yield (
                f"context.{name}: holds {says}. Numbers count as quantities; ids have to be texts (in a mapping "
                'type = "category"), and of a time what may matter of it, such as the hour'
            )
        elif (says := self._hindsight.says(name)) is not None:
            yield f"context.{name}: {says}; a feature has to be known before anything is shown"

    def _judge_propensities(self) -> None:
        self._habits.observe(self._counts, self._propensities)
        self._counts.clear()
        self._propensities.clear()
