"""Where data that is not shipped lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SHARED: Final = Path(__file__).parents[3] / "shared/data"


class DataError(Exception):
    """Data that is not shipped is not there, or not what it has to be; the message says where, and what to do."""


def place_of(name: str, variable: str, how_to_get: str) -> Path:
    """Return what the environment's `variable` names, or `name` in `../shared/data`.

    Raises:
        DataError: it is not there; the message says where to get it.
    """
    place = Path(os.environ.get(variable, SHARED / name))
    if not place.exists():
        raise DataError(f"no {name} at {place}: {how_to_get} in {variable}")
    return place
