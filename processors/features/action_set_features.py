"""Action sets as they came, each action found by its text and its features hashed once."""

from __future__ import annotations

from typing import Final

import msgspec

from groundswell.events import Action
from groundswell.features import action_features
from processors.features.action_set_texts import MALFORMED, ActionSetTexts
from processors.features.nesting import NESTING_TO_SPARE, opened_by
from processors.features.ragged_rows import RaggedRows
from processors.wire.envelopes import UNREADABLE

_FEATURE_BYTES: Final = 24
"""What a feature takes: hash and value, in arrays with room for twice as many."""
_action: Final = msgspec.json.Decoder(Action)


class ActionSetFeatures(ActionSetTexts):
    """Finds actions with their features: those of action `number` are that row of `actions`, its id `ids[number]`."""

    def _forget(self) -> None:
        super()._forget()
        self.actions = RaggedRows()
        self.ids: list[str] = []

    @property
    def _beside(self) -> int:
        return super()._beside + _FEATURE_BYTES * self.actions.size

    def _take_note(self, known: int) -> None:
        # All at once: their rows have to be in the order of their numbers.
        for piece in self._pieces.texts(known):
            of, features = self._look_into(piece)
            self._id.new.append(of)
            self._features.new.append(features)

    def _look_into(self, piece: bytes) -> tuple[int, int]:
        if opened_by(piece) > NESTING_TO_SPARE:
            return self._malformed()  # it is left to the decoder of whole interactions, which decodes it once
        try:
            action = _action.decode(b"{%b}" % piece)
        except UNREADABLE:
            return self._malformed()
        self.ids.append(action.id)
        self.actions.append(*zip(*action_features(action), strict=True))
        return self._id_number(action.id), len(action.features)

    def _malformed(self) -> tuple[int, int]:
        self.ids.append("")
        self.actions.append([], [])
        return MALFORMED, 0
