"""Asks a broker again and again which topics there are: their ids, and how many partitions they have.

Kafka gives each topic an id when it makes it (KIP-516): one that is deleted and made again is another topic under the
old name, whatever it holds. The clients go by names and follow it without a word, or go on for minutes with what they
know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.errors import KafkaError as AIOKafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streams.kafka.access_rights import changelog_topic
from streams.kafka.security import security_arguments
from streams.kafka.topics import NO_ID, refuse_another, refuse_partitions, worker_layouts
from streams.settings import KafkaSettings, TopicSettings

PATIENCE = 3.0
"""Seconds in which a broker has to answer."""


class SeenTopic(NamedTuple):
    """A topic as a broker knows it."""

    id: str
    partitions: int


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: Any) -> UUID:
        return UUID(bytes=data.read(16))


class _Topics(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _TopicsRequest(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    """Metadata, in the first version with ids that asks for nothing about the cluster."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 11
    RESPONSE_TYPE = _Topics
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _WhichTopics(Request[MetadataRequest_v4 | _TopicsRequest]):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def build(self, request_struct_class: type[MetadataRequest_v4 | _TopicsRequest]) -> Any:
        if request_struct_class is _TopicsRequest:
            asked: list[tuple[UUID, str, dict[int, bytes]]] = [(UUID(int=0), name, {}) for name in self._names]
            return request_struct_class(asked, False, False, {})
        return request_struct_class(self._names, False)


class TopicWatch:
    """One connection over which to ask about some topics; it is made anew where it breaks."""

    def __init__(self, kafka: KafkaSettings, topics: Iterable[str]) -> None:
        self._kafka = kafka
        self._request = _WhichTopics(topics)
        self._connection: AIOKafkaConnection | None = None

    async def look(self) -> Mapping[str, SeenTopic]:
        """Return those of the topics that there are. Raises `KafkaError` of aiokafka where no broker answers."""
        if self._connection is not None:
            try:
                return _seen(await self._connection.send(self._request))
            except (AIOKafkaError, OSError, TimeoutError):
                self.close()
        problems = []
        for host, port, _ in collect_hosts(self._kafka.bootstrap_servers):
            try:
                connection = await create_conn(
                    host, port, request_timeout_ms=round(1000 * PATIENCE), **security_arguments(self._kafka)
                )
                self._connection = connection
                return _seen(await connection.send(self._request))
            except (AIOKafkaError, OSError, TimeoutError) as error:
                self.close()
                problems.append(f"{host}:{port} {error}")
        raise KafkaConnectionError("; ".join(problems))

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _seen(answer: Any) -> dict[str, SeenTopic]:
    if answer.API_VERSION == _Topics.API_VERSION:
        return {
            name: SeenTopic(str(topic_id) if topic_id.int else NO_ID, len(partitions))
            for error, name, topic_id, _, partitions, *_ in answer.topics
            if not error
        }
    return {name: SeenTopic(NO_ID, len(partitions)) for error, name, _, partitions in answer.topics if not error}


def refuse_changed(
    kafka: KafkaSettings, topics: TopicSettings, known: Mapping[str, str], seen: Mapping[str, SeenTopic]
) -> None:
    """Raise `TopicError` where topics are other ones than those that a worker began with, or have other partitions.

    `known` are their ids as it began. A topic that is gone is not refused: it may be on its way.
    """
    refuse_partitions(worker_layouts(kafka, topics), {name: topic.partitions for name, topic in seen.items()})
    for name in (topics.impressions, topics.feedback, topics.interactions, changelog_topic(kafka)):
        if name in seen:
            refuse_another(name, known.get(name, NO_ID), seen[name].id)


def says_gone(kafka: KafkaSettings, topics: Sequence[str]) -> str:
    """Return that topics which were there have gone, and what to do."""
    what, exist, them = ("topic", "exists", "it") if len(topics) == 1 else ("topics", "exist", "them")
    return (
        f"the {what} {', '.join(topics)} no longer {exist} at {kafka.bootstrap_servers}. `groundswell topics create` "
        f"makes {them}, empty; where Kafka was started on other data (another directory, a new volume), start it on "
        "the old data again"
    )
