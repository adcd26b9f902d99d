"""A real Prometheus without Docker (Debian's package), for tests of rules, alerts and dashboards.

with PrometheusServer(directory, configuration) as prometheus:
    prometheus.query("up")
"""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import free_port
from experiments.servers.worker_metrics import get

START_SECONDS = 60.0


class PrometheusError(Exception):
    """Prometheus is not there, did not start, or refused a query; the message says which."""


class Series(NamedTuple):
    """One series of an answer: its labels, and (seconds since 1970, value) pairs."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class PrometheusServer:
    """A server on a free loopback port, its data in `directory`, from the beginning of the block to its end.

    `configuration` is the path of its configuration, `options` further arguments. Raises `PrometheusError` where the
    program is missing or does not start.
    """

    def __init__(self, directory: Path, configuration: Path, options: Sequence[str] = ()) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise PrometheusError("no prometheus on the PATH (Debian: prometheus)")
        self.address = f"127.0.0.1:{free_port()}"
        self._log = directory / "prometheus.log"
        self._command = [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'series'}",
            f"--web.listen-address={self.address}",
            *options,
        ]
        self._process: ChildProcess | None = None

    def query(self, query: str) -> list[Series]:
        """Return what a query returns now."""
        return [_series(one, [one["value"]]) for one in self._ask("query", query=query)]

    def course(self, query: str, begin: float, end: float, step: float = 1.0) -> list[Series]:
        """Return what a query returned from `begin` to `end` (seconds since 1970), every `step` seconds."""
        answer = self._ask("query_range", query=query, start=str(begin), end=str(end), step=str(step))
        return [_series(one, one["values"]) for one in answer]

    def _ask(self, what: str, **arguments: str) -> list[dict[str, Any]]:
        url = f"http://{self.address}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{arguments['query']}: {error.read().decode()}") from error
        return result

    def __enter__(self) -> Self:
        self._process = ChildProcess("prometheus", self._command, log=self._log)
        deadline = time.monotonic() + START_SECONDS
        while get(f"http://{self.address}/-/ready") is None:
            if self._process.exit_code is not None or time.monotonic() > deadline:
                self._process.stop()
                raise PrometheusError(f"prometheus did not start; it said:\n{self._process.tail()}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()


def _series(one: dict[str, Any], points: list[list[Any]]) -> Series:
    return Series(one["metric"], [(float(at), float(value)) for at, value in points])
