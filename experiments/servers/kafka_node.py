"""One node of a started Apache Kafka: broker and controller in one process, in one folder, on fixed ports."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.servers.kafka_distribution import LOGGING, KafkaUnavailableError

HOST = "127.0.0.1"
_TIDY_SECONDS = 20.0
"""How long a broker may take to stop when asked; it flushes its log and hands over what it leads."""


@dataclass(frozen=True)
class Ports:
    """Where a node listens: for clients, for other brokers and administration, for other controllers."""

    client: int
    internal: int
    controller: int


class KafkaNode:
    """A process that can be started, stopped, killed and started again on the same data and ports."""

    def __init__(self, number: int, folder: Path, ports: Ports, command: list[str]) -> None:
        self.number = number
        self.folder = folder
        self.ports = ports
        self.log = folder / "broker.log"
        self._java = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while the node is down."""
        return self._process.pid if self.running and self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def format(self, cluster_id: str, properties: Mapping[str, str], arguments: list[str]) -> None:
        """Write server.properties and, the first time, the node's empty metadata log.

        Raises `KafkaUnavailableError` with the tool's own words if Kafka refuses the properties.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        command = [
            *self._java,
            "kafka.tools.StorageTool", "format", "--ignore-formatted",
            "--config", str(self._properties), "--cluster-id", cluster_id, *arguments,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KafkaUnavailableError(f"formatting {self.folder} failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the process; it answers some seconds later. A node that is up stays as it is."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, f"-Dlog4j2.configurationFile={LOGGING}", "kafka.Kafka", str(self._properties)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # An interrupt typed at the terminal is the launcher's to handle.
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask the process to end, and kill it if it has not within `_TIDY_SECONDS`."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(_TIDY_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        if self.running and self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process with SIGKILL, as a power cut would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self, lines: int = 20) -> str:
        """Return the end of the node's log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"
