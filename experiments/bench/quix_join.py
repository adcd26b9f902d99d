"""The join on Quix Streams: two streams in one, with state by key.

Its state is RocksDB with a changelog, its offsets are committed with what was written. It writes a row as soon as an
impression and its feedback are both there; there is no moment at which an impression without feedback is known to
have none. Its join by time, `join_interval`, reached about a third of this.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import msgspec
from quixstreams import Application, State


class Outline(msgspec.Struct, gc=False):
    """When something occurred, and to which topic it belongs."""

    occurred_at: int
    signal: str | None = None


_decode = msgspec.json.Decoder(Outline).decode


def event_time(value: Any, *_: Any) -> int:
    """Return the event time (ms) in a record's value."""
    return _decode(value).occurred_at


def joined_in_state(value: bytes, state: State[str, bytes]) -> bytes | None:
    """Return an impression with its feedback once both are there: either may come first."""
    mine, other = ("impression", "feedback") if _decode(value).signal is None else ("feedback", "impression")
    found = state.get_bytes(other)
    if found is None or mine == "impression":
        state.set_bytes(mine, value)
    shown, answer = (value, found) if mine == "impression" else (found, value)
    return None if shown is None or answer is None else b'{"impression":%b,"feedback":[%b]}' % (shown, answer)


def run(servers: str, impressions: str, feedback: str, output: str) -> None:
    """Join until stopped."""
    app = Application(
        broker_address=servers,
        consumer_group=output,
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(),
        commit_interval=1.0,
        loglevel="WARNING",
        producer_extra_config={"linger.ms": 20, "batch.size": 1_000_000, "compression.type": "lz4"},
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
    )
    shown, answers = (
        app.dataframe(app.topic(topic, value_deserializer="bytes", timestamp_extractor=event_time))
        for topic in (impressions, feedback)
    )
    both = shown.concat(answers).apply(joined_in_state, stateful=True)
    both[both.apply(lambda value: value is not None)].to_topic(app.topic(output, value_serializer="bytes"))
    app.run()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[5])
