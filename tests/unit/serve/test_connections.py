"""Slow, silent and hostile connections: they are bounded, and do not stop the others."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2
import pytest

from streams.serve.server import ServeError, server_of
from streams.settings import ServeSettings
from tests.unit.serve.served import ACTIVATE, FEEDBACK, RANK, KeptLog, api, listening

PATIENCE = 60.0
MANY = 10_000
SOON = 1.0
"""Seconds in which a request is sent, however busy the machine is."""
BODY = json.dumps(RANK).encode()
HEAD = b"POST /v1/rank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
WHOLE = HEAD % len(BODY) + b"\r\n" + BODY


@pytest.fixture
def port() -> Iterator[int]:
    with listening(max_connections=20, idle_seconds=PATIENCE) as found:
        yield found


def connected(port: int, sends: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.sendall(sends)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return what comes back up to the end of the connection or of the first answer."""
    found = b""
    while not found.endswith(b"}") and (part := _received(connection)):
        found += part
    return found


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/ra", HEAD % 100, HEAD % 100_000 + b"\r\n" + b"x" * 1_000, b"\r\n"],
    ids=["nothing", "half a line", "half a head", "half a body", "an empty line"],
)
def test_hundreds_that_are_slow_do_not_stop_the_others(port: int, sent: bytes) -> None:
    with ExitStack() as slow:
        for _ in range(300):
            slow.enter_context(closing(connected(port, sent)))
        for _ in range(3):
            assert httpx2.post(f"http://127.0.0.1:{port}/v1/rank", json=RANK, timeout=PATIENCE).status_code == 200


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    before = soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most == resource.RLIM_INFINITY or most > MANY + 1_000, f"`ulimit -Hn` is {most}: it takes {MANY + 1_000}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY + 1_000), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_ten_thousand_that_are_slow_in_every_way_do_not_stop_the_others() -> None:
    ways = [b"", b"POST /v1/ra", HEAD % 100, HEAD % 100_000 + b"\r\n" + b"x" * 1_000, b"\r\n", WHOLE[:-1]]
    asks = [
        ("rank", RANK),
        ("rank", {**RANK, "slots": [{"id": "top"}]}),
        ("feedback", FEEDBACK),
        ("activate", ACTIVATE),
    ]
    with listening(idle_seconds=PATIENCE) as port, ExitStack() as slow:
        for number in range(MANY):
            slow.enter_context(closing(connected(port, ways[number % len(ways)])))
            if number % 100 == 0:  # fewer than may wait to be taken
                path, body = asks[number // 100 % len(asks)]
                asked = f"http://127.0.0.1:{port}/v1/{path}"
                assert httpx2.post(asked, json=body, timeout=PATIENCE).status_code == 200


def test_one_that_is_answered_stays_and_is_used_again(port: int) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as app, ExitStack() as slow:
        for _ in range(4):
            # With those before there are too many, and older ones go first. Those of two turns are not, which may all
            # be taken after the answer: the server need not have taken a connection that is made.
            for _ in range(9):
                slow.enter_context(closing(connected(port)))
            answered = app.post("/v1/rank", json=RANK)
            assert answered.status_code == 200


@pytest.mark.parametrize("sent", [b"", b"POST /v1/ra", HEAD % 100, HEAD % 100_000 + b"\r\nx"])
def test_what_brings_no_whole_request_in_time_is_closed(sent: bytes) -> None:
    with listening(idle_seconds=0.2) as port, closing(connected(port, sent)) as connection:
        assert answer(connection) == b""


def test_what_brings_no_more_after_a_request_is_closed() -> None:
    with listening(idle_seconds=SOON) as port, closing(connected(port, WHOLE + b"\r\n")) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 200 ")
        assert answer(connection) == b""


def test_one_whose_answer_takes_long_is_not_closed() -> None:
    log = KeptLog(waits=True)
    with (
        listening(log, idle_seconds=SOON, write_seconds=1.5 * SOON) as port,
        closing(connected(port, WHOLE)) as connection,
    ):
        assert answer(connection).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"X: %b\r\n" % (b"y" * 1_000) * 100 + b"\r\n",
    ],
    ids=["no HTTP", "a long line", "long headers"],
)
def test_what_is_no_request_is_refused(port: int, sent: bytes) -> None:
    with closing(connected(port)) as connection:
        try:
            connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return  # it was refused before it was all sent
        assert answer(connection)[:12] in {b"HTTP/1.1 400", b""}


def test_requests_that_follow_one_another_on_a_connection_are_all_answered(port: int) -> None:
    with closing(connected(port, WHOLE * 3)) as connection:
        found = b""
        while found.count(b"HTTP/1.1 200 ") < 3 or not found.endswith(b"}"):
            found += connection.recv(65_536)
    assert found.count(b'"written":"acknowledged"') == 3


def test_more_connections_than_files_may_be_open_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 1_024))
    server_of(ServeSettings(max_connections=500), api())
    with pytest.raises(ServeError, match="allow 1200"):
        server_of(ServeSettings(max_connections=1_000), api())


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_certificate_that_is_none_is_told_by_its_setting(content: str, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text(content)
    with pytest.raises(ServeError, match=r"serve\.certificate_file"):
        server_of(ServeSettings(certificate_file=tmp_path / "both.pem"), api())
