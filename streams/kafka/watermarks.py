"""Explicit watermarks: a producer's promise, on every partition, that nothing with an earlier event time follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from groundswell.events import SCHEMA_VERSION, Watermark
from streams.kafka.acknowledged_producer import AcknowledgedProducer


def mark(producer: AcknowledgedProducer, partitions: Mapping[str, Sequence[int]], reached: int) -> None:
    """Tell these partitions of topics how far event time is (milliseconds).

    All of them: where feedback is rare, its log alone would not say.
    """
    marker = msgspec.json.encode(Watermark(schema_version=SCHEMA_VERSION, watermark=reached))
    for topic, numbers in partitions.items():
        for partition in numbers:
            producer.send(topic, marker, partition=partition)
