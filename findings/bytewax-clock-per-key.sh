#!/usr/bin/env bash
# Library: bytewax 0.21.1.
# Guess: EventClock keeps one event-time watermark (per worker or per partition, as Flink, Kafka Streams, Spark and Beam do), so a window
#   closes once later events of ANY key have moved time past its end, and a replayed log gives what the live run gave.
# Seen: each key has a clock of its own, which only that key's own items move; without them it moves with the wall clock. Where
#   the key is the impression, which it must be for a join, a replay of 70 minutes of log closes no ten-minute window at all before the
#   input ends (or ten real minutes pass). The same events under one key close seven windows on the way. A click an hour late is not
#   late either: its impression's window closes at that click, which then opens a window of its own.
# Hurts: whoever joins impressions with feedback by id in bytewax and replays, back-fills or tests from a log: nothing is
#   emitted, all keys stay in memory, and then everything comes at once, with orphan clicks counted as outcomes.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check bytewax==0.21.1
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.testing import TestingSink, TestingSource, run_main

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)
# minute of the event, impression, what it is: eight impressions, and a click of the first more than an hour after it
LOG = [(0, "i0", "shown")] + [(minute, f"i{minute}", "shown") for minute in range(10, 71, 10)] + [(75, "i0", "click")]


def run(key_of):
    seen = []
    flow = Dataflow("replay")
    events = op.input("log", flow, TestingSource([(key_of(event), event) for event in LOG], batch_size=1))
    events = op.inspect("read", events, lambda _, item: seen.append(f"read {item[1][0]}"))
    windows = windowing.collect_window(
        "window",
        events,
        windowing.EventClock(
            ts_getter=lambda event: MIDNIGHT + timedelta(minutes=event[0]), wait_for_system_duration=timedelta(0)
        ),
        windowing.TumblingWindower(length=timedelta(minutes=10), align_to=MIDNIGHT),
    )
    closed = op.inspect(
        "closed", windows.down, lambda _, item: seen.append("closed " + "+".join(f"{e[1]} {e[2]}" for e in item[1][1]))
    )
    op.inspect("late", windows.late, lambda _, item: seen.append(f"late {item[1][1][1]} {item[1][1][2]}"))
    op.output("out", closed, TestingSink([]))
    run_main(flow)
    return seen


print("bytewax", version("bytewax"))
by_impression, together = run(lambda event: event[1]), run(lambda event: "all")
on_the_way = {}
for name, seen in ("keyed by impression", by_impression), ("all under one key", together):
    last = max(n for n, line in enumerate(seen) if line.startswith("read"))
    on_the_way[name] = [line for line in seen[:last] if not line.startswith("read")]
    print(f"{name}, before the log's last event: {on_the_way[name]}")
    print(f"  and at its end: {seen[last + 1 :]}")
as_seen = (
    on_the_way["keyed by impression"] == []
    and "closed i0 shown" in by_impression
    and "closed i0 click" in by_impression
    and not any(line.startswith("late") for line in by_impression)
    and len(on_the_way["all under one key"]) == 7
)
sys.exit(0 if as_seen else "not as recorded")
PYTHON
