"""What connections may do: how many there are, how long each takes for a request, how long its headers are.

uvicorn bounds neither. A connection that does not bring a whole request within `idle_seconds` is closed; where there
are `most`, the one that has brought none for longest makes room for the next, so that whoever holds many open does not
keep others out. Those whose request is being answered go last.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD: Final = 16_384
"""Bytes of a request line and headers (and trailers) together."""


class Held:
    """The connections of a server, that of the last whole request last."""

    def __init__(self, most: int, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self._most = most
        self._connections: dict[BoundedProtocol, None] = {}

    def take(self, connection: BoundedProtocol) -> None:
        """Take in a connection, or let it be the last to go; where there are enough, another one goes."""
        self._connections.pop(connection, None)
        if len(self._connections) >= self._most:
            leaving = next((one for one in self._connections if one.is_idle), next(iter(self._connections)))
            self.leave(leaving)
            leaving.transport.abort()
        self._connections[connection] = None

    def leave(self, connection: BoundedProtocol) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)

    def __len__(self) -> int:
        return len(self._connections)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, within bounds. `held` is what all connections of a server share."""

    def __init__(self, *, held: Held, **given: Any) -> None:
        super().__init__(**given)
        self._held = held
        self._head_bytes = 0
        self._whole = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no whole request of it waits for its answer."""
        return not self._whole or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take in the connection, and wait for its first request."""
        super().connection_made(transport)
        self._held.take(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._held.leave(self)
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request; it has to be whole in time, however slowly parts of it come."""
        if self._whole and self.cycle.response_complete:
            self._whole = False
        if not self._whole:
            self._wait()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._head_bytes, self._whole = 0, False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take in the request line."""
        self._more_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self._more_head(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        """Answer a request that is whole."""
        self._whole = True
        self._wait_no_longer()
        self._held.take(self)
        super().on_message_complete()

    def _more_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > LONGEST_HEAD:
            raise ValueError("the headers are too long")  # llhttp ends parsing, and uvicorn answers with 400

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._held.idle_seconds, self._too_late)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.close()
