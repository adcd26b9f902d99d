"""What an error says of the record that was worked on when it was raised."""

from __future__ import annotations

import traceback
from typing import Final

NO_EVIDENCE: Final = (MemoryError, OSError)
"""Errors of the machine. The record that was worked on has nothing to do with them; any other may set it aside."""


def in_words(error: BaseException) -> str:
    """Return an error as it is said of a record: what it is, and where it was raised."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said}, raised by {frames[-1].name}" if frames else said
