"""Values of records laid out side by side, so that compiled code can look through many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.memory_access import WORD


class LaidOut(NamedTuple):
    """The bytes of all values, each of which ends where the next one begins, and where they end."""

    whole: NDArray[np.uint8]
    ends: NDArray[np.int64]


def laid_out(values: Sequence[bytes]) -> LaidOut:
    """Lay values out side by side."""
    ends = np.fromiter(map(len, values), np.int64, len(values)).cumsum()
    return LaidOut(np.frombuffer(b"".join([*values, bytes(WORD)]), dtype=np.uint8), ends)
