"""Runs a worker in this process until it is told to stop."""

from __future__ import annotations

import faust

from processors.learner import warm_up
from streams.app import create_app
from streams.settings import Settings
from streams.topics import check_topics


def run_worker(settings: Settings) -> None:
    """Check the topics, then run until SIGINT or SIGTERM. Ends the process.

    Raises `PartitionCountError` where a topic is missing or has the wrong number of partitions.
    """
    check_topics(settings.kafka, settings.topics)
    warm_up()
    worker = faust.Worker(create_app(settings), loglevel=settings.log_level, redirect_stdouts=False)
    worker.execute_from_commandline()
