"""A line of DSJSON over several slots, as the decisions of which it is made: one for each slot.

VowpalWabbit's conditional contextual bandits (`--ccb_explore_adf`) have the slots in `c._slots`, each with its features
and perhaps an `_id`, and in `_outcomes` what was shown in each: `_a` has the actions that were left for it, counted
from 0, the one shown first, `_p` their probabilities given the slots before it, `_o` what came back for this slot.
A slate has one reward for all of its slots together. Whose that is nobody can tell, so that none is read.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from groundswell.client.slots import SLOT, is_of_slot
from groundswell.events import MAX_SLOTS
from streams.replay.cell_values import shortened
from streams.replay.left_out import RowError

OUTCOMES: Final = "_outcomes"


class SlotDecision(NamedTuple):
    """The decision for one slot, as a line over one would have it; and what is known of the slot."""

    record: dict[str, Any]
    slot: str
    features: dict[str, Any]


def rows_of(record: dict[str, Any]) -> int | None:
    """Return how many slots a line decides, each a row; None where it is no line over slots, or they are no list."""
    outcomes = record.get(OUTCOMES)
    return len(outcomes) if isinstance(outcomes, list) and 0 < len(outcomes) <= MAX_SLOTS else None


def decision_of(record: dict[str, Any], number: int) -> SlotDecision:
    """Return the decision for a slot of a line that has so many rows. Raises RowError."""
    context, outcomes = record["c"], record[OUTCOMES]
    slots, actions = (context.get(name) if isinstance(context, dict) else None for name in ("_slots", "_multi"))
    if not isinstance(actions, list) or not all(isinstance(one, dict) for one in actions):
        raise RowError("c._multi", f"{shortened(actions)}, expected a list with the namespaces of each action")
    if any("_slot_id" in one for one in actions):
        raise RowError("c._multi", "a slate, which is not supported: its reward is that of all slots together")
    if record.get("o"):
        raise RowError("o", f"observations of all slots together: whose they are, `{OUTCOMES}` has to say in its `_o`")
    if not isinstance(slots, list) or len(slots) != len(outcomes):
        raise RowError("c._slots", f"{shortened(slots)}, expected {len(outcomes)} slots, as `{OUTCOMES}` has them")
    slot, outcome = slots[number], outcomes[number]
    for name, one in (("c._slots", slot), (OUTCOMES, outcome)):
        if not isinstance(one, dict):
            raise RowError(name, f"number {number} is {shortened(one)}, expected an object")
    ranking = outcome.get("_a")
    if not isinstance(ranking, list) or not all(type(one) is int and 0 <= one < len(actions) for one in ranking):
        raise RowError(f"{OUTCOMES}._a", f"{shortened(ranking)}, expected the places of actions, of {len(actions)}")
    left = sorted(set(ranking))
    observed = outcome.get("_o")
    if isinstance(observed, list):
        observed = [one if isinstance(one, dict) else {"v": one} for one in observed]
    named = slot.get("_id")
    return SlotDecision(
        {
            "c": {**{name: one for name, one in context.items() if name != "_slots"},
                  "_multi": [actions[place] for place in left]},
            "a": [left.index(place) + 1 for place in ranking],
            "p": outcome.get("_p"),
            "o": observed,
            "pdrop": record.get("pdrop"),
        },
        named if isinstance(named, str) and named else str(number),
        slot,
    )  # fmt: skip


def without_slots(record: dict[str, Any]) -> None:
    """Raise RowError where a line that decides no slots has some all the same."""
    context = record["c"]
    slots = context.get("_slots") if isinstance(context, dict) else None
    if slots or record.get(OUTCOMES):
        most = f", of 1 to {MAX_SLOTS} slots" if isinstance(record.get(OUTCOMES), list) else ""
        raise RowError(
            "c._slots", f"a decision over slots without a list `{OUTCOMES}`{most}, which says what was shown in each"
        )


def slot_features(found: SlotDecision, context: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a context's features with those of the slot, `own`. Raises RowError where it has such already."""
    if taken := next(filter(is_of_slot, context), None):
        raise RowError("c", f"has the feature {taken!r} already: such names are those of the slot's features")
    return {**context, SLOT: found.slot, **own}
