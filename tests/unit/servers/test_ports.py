"""Ports at which no Kafka could listen are told before one is started, with what to choose."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.embedded_broker import free_port
from experiments.servers.kafka_distribution import KafkaUnavailableError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody has, and at which nobody answers: a queue of one, which is full."""
    with socket.socket() as server, socket.socket() as first:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())
        yield server.getsockname()[1]


def test_a_port_at_which_nobody_answers_is_taken_all_the_same(tmp_path: Path, taken: int) -> None:
    with pytest.raises(KafkaUnavailableError, match=rf"port {taken} of 127\.0\.0\.1 is taken.*\(--port\)"):
        ApacheKafka(tmp_path, port=taken).start()


def test_a_port_that_only_administrators_may_have_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, bind = free_port(), socket.socket.bind

    def as_a_user(probe: socket.socket, address: Any) -> None:
        if address[1] == port:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        bind(probe, address)

    monkeypatch.setattr(socket.socket, "bind", as_a_user)
    with pytest.raises(KafkaUnavailableError, match=rf"port {port} of .* \(Permission denied\): choose .* \(--port\)"):
        ApacheKafka(tmp_path, port=port).start()


def test_a_port_that_was_drawn_is_not_mended_by_another_one_for_clients(tmp_path: Path, taken: int) -> None:
    ApacheKafka(tmp_path)
    known = json.loads((tmp_path / "cluster.json").read_text())
    known["ports"][0]["controller"] = taken
    (tmp_path / "cluster.json").write_text(json.dumps(known))
    with pytest.raises(KafkaUnavailableError, match=rf"port {taken} .* is taken.*\(--directory\)"):
        ApacheKafka(tmp_path, port=free_port()).start()
