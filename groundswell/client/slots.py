"""A decision over several slots: one after the other, each from the actions that the slots before it have left."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from groundswell.client.acting import Chosen
from groundswell.client.decisions import Decision, decide
from groundswell.client.told import check
from groundswell.events import MAX_SLOTS, Action, DecisionSlot, FeatureValue

SLOT: Final = "slot"
"""The feature of the context that says which slot it is; those of the slot are named `slot.NAME`."""


class Slot(Struct, frozen=True):
    """A place to fill, such as `Slot("top", {"size": "large"})`: its id, the same in every decision, and what is known
    of it.
    """

    id: str
    features: Mapping[str, FeatureValue] = {}


def decide_slots(
    model: str,
    chosen: Chosen,
    context: Mapping[str, FeatureValue],
    actions: Sequence[Action],
    slots: Sequence[Slot | str],
    decision_id: str | None = None,
    *,
    own: Sequence[str | Action] | None = None,
    repeats: bool = False,
) -> list[Decision]:
    """Return a decision for each slot, in their order, by what was chosen to decide by in this context.

    Raises what `decide` does, and
        ValueError: there are no slots or too many, two of the same id, fewer actions than slots where none `repeats`,
            the context has features of a slot already, or `own` is no action for each slot.
        TypeError: a slot is neither a `Slot` nor an id.
    """
    check(context, actions)
    places = [_slot(one) for one in _listed("slots", slots, "Slot('top'), Slot('side')")]
    if not 1 <= len(places) <= MAX_SLOTS or len({one.id for one in places}) != len(places):
        ids = [one.id for one in places]
        raise ValueError(f"slots are {ids}: give at least one, at most {MAX_SLOTS}, each with an id of its own")
    if not repeats and len(actions) < len(places):
        raise ValueError(f"{len(places)} slots and {len(actions)} actions: give as many, or let them repeat")
    if taken := next(filter(is_of_slot, context), None):
        raise ValueError(f"the context has {taken!r}: names with {SLOT!r} first are those of the slot's features")
    rules: Sequence[str | None] = [None] * len(places)
    if own is not None:
        ruled = _own(own, actions, len(places), repeats)
        if chosen.policy.version == 0:  # or an action of theirs may have been shown already
            rules = ruled
    decision_id = decision_id or os.urandom(16).hex()
    decisions: list[Decision] = []
    left = list(actions)
    for number, (place, rule) in enumerate(zip(places, rules, strict=True)):
        decisions.append(
            decide(
                model,
                chosen.policy,
                chosen.basis,
                {**context, SLOT: place.id, **{f"{SLOT}.{name}": value for name, value in place.features.items()}},
                left,
                f"{decision_id}/{number}",
                own=rule,
                mode=chosen.mode,
                side=chosen.side,
                beside=chosen.beside,
                slot=DecisionSlot(decision_id, number, len(places)),
            )
        )
        if not repeats:
            left = [one for one in left if one.id != decisions[-1].action.id]
    return decisions


def is_of_slot(name: str) -> bool:
    """Say whether a feature of this name tells of the slot, so that a context may not have it of its own."""
    return name == SLOT or name.startswith(f"{SLOT}.")


def _slot(given: Any) -> Slot:
    slot = Slot(given) if isinstance(given, str) else given
    if not isinstance(slot, Slot) or not isinstance(slot.id, str) or not slot.id:
        raise TypeError(
            f"a slot is {given!r}: give a Slot, such as Slot('top'), or its id, which is text and not empty"
        )
    check(slot.features, ())
    return slot


def _own(given: Any, actions: Sequence[Action], count: int, repeats: bool) -> list[str]:
    """Return the ids of what an app's own rule would show."""
    own = [one.id if isinstance(one, Action) else one for one in _listed("own", given, "'news', 'sport'")]
    offered = {one.id for one in actions}
    fits = len(own) == count and all(isinstance(one, str) and one in offered for one in own)
    if not fits or (not repeats and len(set(own)) != count):
        raise ValueError(f"own is {own!r} for {count} slots: give one of the actions, or its id, for each")
    return own


def _listed(name: str, given: Any, example: str) -> Sequence[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"{name} is {given!r}: give a list, such as [{example}]")
    return given
