"""Where things are written: interactions, side outputs, rewards and policies, with their keys and partitions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import msgspec
from kafka.partitioner.default import murmur2

from groundswell.signatures import Kind
from groundswell.worth import WorthTable
from processors.admission.event_records import Refusal
from processors.join.entries import Stray
from processors.learners.reward_columns import RewardColumns
from streams.kafka.batch_writer import BatchWriter
from streams.kafka.signing import Signing
from streams.observing.refusal_log import RefusalLog
from streams.settings import TopicSettings

_encode = msgspec.json.Encoder().encode


def contract_partition(key: bytes, partitions: int) -> int:
    """Return the partition on which a key lies by the contract: Kafka's murmur2, as Java clients do."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


MAX_REMEMBERED_KEY = 256
_interaction_partition = lru_cache(maxsize=65_536)(contract_partition)
"""The same, remembered: murmur2 takes as long as writing an interaction, and models and shards come again."""

MAX_DEAD_LETTER_KEY, MAX_DEAD_LETTER_VALUE = 50_000, 900_000


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Outputs:
    """Writes what one step brought about; `flush` returns when all of it is acknowledged."""

    def __init__(
        self,
        writer: BatchWriter,
        topics: TopicSettings,
        refusals: RefusalLog | None = None,
        signing: Signing | None = None,
    ) -> None:
        self._writer = writer
        self._signing = signing or Signing()
        self._topics = topics
        self._refusals = refusals or RefusalLog()

    def interactions(self, model: str, spread_by: bytes, values: Iterable[bytes]) -> None:
        """Write interactions, keyed by their model, to the partition on which the key `spread_by` lies."""
        spread = _interaction_partition if len(spread_by) <= MAX_REMEMBERED_KEY else contract_partition
        partition = spread(spread_by, self._topics.interaction_partitions)
        self._writer.extend(self._topics.interactions, partition, zip(repeat(model.encode()), values))

    def stray(self, partition: int, stray: Stray, reason: str) -> None:
        """Write feedback that joined nothing: its original bytes, reason and lateness in the headers."""
        headers = [("reason", reason.encode())]
        if stray.lateness is not None:
            headers.append(("lateness_ms", str(stray.lateness).encode()))
        feedback = stray.feedback
        self._writer.append(
            self._topics.late_feedback, partition, feedback.impression_id.encode(), feedback.value, headers
        )

    def dead_letter(self, place: Place, key: bytes | None, value: bytes | None, refusal: Refusal) -> None:
        """Write a refused message: its original key and bytes, the why and where in the headers.

        Of a message too large to be written again with its headers, the beginning is kept, and its size in `cut_from`.
        """
        self._refusals.refused(*place, key, refusal)
        headers = [
            ("reason", refusal.reason.encode()),
            ("detail", refusal.detail.encode(errors="replace")[:1000]),
            ("topic", place.topic.encode()),
            ("partition", str(place.partition).encode()),
            ("offset", str(place.offset).encode()),
        ]
        if len(value or b"") > MAX_DEAD_LETTER_VALUE:
            headers.append(("cut_from", str(len(value or b"")).encode()))
        key, value = key and key[:MAX_DEAD_LETTER_KEY], value and value[:MAX_DEAD_LETTER_VALUE]
        self._writer.append(self._topics.dead_letter, 0, key, value, headers)

    def rewards(self, partition: int, rewards: RewardColumns) -> None:
        """Write inferred rewards beside the interactions they came from."""
        self._writer.extend(self._topics.rewards, partition, rewards.encoded())

    def policy(self, records: list[tuple[bytes, bytes]]) -> None:
        """Write the records of a policy snapshot, in order."""
        self._state("policies", self._topics.policies, 0, records)

    def checkpoint(self, partition: int, records: list[tuple[bytes, bytes]]) -> None:
        """Write the records of a checkpoint, in order."""
        self._state("checkpoints", self._topics.checkpoints, partition, records)

    def _state(self, kind: Kind, topic: str, partition: int, records: list[tuple[bytes, bytes]]) -> None:
        for key, value in records:
            self._writer.extend(topic, partition, [(key, value)], self._signing.headers(kind, partition, key, value))

    def signal_worth(self, table: WorthTable) -> None:
        """Write what the signals of a model are worth."""
        self._writer.append(self._topics.signal_worth, 0, table.model.encode(), _encode(table))

    async def flush(self) -> None:
        """Wait until the broker has acknowledged everything."""
        await self._writer.flush()
