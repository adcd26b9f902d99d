"""Producing with every acknowledgement checked, by the same public client that any app would use."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from groundswell.client.closing import close_producer
from streams.compression import DEFAULT, codec
from streams.observing.logs import get_log

IN_FLIGHT = 20_000
PATIENCE = 60.0
"""Seconds that a broker may take to acknowledge one message before sending ends with an error, by default."""
SILENCE = 10.0
"""Seconds without an acknowledgement that is waited for, after which that is said."""

LOG = get_log(__name__)
LOOK = "See whether the brokers are up and in reach (`groundswell doctor`)"


class SendError(RuntimeError):
    """The broker cannot be reached, lacks the topic, or did not acknowledge a message."""


class AcknowledgedProducer:
    """Sends in order, keeps at most `in_flight` messages unacknowledged, and notices the failure of each.

    Keys are placed by murmur2, the client's default and the wire contract's partitioner. Leaving the context
    waits for what is outstanding, unless an error is on its way out. Everything raises SendError. `security` is
    what the client needs beyond the address (`streams.kafka.security.security_arguments`), `patience` the seconds that
    a message may take.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        security: Mapping[str, Any] | None = None,
        in_flight: int = IN_FLIGHT,
        patience: float = PATIENCE,
    ) -> None:
        self._servers = bootstrap_servers
        self._security = dict(security or {})
        self._in_flight = in_flight
        self._patience = patience
        self._unacknowledged: deque[Any] = deque()
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap_servers,
                acks="all",
                allow_auto_create_topics=False,
                batch_size=256 * 1024,
                linger_ms=20,
                compression_type=codec(DEFAULT),
                delivery_timeout_ms=round(patience * 1000),
                max_block_ms=15_000,
                reconnect_backoff_max_ms=2_000,
                bootstrap_timeout_ms=15_000,
                **self._security,
            )
        except KafkaError as error:
            raise SendError(f"no Kafka broker answers at {bootstrap_servers}: {error}. {LOOK}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait_for_acknowledgements()
        finally:
            close_producer(self._producer, self._patience if error is None else 1)

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, which has to exist."""
        try:
            # Asked by the list: some brokers create a topic, with one partition, when they are asked for it.
            with closing(KafkaAdminClient(bootstrap_servers=self._servers, **self._security)) as admin:
                exists = topic in admin.list_topics()
            if exists:
                return sorted(self._producer.partitions_for(topic))
        except KafkaError as error:
            raise SendError(f"the partitions of {topic!r} at {self._servers} are not known: {error}. {LOOK}") from error
        raise SendError(f"no topic {topic!r} at {self._servers}; create it with `groundswell topics create`")

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send one message; where too many are outstanding, first wait for the oldest one's acknowledgement."""
        while len(self._unacknowledged) >= self._in_flight:
            self._acknowledge_oldest()
        try:
            self._unacknowledged.append(
                self._producer.send(topic, value, key=key, partition=partition, headers=list(headers))
            )
        except KafkaError as error:
            raise SendError(f"{topic} at {self._servers} takes no message: {error}. {LOOK}") from error

    def wait_for_acknowledgements(self) -> None:
        """Return when everything that was sent is acknowledged."""
        while self._unacknowledged:
            self._acknowledge_oldest()

    def _acknowledge_oldest(self) -> None:
        oldest, patience = self._unacknowledged.popleft(), self._patience
        try:
            if patience > SILENCE and not oldest.is_done:
                with suppress(KafkaTimeoutError):
                    oldest.get(timeout=SILENCE)
                patience -= SILENCE
                if not oldest.is_done:
                    waited = f"{self._servers} has acknowledged nothing for {SILENCE:g} s; giving up in {patience:g} s"
                    LOG.warning(f"{waited}. {LOOK}")
            oldest.get(timeout=patience)
        except KafkaError as error:
            raise SendError(f"a message was not acknowledged by {self._servers}: {error}. {LOOK}") from error
