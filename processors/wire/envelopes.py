"""Interactions as they are read: whole, or as envelopes whose context and actions stay as they came."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from groundswell.events import MAX_ACTIONS, Action, Features, Feedback, Impression, Interaction, Name, Source

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises where a record is not what it should be."""


class SealedImpression(Impression, frozen=True, kw_only=True, gc=False):
    """An impression whose context and actions are JSON that nobody has looked into."""

    context: Raw  # type: ignore[assignment]  # its text in the place of what it says
    actions: Raw  # type: ignore[assignment]
    chosen: Annotated[int, Meta(ge=0, lt=MAX_ACTIONS)]


class Envelope(Struct, frozen=True, kw_only=True, gc=False):
    """`groundswell.events.Interaction` with a sealed impression."""

    schema_version: Literal[1]
    source: Source
    impression: SealedImpression
    feedback: list[Feedback]
    signals: Annotated[list[Name], Meta(min_length=1)]

    @property
    def context(self) -> Features:
        """The context alone. Raises one of `UNREADABLE` where it does not fit the types."""
        context: Features = _context.decode(self.impression.context)
        return context

    def opened(self) -> Interaction:
        """Return the whole interaction. Raises one of `UNREADABLE` where context or actions do not fit the types."""
        sealed = self.impression
        impression = Impression(
            context=_context.decode(sealed.context),
            actions=_actions.decode(sealed.actions),
            **{name: getattr(sealed, name) for name in _OUTSIDE},
        )
        return Interaction(
            schema_version=1, source=self.source, impression=impression, feedback=self.feedback, signals=self.signals
        )


_OUTSIDE = [name for name in Impression.__struct_fields__ if name not in {"context", "actions"}]
decode_interaction: Final = msgspec.json.Decoder(Interaction).decode
"""Returns the interaction in a record. Raises one of `UNREADABLE` if there is none."""
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode
"""Returns the envelope of the interaction in a record. Raises one of `UNREADABLE` if there is none.

Of a key that comes twice the last one counts, and what came before it is not looked into.
"""
_context = msgspec.json.Decoder(Features)
_actions = msgspec.json.Decoder(Annotated[list[Action], Meta(min_length=1, max_length=MAX_ACTIONS)])
