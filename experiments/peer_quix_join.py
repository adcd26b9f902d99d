"""The join on Quix Streams: `interval` is its join by time, `state` two streams in one with state by key.

Its state is RocksDB with a changelog, its offsets are committed with what was written. Neither waits: `interval`
(left) writes a row for each impression and one more for each feedback, `state` one for each feedback; there is no
moment at which an impression without feedback is known to have none.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any, Final

import msgspec
from quixstreams import Application, State

from experiments.bench_workload import WAIT

WINDOW: Final = round(WAIT * 1000)


class Outline(msgspec.Struct, gc=False):
    """When something occurred, and to which topic it belongs."""

    occurred_at: int
    signal: str | None = None


_decode = msgspec.json.Decoder(Outline).decode


def event_time(value: Any, *_: Any) -> int:
    """Return the event time (ms) in a record's value."""
    return int(value["occurred_at"] if isinstance(value, dict) else _decode(value).occurred_at)


def joined_in_state(value: bytes, state: State) -> bytes | None:
    """Return an impression with its feedback once both are there: either may come first."""
    mine, other = ("impression", "feedback") if _decode(value).signal is None else ("feedback", "impression")
    found = state.get_bytes(other)
    if found is None or mine == "impression":
        state.set_bytes(mine, value)
    shown, answer = (value, found) if mine == "impression" else (found, value)
    return None if shown is None or answer is None else b'{"impression":%b,"feedback":[%b]}' % (shown, answer)


def run(servers: str, impressions: str, feedback: str, output: str, *, how: str) -> None:
    """Join until stopped."""
    app = Application(
        broker_address=servers,
        consumer_group=output,
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(),
        commit_interval=1.0,
        auto_create_topics=True,
        loglevel="WARNING",
        producer_extra_config={"linger.ms": 20, "batch.size": 1_000_000, "compression.type": "lz4"},
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
    )
    form: Any = "bytes" if how == "state" else "json"
    shown = app.dataframe(app.topic(impressions, value_deserializer=form, timestamp_extractor=event_time))
    answers = app.dataframe(app.topic(feedback, value_deserializer=form, timestamp_extractor=event_time))
    into = app.topic(output, value_serializer=form)
    if how == "state":
        both = shown.concat(answers).apply(joined_in_state, stateful=True)
        both[both.apply(lambda value: value is not None)].to_topic(into)
    else:
        shown.join_interval(answers, how="left", on_merge=lambda left, right: {**left, "feedback": right},
                            forward_ms=WINDOW, grace_ms=WINDOW).to_topic(into)  # fmt: skip
    app.run()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[5], how=sys.argv[6])
