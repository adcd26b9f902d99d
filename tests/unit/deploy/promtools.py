"""Prometheus' own tool: the one that is installed, and, where it has been built, that of the Prometheus of Compose.

`make promtool` builds it. Numbers may differ between the two in their last bits: rule tests have to hold under both.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.servers.kafka_distribution import PROJECT

BUILT = PROJECT / ".promtool" / "promtool"
FOUND = {
    name: path
    for name, path in {
        "installed": shutil.which("promtool"),
        "of-compose": str(BUILT) if BUILT.exists() else None,
    }.items()
    if path is not None
}
_NONE = pytest.param("", marks=pytest.mark.skip(reason="needs promtool (Debian: prometheus; or `make promtool`)"))

each_promtool = pytest.mark.parametrize("promtool", list(FOUND.values()) or [_NONE], ids=list(FOUND) or ["none"])


def accepted(promtool: str, *arguments: str, folder: Path = PROJECT) -> str:
    """Return what the tool says; fail with it where it refuses."""
    done = subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
