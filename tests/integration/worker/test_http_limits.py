"""The worker's pages beside whoever holds connections open, or asks for what is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from tests.integration.workers import RunningWorker, until, with_topics

pytestmark = pytest.mark.timeout(400)

MANY = 400


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    directory = tmp_path_factory.mktemp("http")
    limits = {"GROUNDSWELL_HTTP__MAX_CONNECTIONS": "50", "GROUNDSWELL_HTTP__IDLE_SECONDS": "3"}
    with (
        EmbeddedBroker(directory / "broker") as broker,
        RunningWorker(directory, with_topics(broker.bootstrap_servers), environment=limits) as running,
    ):
        yield running


def connected(worker: RunningWorker) -> socket.socket:
    return socket.create_connection(("127.0.0.1", worker.port), timeout=60)


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1_000) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def asked(worker: RunningWorker, request: bytes) -> bytes:
    """Return the first line of the answer; the connection has to end."""
    with connected(worker) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer.partition(b"\r\n")[0]


def test_line_11_health_is_answered_beside_hundreds_of_idle_connections_which_are_closed(worker: RunningWorker) -> None:
    idle = [connected(worker) for _ in range(MANY)]
    try:
        for _ in range(3):
            assert worker.get("/healthz")[0] == 200
        until(lambda: sum(map(is_closed, idle)) >= MANY - 50, "all but so many to be closed")
        assert worker.get("/readyz")[0] == 200
        until(lambda: all(map(is_closed, idle)), "the others to be closed")
    finally:
        for one in idle:
            one.close()
    assert "Traceback" not in worker.said()


def test_headers_that_never_end_are_not_waited_for(worker: RunningWorker) -> None:
    with connected(worker) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")

        def drips() -> bool:
            try:
                connection.setblocking(True)
                connection.sendall(b"X: y\r\n")
            except ConnectionError:
                return True
            return is_closed(connection)

        until(drips, "the connection to be closed")


def test_line_12_a_name_that_anybody_can_register_is_not_answered(worker: RunningWorker) -> None:
    assert asked(worker, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").startswith(b"HTTP/1.1 421")
    for host in (b"localhost", b"127.0.0.1:6066", b"worker:6066", b"10.0.0.7"):
        request = b"GET /healthz HTTP/1.1\r\nConnection: close\r\nHost: %b\r\n\r\n" % host
        assert asked(worker, request).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
)
def test_line_13_a_body_on_get_is_refused_and_not_waited_for(worker: RunningWorker, body: bytes) -> None:
    assert asked(worker, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + body).startswith(b"HTTP/1.1 400")


def test_what_is_no_request_is_answered_and_not_logged(worker: RunningWorker) -> None:
    for junk in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"G" * 20_000 + b"\r\n\r\n",
    ):
        assert asked(worker, junk).startswith(b"HTTP/1.0 400") or asked(worker, junk).startswith(b"HTTP/1.1 400")
    assert worker.get("/healthz")[0] == 200
    assert "Traceback" not in worker.said()
