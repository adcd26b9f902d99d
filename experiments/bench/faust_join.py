"""The join as Faust's documentation has one write it: two agents, one event at a time, a changelog table.

Faust has no join that runs and closes no window by event time, so the deadlines are a heap of our own; it is lost
in a crash, and with it what the table still holds. Tuned: no leader topic, large batches, deep queues, raw bytes
decoded by msgspec, output written without waiting for its acknowledgement.
"""

from __future__ import annotations

import sys
import tempfile
from heapq import heappop, heappush
from typing import Any, Final

import faust
import msgspec

from experiments.bench.workload import GRACE, WAIT

WINDOW: Final = round((WAIT + GRACE) * 1000)


class Outline(msgspec.Struct, gc=False):
    """What the join needs of an impression or of feedback."""

    impression_id: str
    occurred_at: int
    signal: str = ""


def app(servers: str, impressions: str, feedback: str, partitions: int, output: str) -> faust.App:
    """Return the app."""
    joined = faust.App(
        output,
        broker=f"aiokafka://{servers}",
        store="memory://",
        datadir=tempfile.mkdtemp(),
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=partitions,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=16_384,
        broker_max_poll_records=2_000,
        broker_session_timeout=80,
        producer_max_batch_size=262_144,
        producer_linger=0.02,
        producer_compression_type="lz4",
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    shown = joined.topic(impressions, partitions=partitions)
    answers = joined.topic(feedback, partitions=partitions)
    interactions = joined.topic(output, partitions=1)
    pending = joined.Table("pending", partitions=partitions)
    decode = msgspec.json.Decoder(Outline).decode
    closing: list[tuple[int, str]] = []
    times = {impressions: 0, feedback: 0}

    async def advance(topic: str, occurred_at: int) -> None:
        times[topic] = max(times[topic], occurred_at)
        while closing and closing[0][0] <= min(times.values()):
            _, impression_id = heappop(closing)
            value, signals, all_feedback = pending.pop(impression_id)
            await interactions.send(
                key=b"feed",
                value=b'{"impression":%b,"feedback":[%b],"signals":%b}'
                % (value.encode(), all_feedback.encode(), msgspec.json.encode(signals or ["none"])),
            )

    @joined.agent(shown)
    async def on_impression(stream: Any) -> None:
        async for value in stream:
            one = decode(value)
            pending[one.impression_id] = [value.decode(), [], ""]
            heappush(closing, (one.occurred_at + WINDOW, one.impression_id))
            await advance(impressions, one.occurred_at)

    @joined.agent(answers)
    async def on_feedback(stream: Any) -> None:
        async for value in stream:
            one = decode(value)
            row = pending.get(one.impression_id)
            if row is not None:
                pending[one.impression_id] = [
                    row[0],
                    [*row[1], one.signal],
                    ",".join(filter(None, [row[2], value.decode()])),
                ]
            await advance(feedback, one.occurred_at)

    return joined


if __name__ == "__main__":
    worker = faust.Worker(app(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]), loglevel="WARNING")
    worker.execute_from_commandline()
