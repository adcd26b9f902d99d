"""What was compiled is taken from the disk only while all that was compiled into it is the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from processors.compiled import digest_of
from processors.learners import reward_decoding
from processors.learners.kernel import learn_batch

PROJECT = Path(__file__).resolve().parents[2]
CALLEE = """
from processors.compiled import compiled

@compiled()
def changed(x):
    return {changed}
"""
BETWEEN = """
import callee
from processors.compiled import compiled

@compiled()
def between(x):
    return callee.changed(x)
"""
CALLER = """
from processors.compiled import compiled
from between import between

@compiled()
def outermost(x):
    return between(x) + 1

if __name__ == "__main__":
    print(outermost(1), "from disk" if outermost.stats.cache_hits else "compiled")
"""


def test_a_change_in_another_file_is_seen_by_the_next_process(tmp_path: Path) -> None:
    (tmp_path / "between.py").write_text(BETWEEN)
    (tmp_path / "caller.py").write_text(CALLER)
    printed = []
    for changed in ("x + 10", "x + 10", "x - 10"):
        (tmp_path / "callee.py").write_text(CALLEE.format(changed=changed))
        printed.append(_printed(tmp_path, "caller.py"))
    assert printed == ["12 compiled", "12 from disk", "-8 compiled"]


def test_a_change_of_a_value_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of(learn_batch.py_func)
    assert digest_of(learn_batch.py_func) == before
    monkeypatch.setattr(reward_decoding, "LEAST_RATIO", 2.5)
    assert digest_of(learn_batch.py_func) != before


def test_no_function_is_kept_in_another_way() -> None:
    """Not with numba's own `cache=True`, which asks nothing of what a function calls."""
    sources = [
        one for folder in ("processors", "state", "streams", "experiments") for one in PROJECT.glob(f"{folder}/**/*.py")
    ]
    assert [one.name for one in sources if "cache=True" in one.read_text().replace("`cache=True`", "")] == []


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(TypeError, match="reads `SOMETHING`: it is not known how to tell one object from another"):
        digest_of(_reading)


SOMETHING = object()


def _reading() -> object:
    return SOMETHING


def _printed(folder: Path, script: str) -> str:
    # Without byte code of Python's own, which looks at seconds and sizes alone: here files change faster.
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(folder / "kept"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PROJECT),
    }
    command = [sys.executable, str(folder / script)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
