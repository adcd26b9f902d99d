"""A Kafka-compatible broker from a wheel, for the demo and the tests of one worker.

It keeps no group membership worth the name and loses nothing on SIGTERM; guarantees are tested on Apache Kafka.
"""

from __future__ import annotations

import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from experiments.servers.patience import Patience

START_SECONDS = 10.0


class BrokerError(Exception):
    """The broker did not start; the message says what it printed."""


class EmbeddedBroker:
    """`with EmbeddedBroker(directory) as broker:` runs one on a free loopback port, its data in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def bootstrap_servers(self) -> str:
        """The address to give to clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The id of the process, None where it does not run."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> EmbeddedBroker:
        self._directory.mkdir(parents=True, exist_ok=True)
        log_path = self._directory / "broker.log"
        with log_path.open("wb") as log:
            options = ["--only", "kafka", "--kafka-port", str(self.port), "--data-dir", str(self._directory / "data")]
            self._process = subprocess.Popen(
                [_binary(), "start", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which stops the broker last
            )
        patience = Patience(START_SECONDS, [self._process.pid])
        while not _answers(self.port):
            if self._process.poll() is not None or patience.is_at_an_end():
                self.stop()
                raise BrokerError(f"the embedded broker did not start; it said:\n{log_path.read_text()}")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the broker; it writes its data before it ends."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binary() -> str:
    spec = find_spec("noida_db")
    if spec is None or not spec.submodule_search_locations:
        raise BrokerError(
            'the embedded broker is not installed: pip install "groundswell[demo]", or set KAFKA_BOOTSTRAP_SERVERS to '
            "use a broker of your own"
        )
    return str(Path(spec.submodule_search_locations[0]) / "noida-db")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
