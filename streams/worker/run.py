"""Runs a worker in this process until it is told to stop."""

from __future__ import annotations

from streams.app import create_app
from streams.settings import Settings
from streams.worker.process import PunctualWorker


def run_worker(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Ends the process. Raises what `PunctualWorker` does before it starts."""
    worker = PunctualWorker(create_app(settings))
    worker.execute_from_commandline()
