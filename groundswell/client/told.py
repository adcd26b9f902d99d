"""What is wrong with what an app hands over, told where it does, in words that say what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from groundswell.events import (
    LATEST,
    LIKELY_SECONDS,
    NONE_IS_NO_FEEDBACK,
    NONE_SIGNAL,
    Action,
    Feedback,
    Impression,
    bad_probabilities,
)

_PLAIN: Final = frozenset({str, bool, int})
"""Exactly these, and floats: what is derived from them is hashed as one text and written as another, or not at all."""
_SHOWN: Final = 80
Own = str | Action | Sequence[float]
"""What an app's own rule says: an action, or its id, or the probability of each of the actions."""


def check(context: Any, actions: Any) -> None:
    """Look at what a decision is asked for, the same with a policy as without one.

    Raises:
        TypeError: something is of a type that no impression can hold.
        ValueError: a feature is a number that is not finite.
    """
    _check_features("context", context)
    if isinstance(actions, str) or not isinstance(actions, Sequence):
        raise TypeError(f"actions is {_shown(actions)}: give a list, such as [Action('news'), Action('sport')]")
    for place, action in enumerate(actions):
        if not isinstance(action, Action):
            raise TypeError(f"actions[{place}] is {_shown(action)}: give an Action, such as Action('news')")
        if not isinstance(action.id, str) or not action.id:
            raise TypeError(f"the id of actions[{place}] is {_shown(action.id)}: it is text, and not empty")
        if action.features:
            _check_features(f"features of the action {action.id!r}", action.features)


def own_probabilities(own: Any, actions: Sequence[Action]) -> list[float]:
    """Return by which probabilities an app's own rule draws.

    Raises:
        TypeError: it is neither an action nor probabilities.
        ValueError: it is none of these actions, or no probabilities of so many.
    """
    if isinstance(own, str | Action):
        id = own if isinstance(own, str) else own.id
        found = [float(action.id == id) for action in actions]
        if not any(found):
            raise ValueError(f"own is {_shown(own)}: give one of the actions {_shown([one.id for one in actions])}")
        return found
    if not isinstance(own, Sequence) or not all(isinstance(one, int | float) for one in own):
        raise TypeError(f"own is {_shown(own)}: give an action, its id, or a list with the probability of each action")
    probabilities = [float(one) for one in own]
    if wrong := bad_probabilities(probabilities, len(actions)):
        raise ValueError(f"own is {_shown(own)}: {wrong[1]}")
    return probabilities


def _check_features(of: str, features: Any) -> None:
    if not isinstance(features, Mapping):
        raise TypeError(f"{of} is {_shown(features)}: give a dict of names and values, such as {{'user': 'ann'}}")
    for name, value in features.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"{of}: the name {_shown(name)} must be text, and not empty")
        kind = type(value)
        if kind is float:
            if not math.isfinite(value):
                raise ValueError(f"{of}: {name!r} is {value}: leave it out where it is not known")
        elif kind not in _PLAIN:
            remedy = "leave it out where it is not known" if value is None else f"it is {kind.__name__}, make it one"
            raise TypeError(f"{of}: {name!r} is {_shown(value)}, not text, number, True or False: {remedy}")


def wrong_in(event: Impression | Feedback) -> str | None:
    """Return what is wrong with a message that its JSON would hide, or would be refused for in fewer words; or None."""
    given: Any = event.impression_id
    if not isinstance(given, str):
        whole = hasattr(given, "impression_id")
        remedy = "give its impression_id" if whole else "give the text that stands in its decision"
        return f"impression_id is {type(given).__name__ if whole else _shown(given)}: {remedy}"
    if (untimely := _wrong_time(event.occurred_at)) is not None:
        return untimely
    if isinstance(event, Feedback) and event.signal == NONE_SIGNAL:
        return NONE_IS_NO_FEEDBACK
    if isinstance(event, Feedback):
        return _wrong_signal(event.signal) or _wrong_number("value", event.value)
    return _wrong_number("weight", event.weight)


def _wrong_signal(signal: Any) -> str | None:
    if isinstance(signal, str) and signal:
        return None
    beside = "; a number that came with it is its `value`" if isinstance(signal, int | float) else ""
    return f"signal is {_shown(signal)}: give the name of what came back, such as 'click'{beside}"


def _wrong_number(what: str, number: Any) -> str | None:
    if number is None and what == "value":
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return f"{what} is {_shown(number)}: give a number, or leave it out where there is none"
    # JSON has null for them, and null for nothing given.
    if not math.isfinite(number):
        return f"{what} is {number}: leave it out where there is none"
    return None


def _wrong_time(at: Any) -> str | None:
    if isinstance(at, datetime):
        return "occurred_at is a datetime: give milliseconds since 1970, round(1000 * at.timestamp())"
    if isinstance(at, float):
        return f"occurred_at is {at}: give milliseconds since 1970 as a whole number, such as round(1000 * time.time())"
    if isinstance(at, int) and at in LIKELY_SECONDS:
        return f"occurred_at, {at}, looks like seconds: give milliseconds, {at}000"
    if isinstance(at, int) and at > LATEST:
        return (
            f"occurred_at, {at}, looks like microseconds or nanoseconds: give milliseconds, round(1000 * time.time())"
        )
    return None


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
