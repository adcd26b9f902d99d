"""Where data that is not shipped lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SHARED: Final = Path(__file__).parents[3] / "shared/data"


def place_of(name: str, variable: str, how_to_get: str) -> Path:
    """Return what the environment's `variable` names, or `name` in `../shared/data`.

    Raises:
        FileNotFoundError: it is not there; the message says where to get it.
    """
    place = Path(os.environ.get(variable, SHARED / name))
    if not place.exists():
        raise FileNotFoundError(f"no {name} at {place}: {how_to_get} in {variable}")
    return place
