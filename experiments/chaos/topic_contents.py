"""Everything that lies on a topic, and how far a group has come: for the audit, read without the workers' help."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from experiments.chaos.audit import Log
from experiments.chaos.join_definition import REFUSED, Entry


def read_all(bootstrap_servers: str, topic: str) -> Log:
    """Return all records that a topic holds now, by partition."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None, max_poll_records=5000)) as consumer:
        partitions = _partitions(consumer, topic)
        log: dict[int, list[Entry]] = {tp.partition: [] for tp in partitions}
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for tp, records in consumer.poll(timeout_ms=500).items():
                log[tp.partition] += [_entry(record) for record in records]
        return log


def _entry(record: ConsumerRecord) -> Entry:
    """Return a record; of one that is refused, and may be large, not the value."""
    refused = any(name == REFUSED for name, _ in record.headers)
    value = b"" if refused else record.value or b""
    return Entry(record.offset, record.key, value, record.timestamp, refused)


def end_offsets(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """Return the offset behind the last record of each partition."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None)) as consumer:
        return {tp.partition: end for tp, end in consumer.end_offsets(_partitions(consumer, topic)).items()}


def committed_offsets(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """Return what a group has committed of a topic."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap_servers)) as admin:
        committed = admin.list_group_offsets({group: None})[group]
        return {tp.partition: mark.offset for tp, mark in committed.items() if tp.topic == topic}


def _partitions(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
