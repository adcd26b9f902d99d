"""What comes over HTTP: answered, refused or cut off, and health is answered after it.

An input is the bytes of a connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Iterable
from functools import cache
from random import Random
from typing import Any, Final, cast

from aiohttp import web
from faust.web.drivers.aiohttp import Web

from experiments.fuzz.drawn import TEXTS
from experiments.fuzz.mutation import mutated_lines
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import run, settings
from streams.app import create_app

ANSWERED: Final = re.compile(rb"^HTTP/1\.[01] (\d{3}) [^\r\n]*\r$", re.MULTILINE)
HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
NOT_READY: Final = b"GET /readyz"
TURNS: Final = 40
"""Of the loop, in which a request that came is answered."""
PATIENCE: Final = 30.0
"""Seconds until health is answered."""
PATHS: Final = (
    "/",
    "/live.json",
    "/live.json?model=plain",
    "/runbook",
    "/metrics",
    "/healthz",
    "/readyz",
    "/page.js",
    "/x",
    "*",
)
WORDS: Final = (
    b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"PRI", b"*", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/9",
    b"http://a", b"Host: ", b"Host: evil.example", b"Host: [::1]", b"Host: [", b"Host:", b"Connection: keep-alive",
    b"Connection: upgrade", b"Upgrade: websocket", b"Upgrade: h2c", b"Transfer-Encoding: chunked",
    b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 5",
    b"Expect: 100-continue", b"Content-Encoding: gzip", b"Accept-Encoding: gzip, br, zstd", b"Range: bytes=0-1",
    b"If-None-Match: *", b"Cookie: a=b", b"Content-Type: x;charset=\xff", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b"ffffffffffffffff", b"%00", b"%ff", b"%2e%2e/", b"../", b"?model=%ed%a0%80", b"?model=%", b"?", b"#", b"\0",
    b"\xff", b"\r", b"\n", b"\r\n", b"\t", b" ", b":", b"x" * 5_000, b"a: b\r\n" * 80, b"[::1", b"\x16\x03\x01",
)  # fmt: skip


class _Told(logging.Handler):
    """Takes down what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _Served:
    """The worker's pages without a worker, on connections that have no port."""

    def __init__(self, server: web.Server, told: _Told) -> None:
        self._server, self.told = server, told

    async def sent(self, data: bytes) -> bytes:
        """Return what comes back while the loop turns some times."""
        loop = asyncio.get_running_loop()
        theirs, ours = socket.socketpair()
        with ours:
            ours.setblocking(False)
            transport, _ = await loop.connect_accepted_socket(self._server, theirs)
            came = b""
            for turn in range(TURNS):
                if data:
                    data = data[self._some(ours, data) :]
                await asyncio.sleep(0)
                if turn % 4 == 3:
                    came += self._read(ours)
        transport.abort()
        await asyncio.sleep(0)
        return came

    async def health(self) -> bytes:
        """Return what is said of health, once it is said."""
        loop = asyncio.get_running_loop()
        theirs, ours = socket.socketpair()
        await loop.connect_accepted_socket(self._server, theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(HEALTH)
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE)
        finally:
            writer.close()

    @staticmethod
    def _some(ours: socket.socket, data: bytes) -> int:
        try:
            return ours.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it was cut off, as it may be

    @staticmethod
    def _read(ours: socket.socket) -> bytes:
        try:
            return ours.recv(1 << 20)
        except OSError:
            return b""


async def _serve() -> _Served:
    told = _Told()
    logging.getLogger().addHandler(told)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.lines.append(str(context)))
    served = cast(Web, create_app(settings()).web)
    await served.wsgi()
    runner: Any = served._runner
    await runner.setup()
    return _Served(runner.server, told)


@cache
def _served() -> _Served:
    return run(_serve())


def answered(data: bytes) -> bytes:
    """Return what is answered to the bytes of a connection."""
    return run(_served().sent(data))


def check(data: bytes) -> None:
    """Send the bytes; no page fails, nothing is logged as an error, and health is answered."""
    served = _served()
    served.told.lines.clear()
    came = answered(data)
    for status in ANSWERED.findall(came):
        failed = status.startswith(b"5") and not (status == b"503" and NOT_READY in data)
        require(not failed, f"answered with {status.decode()}")
    require(b"Traceback" not in came, "a traceback was sent")
    require(run(served.health()).startswith(b"HTTP/1.1 200 "), "health is not answered")
    require(not served.told.lines, f"logged: {served.told.lines[:1]}")


def seeds() -> Iterable[bytes]:
    """Yield good requests."""
    for path in PATHS:
        yield f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
    yield b"GET /metrics HTTP/1.0\r\n\r\n"
    yield b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    yield HEALTH.replace(b"close", b"keep-alive") + HEALTH


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return a connection with a line more, less or changed."""

    def change(line: bytes) -> bytes:
        match rng.randrange(4):
            case 0:
                return rng.choice(WORDS) + b"\r\n" + line
            case 1:
                parts = line.split(b" ")
                parts[rng.randrange(len(parts))] = rng.choice(WORDS)
                return b" ".join(parts)
            case 2:
                begin = rng.randint(0, len(line))
                word = rng.choice((*WORDS, *(one.encode("utf-8", "surrogatepass") for one in TEXTS)))
                return line[:begin] + word + line[begin + rng.randint(0, 2) :]
        return rng.choice(PATHS).join(("GET ", " HTTP/1.1\r")).encode()

    return None if rng.random() < 0.3 else mutated_lines(data, rng, change)


TARGET: Final = Target("pages", check, seeds, mutated, 16_384)
