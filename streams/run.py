"""Runs a worker in this process until it is told to stop."""

from __future__ import annotations

import os
import threading

import faust

from processors.learner import warm_up
from processors.stock_learner import learner_for
from streams.app import Groundswell, create_app
from streams.logs import get_log, set_up_logs
from streams.settings import Settings
from streams.topics import check_topics

LOG = get_log(__name__)
STOP_SECONDS = 9.0
"""How long a graceful stop may take; supervisors kill after ten. Nothing is lost by ending at once."""


class PunctualWorker(faust.Worker):
    """A worker that ends in time even where Faust would wait for a broker that is gone, and says why it ends."""

    app: Groundswell

    async def stop(self) -> None:
        """Stop gracefully, or else abruptly."""
        deadline = threading.Timer(STOP_SECONDS, _end_abruptly)
        deadline.daemon = True
        deadline.start()
        await super().stop()

    def stop_and_shutdown(self) -> None:
        """End everything; where it ends by a failure, the last line of the log says which."""
        try:
            super().stop_and_shutdown()
        finally:
            if self.app.failure is not None:
                LOG.critical(f"The worker ends: {self.app.failure}")


def run_worker(settings: Settings) -> None:
    """Check the topics, then run until SIGINT or SIGTERM. Ends the process.

    Raises `PartitionCountError` where a topic is missing or has the wrong number of partitions, and `SecurityError`
    where Kafka does not let this worker in, or forbids something that it needs.
    """
    set_up_logs(settings.log_level, settings.log_format)
    check_topics(settings.kafka, settings.topics)
    for model in settings.models.values():
        learner_for(model)  # refuses an estimator that cannot serve, before anything is read
    warm_up()
    worker = PunctualWorker(create_app(settings), override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None  # it draws on the output, between the lines of the log
    worker.execute_from_commandline()


def _end_abruptly() -> None:
    LOG.error(
        "not stopped in time (is the broker gone?): ending without a last checkpoint. "
        "The next start reads again what came after the one before",
        seconds=STOP_SECONDS,
    )
    os._exit(1)
