"""A broker for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from experiments.servers.embedded_broker import EmbeddedBroker
from tests.integration.workers import with_topics


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """Yield the bootstrap servers of a fresh broker, which outlives the clients that the test opened."""
    with EmbeddedBroker(tmp_path / "broker") as running, _clients_closed():
        yield running.bootstrap_servers


@pytest.fixture
def servers(broker: str) -> str:
    """Return the bootstrap servers of a fresh broker that has the topics."""
    return with_topics(broker)


@contextmanager
def _clients_closed() -> Iterator[None]:
    """Close what a test leaves open: a client whose broker has gone logs on and on, in the output of later tests."""
    opened: list[Any] = []

    def remembered(opening: Callable[..., None]) -> Callable[..., None]:
        @wraps(opening)
        def opened_by_a_test(client: Any, *arguments: Any, **options: Any) -> None:
            opening(client, *arguments, **options)
            opened.append(client)

        return opened_by_a_test

    with pytest.MonkeyPatch.context() as patch:
        for kind in (KafkaAdminClient, KafkaConsumer, KafkaProducer):
            patch.setattr(kind, "__init__", remembered(kind.__init__))
        yield
    for client in opened:
        client.close()
