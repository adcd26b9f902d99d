"""`groundswell serve`: the API on a socket, from its start to the end of the last request."""

from __future__ import annotations

import logging
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final, cast

import uvicorn

from groundswell.client import event_log, policies
from groundswell.client.reaching import SILENCE_SECONDS, UNREACHABLE
from streams.kafka.access_check import check_connection
from streams.kafka.patient_clients import OnceInAWhile
from streams.kafka.security import SecurityError, connection_arguments
from streams.kafka.signing import Signing
from streams.serve.api import Api
from streams.serve.connections import BoundedProtocol, Held
from streams.serve.deciders import Deciders
from streams.serve.writing import Writing
from streams.settings import KafkaSettings, ServeSettings, Settings

LOG: Final = logging.getLogger(__name__)
BACKLOG: Final = 1_024


PATIENCE_OF_A_START: Final = 2.0
"""Seconds until it is said that no broker answers; apps are answered meanwhile, and afterwards."""
OTHER_FILES: Final = 200
"""Open files beside connections: libraries, and a few for each model."""
SPEAKERS: Final = frozenset({__name__, policies.__name__, event_log.__name__})
"""The loggers that tell how it is to reach Kafka."""


class ServeError(Exception):
    """The server cannot start; the message says why and what to do."""


class Server(uvicorn.Server):
    """Ends at a signal by itself: nothing new is taken in, what is under way is answered, then `run` returns."""

    def __init__(self, config: uvicorn.Config, api: Api) -> None:
        super().__init__(config)
        self._api = api

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; at a second Ctrl-C at once."""
        # uvicorn's own raises the signal again afterwards, and what is to be written later would be lost.
        self._api.draining = True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def serve(settings: Settings, listener: socket.socket, say_where: Callable[[], None]) -> None:
    """Answer who asks at a socket until stopped; `say_where` is called once that begins.

    Raises `ServeError`, `SecurityError` and `SignatureError` where it cannot start.
    """
    with running_api(settings) as api:
        server = server_of(settings.serve, api)
        say_where()
        server.run(sockets=[listener])


@contextmanager
def running_api(settings: Settings) -> Iterator[Api]:
    """Follow the policies and hold the logs open; in the end, write what waits."""
    kafka = connection_arguments(settings.kafka)
    verifier = Signing.of(settings.signatures).verifier
    with closing(Deciders.following(settings, verifier, kafka)) as deciders:
        writing = Writing.to(settings.topics, settings.serve, kafka)
        threading.Thread(target=look_for_kafka, args=(settings.kafka, deciders), daemon=True).start()
        try:
            yield Api(settings.serve, deciders, writing)
        finally:
            writing.close(settings.serve.drain_seconds)


def look_for_kafka(kafka: KafkaSettings, deciders: Deciders) -> None:
    """Say why Kafka cannot be reached; the clients, which try on, know neither of passwords nor of certificates."""
    try:
        check_connection(kafka, PATIENCE_OF_A_START)
    except SecurityError as error:
        deciders.unreached = f"{error}; trying again"
        LOG.warning(UNREACHABLE, deciders.unreached)


def say_seldom() -> None:
    """Let what the clients of all models say of Kafka be written once in a while, by the logs that are set up now."""
    once = _OfKafkaOnceInAWhile(
        silence=SILENCE_SECONDS, kind=lambda said: UNREACHABLE if said.msg == UNREACHABLE else said.getMessage()
    )
    # Of what writes and not of what speaks: loggers live as long as the process, with whatever is set up after these.
    for handler in logging.getLogger().handlers:
        handler.addFilter(once)


class _OfKafkaOnceInAWhile(OnceInAWhile):
    """Lets everything else pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name not in SPEAKERS or super().filter(record)


def server_of(settings: ServeSettings, api: Api) -> Server:
    """Return the server of an API. Raises `ServeError` where its certificate or so many connections cannot be."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < settings.max_connections + OTHER_FILES:
        raise ServeError(
            f"serve.max_connections {settings.max_connections} is too much for the {files} files that this process may "
            f"open: allow {settings.max_connections + OTHER_FILES} (`ulimit -n`), or fewer connections"
        )
    # Whoever sends what is no request is answered and not logged.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    held = Held(settings.max_connections, settings.idle_seconds)
    config = uvicorn.Config(
        api.application(),
        http=cast(Any, partial(BoundedProtocol, held=held)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=max(1, round(settings.idle_seconds)),
        timeout_graceful_shutdown=round(settings.drain_seconds),
        ssl_certfile=settings.certificate_file,
        ssl_keyfile=settings.key_file,
        ssl_keyfile_password="",  # without one OpenSSL would ask the terminal for it
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ServeError(
            f"serve.certificate_file {settings.certificate_file} and its private key in "
            f"{settings.key_file or 'the same file'} cannot be used: {error}. Both have to be PEM, without a password, "
            "and belong together"
        ) from error
    return Server(config, api)


def listening(settings: ServeSettings) -> socket.socket:
    """Return a socket that listens. Raises `ServeError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ServeError(
            f"{settings.host}:{settings.port} cannot be listened at: {error.strerror or error}. Is it another's? Set "
            "serve.host and serve.port"
        ) from error
