"""A broker for the tests of this folder."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import noida_db
import pytest


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """Yield the bootstrap servers of a fresh broker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = Path(noida_db.__file__).parent / "noida-db"
    command = [binary, "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", tmp_path / "broker"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no broker on port {port} within 10 s")
        time.sleep(0.01)
