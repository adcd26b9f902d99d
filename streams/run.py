"""Runs a worker in this process until it is told to stop."""

from __future__ import annotations

import logging
import os
import threading

import faust

from processors.learner import warm_up
from processors.stock_learner import learner_for
from streams.app import create_app
from streams.collection import collect_seldom
from streams.settings import Settings
from streams.topics import check_topics

STOP_SECONDS = 9.0
"""How long a graceful stop may take; supervisors kill after ten. Nothing is lost by ending at once."""


class PunctualWorker(faust.Worker):
    """A worker that ends in time even where Faust would wait for a broker that is gone."""

    async def stop(self) -> None:
        """Stop gracefully, or else abruptly."""
        deadline = threading.Timer(STOP_SECONDS, _end_abruptly)
        deadline.daemon = True
        deadline.start()
        await super().stop()


def run_worker(settings: Settings) -> None:
    """Check the topics, then run until SIGINT or SIGTERM. Ends the process.

    Raises `PartitionCountError` where a topic is missing or has the wrong number of partitions, and `SecurityError`
    where Kafka does not let this worker in, or forbids something that it needs.
    """
    check_topics(settings.kafka, settings.topics)
    for model in settings.models.values():
        learner_for(model)  # refuses an estimator that cannot serve, before anything is read
    warm_up()
    collect_seldom()
    worker = PunctualWorker(create_app(settings), loglevel=settings.log_level, redirect_stdouts=False)
    worker.execute_from_commandline()


def _end_abruptly() -> None:
    logging.getLogger(__name__).error(
        "Not stopped after %g seconds (is the broker gone?): ending without a last checkpoint. "
        "The next start reads again what came after the one before.",
        STOP_SECONDS,
    )
    os._exit(1)
