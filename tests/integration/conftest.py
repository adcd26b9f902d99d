"""A broker for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """Yield the bootstrap servers of a fresh broker."""
    with EmbeddedBroker(tmp_path / "broker") as running:
        yield running.bootstrap_servers
