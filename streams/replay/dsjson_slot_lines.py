"""Impressions of one decision over several slots, put together for the line that says them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from groundswell.client.slots import SLOT, is_of_slot
from groundswell.events import Action, FeatureValue, Impression


class _Decided(Protocol):
    """What is known of an impression."""

    @property
    def impression(self) -> Impression: ...


Kind = TypeVar("Kind", bound=_Decided)


class Whole(NamedTuple, Generic[Kind]):
    """What goes into one line: an impression alone, or those of all slots of a decision in their order."""

    parts: list[Kind]


class Partial(NamedTuple):
    """So many impressions of a decision of which others have not come."""

    impressions: int


MISSING: Final = "other slots of the decision missing"
UNNAMED: Final = "a slot that the context does not name"
DIFFERENT: Final = "another context, weight or actions than the other slots"
FEWER: Final = "fewer actions than slots, which VowpalWabbit does not take"


def together(decided: Iterable[Kind]) -> Iterator[Whole[Kind] | Partial]:
    """Yield what belongs together, each decision when the last of its slots has come; in the end what is not whole."""
    waiting: dict[str, dict[int, Kind]] = {}
    for one in decided:
        of = one.impression.decision
        if of is None:
            yield Whole([one])
            continue
        slots = waiting.setdefault(of.id, {})
        slots[of.slot] = one
        if sorted(slots) == list(range(of.slots)):
            yield Whole([slots[number] for number in range(of.slots)])
            del waiting[of.id]
    yield from (Partial(len(slots)) for slots in waiting.values())


class Slotted(NamedTuple):
    """A decision over slots: what they have in common, of each its id and features, and all actions."""

    context: dict[str, FeatureValue]
    slots: list[tuple[str, dict[str, FeatureValue]]]
    actions: list[Action]


def slotted(impressions: Sequence[Impression]) -> Slotted | str:
    """Return the decision over slots that these impressions are, or why it is none that a line can say."""
    contexts, slots = zip(*(_parted(one.context) for one in impressions), strict=True)
    named = [(slot.pop(SLOT, None), slot) for slot in slots]
    ids = [id for id, _ in named if isinstance(id, str) and id]
    if len(ids) < len(named):
        return UNNAMED
    actions: dict[str, Action] = {}
    same = all(actions.setdefault(one.id, one) == one for each in impressions for one in each.actions)
    first = impressions[0]
    if (
        not same
        or any(one != contexts[0] for one in contexts)
        or any(one.weight != first.weight for one in impressions)
    ):
        return DIFFERENT
    if len(actions) < len(named):  # actions that repeat
        return FEWER
    features = [{name.removeprefix(f"{SLOT}."): value for name, value in slot.items()} for _, slot in named]
    return Slotted(contexts[0], list(zip(ids, features, strict=True)), list(actions.values()))


def _parted(context: Mapping[str, FeatureValue]) -> tuple[dict[str, FeatureValue], dict[str, FeatureValue]]:
    """Return the features of a context without those of the slot, and these."""
    of_slot = {name: value for name, value in context.items() if is_of_slot(name)}
    return {name: value for name, value in context.items() if name not in of_slot}, of_slot
