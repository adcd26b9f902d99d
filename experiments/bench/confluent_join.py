"""The same join on raw confluent-kafka, as fast as Python has it: the yardstick of `bench join`.

Windows close in event time as ours do, and the output is the same JSON. It refuses nothing, remembers nothing, keeps
no state and commits no offset: a crash begins anew.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from experiments.bench.workload import GRACE, WAIT

WINDOW: Final = round((WAIT + GRACE) * 1000)


class Outline(msgspec.Struct, gc=False):
    """What the join needs of an impression or of feedback."""

    impression_id: str
    occurred_at: int
    model: str = ""
    signal: str = ""


class PartitionJoin:
    """What is pending on one partition."""

    def __init__(self) -> None:
        self.times = [0, 0]
        self.pending: dict[str, tuple[int, bytes, list[tuple[int, str, bytes]]]] = {}
        self.closing: deque[tuple[int, str]] = deque()
        self.early: dict[str, list[tuple[int, str, bytes]]] = {}


def run(servers: str, impressions: str, feedback: str, partitions: int, output: str) -> None:
    """Join until stopped."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": output,
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 262_144,
            "fetch.message.max.bytes": 4_000_000,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "compression.type": "lz4",
        }
    )
    consumer.assign(
        [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in (impressions, feedback)
            for partition in range(partitions)
        ]
    )
    decode = msgspec.json.Decoder(Outline).decode
    joins = [PartitionJoin() for _ in range(partitions)]
    while True:
        touched = set()
        for message in consumer.consume(20_000, 0.1):
            value, partition = message.value(), message.partition()
            join = joins[partition]
            touched.add(partition)
            one = decode(value)
            at = one.occurred_at
            if message.topic() == impressions:
                join.times[0] = at
                early = join.early.pop(one.impression_id, None) if join.early else None
                join.pending[one.impression_id] = (message.offset(), value, early or [])
                join.closing.append((at + WINDOW, one.impression_id))
            else:
                join.times[1] = at
                waiting = join.pending.get(one.impression_id)
                if waiting is not None:
                    waiting[2].append((at, one.signal, value))
                else:
                    join.early.setdefault(one.impression_id, []).append((at, one.signal, value))
        for partition in touched:
            close(joins[partition], partition, output, producer)
        producer.poll(0)


def close(join: PartitionJoin, partition: int, output: str, producer: Any) -> None:
    """Write the interactions that are due."""
    watermark, closing, pending = min(join.times), join.closing, join.pending
    while closing and closing[0][0] <= watermark:
        offset, value, answers = pending.pop(closing.popleft()[1])
        answers.sort()
        signals = b",".join([b'"%b"' % signal.encode() for _, signal, _ in answers]) or b'"none"'
        joined = (
            b'{"schema_version":1,"source":{"partition":%d,"offset":%d,"floor":0},"impression":%b,"feedback":[%b],"signals":[%b]}'
            % (partition, offset, value, b",".join([answer for _, _, answer in answers]), signals)
        )
        while True:
            try:
                producer.produce(output, joined, b"feed")
                break
            except BufferError:
                producer.poll(0.01)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
