"""Impressions and what came back as VowpalWabbit's decision-service JSON (DSJSON), as `dsjson.py` reads it.

A line has, in this order, for VowpalWabbit passes over a label that stands behind the context without a word:

    _label_cost, _label_probability, _label_Action, _labelIndex    what it learns from
    Timestamp, EventId, pdrop                                      weight = 1 / (1 - pdrop)
    a, p                                                           actions from 1, the shown one first; probabilities
    c                                                              the context, and in _multi the actions
    o                                                              the signals, each as {"v": {"v=SIGNAL": 1}}

A decision over several slots is one line for all of its impressions: as `dsjson_slots.py` reads it, with the slots in
`c._slots` and what was shown in each in `_outcomes`, behind the context.

A feature `User.age` lies as `age` in the namespace `User`, unless there is a feature `User` as well, or it does not
begin with a letter or digit of ASCII; all others lie in VowpalWabbit's default namespace. Names that begin with `_` are
VowpalWabbit's own. Numbers are written as they are learned from here, cut at 1e9: VowpalWabbit has 24 bits for them,
and by an infinite one it forgets all that it has learned.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from groundswell.events import NONE_SIGNAL, PROBABILITY_TOLERANCE, Action, FeatureValue, Impression
from groundswell.features import LARGEST_VALUE
from streams.replay.dsjson_slot_lines import slotted

ACTION_ID: Final = "Action.id"
MOST_WEIGHT: Final = 1e6
"""Of an impression: beyond some eight times as much VowpalWabbit reads a pdrop of 1, and passes over the line."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnwritableError(ValueError):
    """Something cannot be written so that it is read again; the message says what to do."""


class DsjsonLines:
    """Writes lines whose actions are told by the feature `action_id`.

    An action that has it already keeps it as one of its features; others are given it, and then it is none of them to
    whoever reads by `mapping()`. Signals of `definitely_bad` are marked for `--experimental_igl`. `left_out` counts by
    reason what no line can say, `hidden` the features whose names are VowpalWabbit's own.
    """

    def __init__(self, model: str, action_id: str = ACTION_ID, definitely_bad: Set[str] = frozenset()) -> None:
        if any(part.startswith("_") for part in action_id.split(".")) or not all(action_id.split(".")):
            raise UnwritableError(
                f"action id {action_id!r}: must be a name such as {ACTION_ID}, no part of it with a _"
            )
        self.written = self.spread = 0
        self.left_out: Counter[str] = Counter()
        self.hidden: Counter[str] = Counter()
        self._model, self._action_id, self._bad = model, action_id, definitely_bad
        self._carried: bool | None = None

    def line(self, impression: Impression, signals: Sequence[str], cost: float = 0.0) -> bytes | None:
        """Return the line of an impression with its end, None where none can say it.

        Where only the shown action's probability is known, the others share the rest alike: VowpalWabbit learns by that
        of the shown one. One of several slots is a part of the decision's: `slots_line`. Raises `UnwritableError`.
        """
        chosen = impression.chosen
        if (unsayable := _unsayable(impression)) is not None:
            self.left_out[unsayable] += 1
            return None
        order, probabilities = self._ranked(impression)
        record = {
            "_label_cost": cost,
            "_label_probability": impression.chosen_propensity,
            "_label_Action": chosen + 1,
            "_labelIndex": chosen,
            **_head(impression, impression.impression_id),
            "a": [place + 1 for place in order],
            "p": probabilities,
            "c": {**self._nested(impression.context), "_multi": [self._action(one) for one in impression.actions]},
            "o": self._observed(signals),
        }
        self.written += 1
        return msgspec.json.encode(record) + b"\n"

    def slots_line(
        self, impressions: Sequence[Impression], signals: Sequence[Sequence[str]], costs: Sequence[float]
    ) -> bytes | None:
        """Return the line of a decision over several slots, of the impressions of all of them in their order.

        Raises `UnwritableError`.
        """
        first, found = impressions[0], slotted(impressions)
        unsayable = next((why for why in map(_unsayable, impressions) if why is not None), None)
        if isinstance(found, str) or unsayable is not None:
            self.left_out[found if isinstance(found, str) else unsayable or ""] += len(impressions)
            return None
        assert first.decision is not None, "it is of a decision over slots"
        places = {one.id: place for place, one in enumerate(found.actions)}
        outcomes = []
        for impression, (slot, _), seen, cost in zip(impressions, found.slots, signals, costs, strict=True):
            order, probabilities = self._ranked(impression)
            ranking = [places[impression.actions[place].id] for place in order]
            outcomes.append(
                {"_label_cost": cost, "_id": slot, "_a": ranking, "_p": probabilities, "_o": self._observed(seen)}
            )
        context = {
            **self._nested(found.context),
            "_multi": [self._action(one) for one in found.actions],
            "_slots": [{"_id": slot, **self._nested(features)} for slot, features in found.slots],
        }
        self.written += 1
        return msgspec.json.encode({**_head(first, first.decision.id), "c": context, "_outcomes": outcomes}) + b"\n"

    def _ranked(self, impression: Impression) -> tuple[list[int], list[float]]:
        """Return the places of the actions, the shown one first, and their probabilities in this order."""
        count, chosen, probabilities = len(impression.actions), impression.chosen, impression.probabilities
        if probabilities is None:
            propensity = impression.chosen_propensity
            rest = (1 - propensity) / max(1, count - 1)
            probabilities = [propensity if place == chosen else rest for place in range(count)]
            self.spread += 1
        order = [chosen, *(place for place in range(count) if place != chosen)]
        return order, [probabilities[place] for place in order]

    def _observed(self, signals: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"v": {f"v={signal}": 1}, "_definitely_bad": signal in self._bad}
            for signal in dict.fromkeys(signals)
            if signal != NONE_SIGNAL
        ]

    def mapping(self) -> str:
        """Return the mapping by which `replay` reads the lines back, as TOML."""
        told = {"format": "dsjson", "model": self._model, "action_id": self._action_id}
        lines = [f"{name} = {_quoted(value)}" for name, value in told.items()]
        if self._carried is False:
            lines.append("id_as_feature = false")
        return "\n".join(lines) + "\n"

    def _action(self, action: Action) -> dict[str, Any]:
        there = action.features.get(self._action_id)
        carried = there is not None
        if there not in {None, action.id} or self._carried not in {None, carried}:
            raise UnwritableError(
                f"the action {action.id!r} {'has a' if carried else 'has no'} feature {self._action_id!r}"
                f"{f', {there!r}' if carried else ', and others have'}: choose another name with --action-id"
            )
        self._carried = carried
        return self._nested({self._action_id: action.id, **action.features})

    def _nested(self, features: Mapping[str, FeatureValue]) -> dict[str, Any]:
        nested: dict[str, Any] = {}
        for feature, value in features.items():
            space, dot, rest = feature.partition(".")
            if not isinstance(value, str | bool) and abs(value) > LARGEST_VALUE:
                value = math.copysign(LARGEST_VALUE, value)  # noqa: PLW2901 - the same feature, as it is learned from
            if feature.startswith("_"):
                self.hidden[feature] += 1
            elif dot and rest and _is_namespace(space) and not rest.startswith("_") and space not in features:
                nested.setdefault(space, {})[rest] = value
            else:
                nested[feature] = value
        return nested


def _head(impression: Impression, event_id: str) -> dict[str, Any]:
    """Return what a line says of the event."""
    head: dict[str, Any] = {"Timestamp": _iso(impression.occurred_at), "Version": "1", "EventId": event_id}
    if impression.weight > 1:
        head["pdrop"] = 1 - 1 / impression.weight
    return head


def _unsayable(impression: Impression) -> str | None:
    """Return what of an impression no line can say, or None."""
    if not 1 <= impression.weight <= MOST_WEIGHT:
        return f"a weight that is not from 1 to {MOST_WEIGHT:g}, which pdrop cannot say"
    alone = len(impression.actions) == 1 and impression.probabilities is None
    if alone and impression.chosen_propensity < 1 - PROBABILITY_TOLERANCE:
        return "a single action that was not certain"
    return None


def _is_namespace(name: str) -> bool:
    # VowpalWabbit keeps its own among those of other first bytes, and dies of some.
    return name[:1].isascii() and name[:1].isalnum()


def _iso(ms: int) -> str:
    at = _EPOCH + timedelta(milliseconds=ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03}Z"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
