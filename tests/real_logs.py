"""Where the real logs lie that some tests read in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def real_log(name: str) -> Path:
    """Return the path of a real log, or skip the test and say what is missing and where it was expected."""
    root = Path(os.environ.get("GROUNDSWELL_DATA", PROJECT.parent / "shared" / "data"))
    path = root / name
    if not path.is_file():
        pytest.skip(f"{path} is missing: set GROUNDSWELL_DATA to the folder that holds {name}")
    return path
