"""Closing kafka-python's producers, which stay half open where what they hold cannot be written."""

from __future__ import annotations

from kafka import KafkaProducer
from kafka.errors import KafkaError


def close_producer(producer: KafkaProducer, seconds: float) -> None:
    """Close a producer, so many seconds after now at the most: what Kafka has not taken by then has failed."""
    try:
        producer.close(timeout=seconds)
    except KafkaError:
        # It gave up while it flushed. Left like this it would go on, and print what went wrong when it is collected.
        producer.flush = _nothing
        producer.close(timeout=0)


def _nothing(timeout: float | None = None) -> None:
    """Flush nothing."""
