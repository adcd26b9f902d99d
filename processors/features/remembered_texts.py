"""What was found out about texts that come again, until they take too much memory."""

from __future__ import annotations

from sys import getsizeof
from typing import Final, TypeVar

MOST_BYTES: Final = 16_000_000
"""What the texts and what is kept of them may take; then all are forgotten, and met anew."""
_ENTRY_BYTES: Final = 250
"""What an entry takes beside its text, roughly."""

V = TypeVar("V")


class RememberedTexts(dict[str, V]):
    """A dictionary by text, to be added to by `keep` alone. It is a cache: to forget changes nothing but speed."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._bytes = 0

    def keep(self, text: str, found: V, more_bytes: int = 0) -> V:
        """Keep what was found, which takes so much more than a few numbers, and return it."""
        self._bytes += getsizeof(text) + _ENTRY_BYTES + more_bytes
        if self._bytes > self._most_bytes:
            self.clear()
            self._bytes = getsizeof(text) + _ENTRY_BYTES + more_bytes
        self[text] = found
        return found

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._bytes = 0
