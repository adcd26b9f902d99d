#!/usr/bin/env bash
# Library: pathway 0.33.0.
# Guess: in interval_join_left, common_behavior(delay=10) holds an impression for 10 s of event time, so that feedback within those
#   10 s is joined before anything is emitted, and only impressions without any come out with None.
# Seen: the delay holds both sides. Feedback 3 s after its impression is read in good time, but is itself held for 10 s after
#   ITS time, that is 3 s longer than the impression. So every impression still comes out first with None, then is taken back, then
#   comes out joined, all of it 10 s later than without the delay. A longer delay only shifts the three rows.
# Hurts: whoever adds the delay to be rid of provisional "no feedback" rows before a sink or learner that takes additions as
#   final: every click has first been learned as no click, just as without the delay.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
pip="$tmp/venv/bin/pip --disable-pip-version-check install --quiet --no-cache-dir"
# of what it depends on what importing it takes: the connectors need six times as much
$pip aiohttp aiohttp-cors async-lru "beartype<0.23" diskcache jmespath numpy opentelemetry-api opentelemetry-sdk \
  opentelemetry-exporter-otlp-proto-grpc pandas "pyarrow<26" python-sat pyyaml requests rich
$pip --no-deps pathway==0.33.0
cd "$tmp"
"$tmp/venv/bin/python" -W ignore - <<'PYTHON' 2> >(grep -v INFO >&2)
import sys
from importlib.metadata import version

import pathway as pw

SECONDS = 60
print("pathway", version("pathway"))


def run(**behavior):
    """One impression a second, with feedback three seconds after it; each read in the second in which it happens."""
    pw.internals.parse_graph.G.clear()
    impressions = pw.debug.table_from_rows(
        pw.schema_from_types(shown=int, at=int), [(n, n, 2 * (n + 1), 1) for n in range(SECONDS)], is_stream=True
    )
    feedback = pw.debug.table_from_rows(
        pw.schema_from_types(shown=int, at=int, reward=int),
        [(n, n + 3, 1, 2 * (n + 4), 1) for n in range(SECONDS - 3)],
        is_stream=True,
    )
    joined = pw.temporal.interval_join_left(
        impressions, feedback, impressions.at, feedback.at, pw.temporal.interval(0, 10), impressions.shown == feedback.shown, **behavior
    ).select(impressions.shown, feedback.reward)
    rows = []
    pw.io.subscribe(joined, lambda key, row, time, is_addition: rows.append((row, time // 2 - 1, is_addition)))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    return [(("+" if added else "-"), row["reward"], at) for row, at, added in sorted(rows, key=lambda r: r[1:]) if row["shown"] == 5]


as_seen = True
for delay in None, 10, 20:
    rows = run() if delay is None else run(behavior=pw.temporal.common_behavior(delay=delay))
    print(f"delay {delay}: the impression of second 5, feedback in second 8 (sign, reward, second): {rows}")
    held = delay or 0
    as_seen &= rows == [("+", None, 5 + held), ("-", None, 8 + held), ("+", 1, 8 + held)]
sys.exit(0 if as_seen else "not as recorded")
PYTHON
