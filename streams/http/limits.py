"""What the worker's pages bear: how many connections, for how long, from whom, and no bodies.

A connection that sends nothing, or never ends its headers, is closed after `http.idle_seconds`; where there are
`http.max_connections`, the one that has been idle for longest makes room for the next, so that health is answered
however many are held open. Names under which nothing is answered are told by `streams/host_names.py`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from faust.web.drivers.aiohttp import Web

from streams.host_names import is_allowed
from streams.settings import HttpSettings
from streams.worker.worker_app import Groundswell

MOST_HEADERS: Final = 64
LONGEST_LINE: Final = 4_096
"""Bytes of a request line, and of a header."""

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_limits(app: Groundswell) -> None:
    """Let the server of the pages be one that has limits. Call it before it starts."""
    settings, served = app.settings.http, cast(Web, app.web)
    served.web_app.middlewares.append(_refusing(settings))
    # Faust makes the one that it starts when it is made itself, without any of this.
    served._runner = BoundedRunner(served.web_app, settings)


class BoundedRunner(web.AppRunner):
    """Runs a web application within limits."""

    __slots__ = ("_most",)

    def __init__(self, app: web.Application, settings: HttpSettings) -> None:
        self._most = settings.max_connections
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=settings.idle_seconds,
            lingering_time=0.0,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            logger=_quiet_logger(),
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return BoundedServer(self._most, made)


class BoundedServer(web.Server):
    """A server that holds so many connections at most, and is otherwise as another one."""

    def __init__(self, most: int, other: web.Server) -> None:
        super().__init__(
            _expecting_nothing(other.request_handler),
            request_factory=other.request_factory,
            handler_cancellation=other.handler_cancellation,
            loop=other._loop,
            **other._kwargs,
        )
        self._most = most

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take in a connection; where there are enough, one that is idle, or else the oldest, gives way."""
        held = [one for one in self._connections if not one._force_close]
        if len(held) >= self._most:
            leaving = next((one for one in held if one._current_request is None), held[0])
            self._connections[leaving].abort()
            leaving.force_close()
        super().connection_made(handler, transport)


def _refusing(settings: HttpSettings) -> Any:
    allowed = frozenset(one.lower() for one in (*settings.allowed_hosts, socket.gethostname()))

    @web.middleware
    async def refuse(request: web.Request, handler: Answer) -> web.StreamResponse:
        if not is_allowed(request.headers.get("Host"), allowed):
            return _refusal(421, "not under this name: see http.allowed_hosts")
        if request.body_exists:
            return _refusal(400, "no page takes a body")
        try:
            return await handler(request)
        except web.HTTPNotFound:
            there = sorted({one.canonical for one in request.app.router.resources()})
            return _refusal(404, f"there is no such page, but {', '.join(there)}; all of them without a slash behind")

    return refuse


def _expecting_nothing(handler: Any) -> Any:
    """Return a handler that refuses what asks whether a body is welcome: none is.

    aiohttp answers such requests before any middleware sees them, and fails, with a traceback in the log, where what is
    asked is no text.
    """

    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        if "Expect" in request.headers:
            return _refusal(417, "no page takes a body")
        answer: web.StreamResponse = await handler(request)
        return answer

    return refuse


def _refusal(status: int, why: str) -> web.Response:
    response = web.Response(status=status, text=why + "\n")
    response.force_close()
    return response


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.addFilter(_no_request)
    return logger


def _no_request(record: logging.LogRecord) -> bool:
    """Say whether a line is of anything but a request that is none: whoever sends such is answered, not logged."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
