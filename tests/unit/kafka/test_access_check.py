"""Whether Kafka lets us in is known soon, however the address is wrong, and said with what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import SaslAuthenticationFailed

from experiments.servers.embedded_broker import free_port
from streams.kafka import access_check
from streams.kafka.access_check import UnreachableError, check_connection
from streams.kafka.security import SecurityError
from streams.settings import KafkaSettings

Named = list[tuple[int, str, int, None]]


class Answer(NamedTuple):
    brokers: Named


class Connection:
    """One to a broker that says where its brokers are."""

    def __init__(self, named: Named) -> None:
        self._named = named

    async def send(self, request: object) -> Answer:
        return Answer(self._named)

    def close(self) -> None: ...


def answering(monkeypatch: pytest.MonkeyPatch, brokers: Mapping[str, Named | Exception | None]) -> None:
    """Let these brokers say where brokers are, fail, or never answer."""

    async def connect(host: str, port: int, **_: Any) -> Connection:
        found = brokers[host]
        if found is None:
            await asyncio.Event().wait()
        if isinstance(found, Exception):
            raise found
        return Connection(found or [])

    monkeypatch.setattr(access_check, "create_conn", connect)


def asked(*hosts: str, patience: float = 0.0) -> None:
    check_connection(KafkaSettings(bootstrap_servers=",".join(f"{one}:9092" for one in hosts)), patience)


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_one_that_answers_is_enough_however_many_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_check, "ATTEMPT_SECONDS", 3600.0)
    answering(monkeypatch, {"silent": None, "away": ConnectionRefusedError(), "fine": []})
    asked("silent", "away", "fine", patience=3600.0)


def test_all_are_asked_at_the_same_time_and_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_check, "LEAST_SECONDS", 0.05)
    answering(monkeypatch, {f"silent{number}": None for number in range(100)} | {"away": ConnectionRefusedError()})
    began = time.monotonic()
    with pytest.raises(
        UnreachableError, match=r"silent0:9092 does not answer; .*; away:9092 refuses connections\. Check"
    ):
        asked(*(f"silent{number}" for number in range(100)), "away")
    assert time.monotonic() - began < 100 * 0.05


def test_a_refusal_is_final_though_others_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_check, "ATTEMPT_SECONDS", 3600.0)
    answering(monkeypatch, {"silent": None, "strict": SaslAuthenticationFailed()})
    with pytest.raises(SecurityError, match="strict:9092 refuses user"):
        asked("silent", "strict", patience=3600.0)


def test_brokers_that_name_an_address_out_of_reach_are_told_to_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = free_port()
    answering(monkeypatch, {"fine": [(1, "127.0.0.1", nobody, None)]})
    with pytest.raises(UnreachableError, match=f"reached at 127.0.0.1:{nobody}, where none is .*advertised.listeners"):
        asked("fine")


def test_one_broker_in_reach_of_those_that_are_named_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look() -> None:
        async with listening() as port:
            answering(monkeypatch, {"fine": [(1, "127.0.0.1", free_port(), None), (2, "127.0.0.1", port, None)]})
            await access_check._check_connection(KafkaSettings(bootstrap_servers="fine:9092"), 0.0)

    asyncio.run(look())
    answering(monkeypatch, {"fine": [(1, "127.0.0.1", free_port(), None), (2, "fine", 9092, None)]})
    asked("fine")
