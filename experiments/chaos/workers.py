"""Workers that are killed and come back: a supervisor such as any production has, and a note of what it saw."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from experiments.servers.embedded_broker import free_port

UNREADY_SECONDS = 60.0
"""How long a worker may take to hold its partitions, after its start or after a rebalance, before it counts as hung."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0
STOP_SECONDS = 15.0
_LOOK_SECONDS = 1.0


class SupervisedWorker:
    """One place for a worker: a process that is started again whenever it ends, as long as it is wanted.

    `note` is told what happens. A worker that is not ready for `UNREADY_SECONDS` is killed, and counts as a defect.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        note: Callable[[str], None],
    ) -> None:
        self.name = name
        self.hangs = 0
        self.crashes = 0
        self._command = list(command)
        self._port = free_port()
        self._environment = {**environment, "GROUNDSWELL_HTTP__PORT": str(self._port)}
        self._folder = folder
        self._note = note
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._ours = False
        self._killed = False
        self._starts = 0
        self._start_at = 0.0
        self._backoff = FIRST_BACKOFF
        self._ready = False
        self._ready_at = 0.0
        self._look_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it was reading when it was last looked at."""
        return self.running and self._ready and not self._ours

    @property
    def wanted(self) -> bool:
        """Whether it is to be kept running."""
        return self._wanted

    def start(self) -> None:
        """Want it: the next `supervise` starts it."""
        self._wanted, self._start_at = True, 0.0

    def leave(self) -> None:
        """Want it no more, and tell it so; it goes in its own time."""
        self._wanted = False
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; say whether there was anybody to send it to. Nobody is killed twice."""
        if not self.running or self._process is None or self._killed:
            return False
        self._ours, self._killed = True, number is signal.SIGKILL
        self._process.send_signal(number)
        return True

    def supervise(self) -> None:
        """Start it where it is wanted and not there; kill it where it hangs. Call it often."""
        now = time.monotonic()
        if self._process is not None and not self.running:
            self._bury(now)
        if self._process is None:
            if self._wanted and now >= self._start_at:
                self._start(now)
        elif now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._ready = self._is_ready()
            if self._ready:
                self._ready_at, self._backoff = now, FIRST_BACKOFF
            elif now - self._ready_at > UNREADY_SECONDS:
                self.hangs += 1
                self._note(f"{self.name} hangs: not ready for {UNREADY_SECONDS:.0f} s; killed")
                self.send(signal.SIGKILL)

    def stop(self) -> None:
        """End it and wait, with force where it does not end by itself."""
        self.leave()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self._process.kill()
            self._process.wait()

    def _start(self, now: float) -> None:
        self._starts += 1
        self._ready, self._ready_at = False, now
        with (self._folder / f"{self.name}-{self._starts}.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _bury(self, now: float) -> None:
        assert self._process is not None
        if not self._ours:
            self.crashes += 1
            self._note(f"{self.name} ended by itself with {self._process.returncode} (start {self._starts})")
            self._backoff = min(2 * self._backoff, LONGEST_BACKOFF)
        self._process, self._ours, self._killed = None, False, False
        self._start_at = now + self._backoff

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=0.5):
                return True
        except urllib.error.HTTPError as refused:
            # There may be more workers than partitions.
            return refused.read().strip() == b"holds no partition"
        except OSError:
            return False
