"""Every rule that the guarantees list has the test that they name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
RULES = 20


def test_every_test_that_the_guarantees_name_is_there() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text())
    assert len(named) >= RULES
    for file, test in named:
        (path,) = (ROOT / "tests").glob(f"**/{file}")
        assert f"def {test}(" in path.read_text(), f"{file} has no {test}"


def test_every_file_that_the_guarantees_name_is_there() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    for path in re.findall(r"`((?:tests|experiments)/[\w/]+\.py)`", text):
        assert (ROOT / path).is_file(), path
