"""The worker's process, whoever starts it: `groundswell worker` or `faust -A streams.app worker`."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
import threading
from typing import Any, Final, NoReturn

import faust
from aiokafka.errors import KafkaError as AIOKafkaError

from groundswell.signatures import SignatureError
from processors.admission.event_records import Admission
from processors.learners.learner_choice import warm_up
from processors.learners.stock_models import EstimatorError
from streams.kafka.security import SecurityError
from streams.kafka.topic_watch import TopicWatch, refuse_changed, says_gone
from streams.kafka.topics import TopicError, check_topics, worker_layouts
from streams.observing.logs import get_log, set_up_logs
from streams.settings import HttpSettings
from streams.worker.first_words import say_what_starts
from streams.worker.garbage_collection import collect_seldom
from streams.worker.worker_app import Groundswell
from streams.worker.worker_conditions import ANSWER_SECONDS

LOG = get_log(__name__)
STOP_SECONDS = 9.0
"""How long a graceful stop may take; supervisors kill after ten. Nothing is lost by ending at once."""


class PageError(Exception):
    """The worker cannot serve its page where it is told to; the message says why and which setting to change."""


REFUSALS: Final = (EstimatorError, PageError, SecurityError, SignatureError, TopicError)
"""What keeps a worker from its start, each with what to do about it."""


class PunctualWorker(faust.Worker):
    """Checks before it starts, ends in time even where Faust would wait for a broker that is gone, and says why."""

    app: Groundswell

    def __init__(self, app: Groundswell, **options: Any) -> None:
        """Leave the output to the log: Faust would print and draw beside it, and set up one of its own."""
        own = {"override_logging": False, "redirect_stdouts": False, "quiet": True}
        super().__init__(app, **{**options, **own})
        self.spinner = None

    def execute_from_commandline(self) -> NoReturn:
        """Check settings and topics, then run until SIGINT or SIGTERM. Ends the process.

        Raises `TopicError` where a topic is missing or not as it has to be, `SecurityError` where Kafka does not let
        this worker in, or forbids something that it needs, `PageError` where another program has the port of the page,
        and `EstimatorError` for one that cannot serve.
        """
        settings = self.app.settings
        set_up_logs(settings.log_level, settings.log_format)
        check_page(settings.http)
        say_what_starts(settings)
        self.app.topic_ids.update(check_topics(settings.kafka, settings.topics))
        LOG.info("compiling what learns: the first start of an installation takes a minute for it, later ones seconds")
        warm_up(settings.models.values())
        Admission(settings.models, settings.max_ahead_ms).impressions(
            []
        )  # compiles, which the first batch would wait for
        collect_seldom()
        super().execute_from_commandline()

    async def stop(self) -> None:
        """Stop gracefully, or else abruptly."""
        deadline = threading.Timer(STOP_SECONDS, self._end_abruptly)
        deadline.daemon = True
        deadline.start()
        await super().stop()

    def stop_and_shutdown(self) -> None:
        """End everything; where it ends by a failure, the last line of the log says which.

        What failed was logged with its traceback where it failed; what fails in the course of ending is no reason.
        """
        try:
            super().stop_and_shutdown()
        except BaseException:
            if self.app.failure is None:
                raise
        if self.app.failure is not None:
            self._say_why()
            raise SystemExit(1)

    def _end_abruptly(self) -> None:
        LOG.error(
            "not stopped in time (is the broker gone?): ending without a last checkpoint. "
            "The next start reads again what came after the one before",
            seconds=STOP_SECONDS,
        )
        self._say_why()
        os._exit(1)

    def _say_why(self) -> None:
        if self.app.failure is not None:
            self.app.failure = asyncio.run(changed_topics(self.app)) or self.app.failure
            LOG.critical(f"The worker ends: {self.app.failure}")
            # These are the last words: what Python finds unfinished as it takes the process apart is no reason.
            logging.disable()


class WorkerOfFaust(PunctualWorker):
    """Started by `faust -A streams.app worker`, whose command line would show a refusal as a traceback."""

    def execute_from_commandline(self) -> NoReturn:
        """Do the same; where it cannot start, say why and exit with 2."""
        try:
            super().execute_from_commandline()
        except REFUSALS as refusal:
            sys.stderr.write(f"groundswell: {refusal}\n")
            sys.exit(2)


async def changed_topics(app: Groundswell) -> TopicError | None:
    """Return what is wrong with the topics now: what failed may only follow from their being other ones, or gone."""
    kafka, topics = app.settings.kafka, app.settings.topics
    watch = TopicWatch(kafka, [one.name for one in worker_layouts(kafka, topics)])
    try:
        seen = await asyncio.wait_for(watch.look(), ANSWER_SECONDS)
        refuse_changed(kafka, topics, app.topic_ids, seen)
        gone = [one.name for one in worker_layouts(kafka, topics) if one.name not in seen]
        return TopicError(says_gone(kafka, gone)) if gone else None
    except TopicError as changed:
        return changed
    except (AIOKafkaError, SecurityError, TimeoutError):
        return None
    finally:
        watch.close()


def check_page(http: HttpSettings) -> None:
    """Raise `PageError` where the page's address cannot be had: Faust would find out amid its start."""
    try:
        found = socket.getaddrinfo(http.host, http.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the server itself does: connections of the last worker that fade away do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PageError(
                f"port {http.port} of {http.host} is taken, by another worker perhaps: set http.port (or "
                "GROUNDSWELL_HTTP__PORT) to one that is free"
            ) from error
        raise PageError(
            f"the page cannot be served at {http.host}:{http.port}: {error.strerror or error}. Set http.host and "
            "http.port to an address of this machine"
        ) from error
