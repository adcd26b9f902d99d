#!/usr/bin/env bash
# Library: streamz 0.6.6 (pandas 3.1.1), DataFrame.window("5min") and its sum, count and mean, by the time in the index.
# Guess: the window holds the rows of the last five minutes before the newest; an older row that arrives late is outside, and not counted.
# Seen: a late row is counted, and stays: rows are removed from the oldest BATCH on, and the first batch that holds nothing old ends the
#   search. So a row ten minutes late stays until the batch before it has left as well, and one row that is stamped an hour ahead
#   makes the window a running total of all that comes in that hour: nothing is removed, nor is memory freed. Rows out of order
#   within one batch raise KeyError when they are to leave.
# Hurts: whoever reads a recent click rate off a streamz window where feedback is late or one client's clock is ahead: the "five
#   minutes" are an hour, and a change in the rate shows twelve times too late.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check streamz==0.6.6 pandas==3.1.1
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

import pandas as pd
from streamz import Stream
from streamz.dataframe import DataFrame

logging.disable()  # the KeyError is shown below
print(*(f"{name} {version(name)}" for name in ("streamz", "pandas")))
NOON = pd.Timestamp("2026-01-01 12:00")


def batch(*rows):
    """Rows (minute after noon, click)."""
    return pd.DataFrame({"click": [row[1] for row in rows]}, index=pd.DatetimeIndex([NOON + pd.Timedelta(minutes=row[0]) for row in rows]))


def counts(batches):
    """Rows in the window after each batch: as streamz has it, and as five minutes before the newest row have it."""
    stream = Stream()
    clicks = DataFrame(stream, example=batch((0, 0))).window("5min").click
    counted = clicks.count().stream.sink_to_list()
    for rows in batches:
        stream.emit(rows)
    so_far = [pd.concat(batches[: n + 1]).index for n in range(len(batches))]
    return [int(n) for n in counted], [int((index > index.max() - pd.Timedelta("5min")).sum()) for index in so_far]


in_order = counts([batch((minute, 0)) for minute in range(0, 30)])
late = counts([batch((minute, minute == 0)) for minute in (0, 10, 0, 11, 12, 13, 14, 15, 16)])
ahead = counts([batch((0, 0)), batch((61, 0)), *(batch((minute, 0)) for minute in range(1, 61))])
print("a row a minute, counted, last 10:", in_order[0][-10:], "of the last five minutes:", in_order[1][-10:])
print("minutes 0, 10, 0 (late), 11 to 16, counted:", late[0], "of the last five minutes:", late[1])
print("minutes 0, 61 (a clock ahead), 1 to 60, counted, last 5:", ahead[0][-5:], "of the last five minutes:", ahead[1][-5:])
try:
    within = counts([batch((0, 0), (3, 0), (1, 0)), batch((10, 0))])
except KeyError as error:
    within = type(error).__name__
print("minutes 0, 3, 1 in one batch, then 10:", within)
as_seen = in_order[0] == in_order[1] and late[0][2] == 2 and late[1][2] == 1 and ahead[0][-1] == 61 and ahead[1][-1] <= 5
as_seen &= [n - m for n, m in zip(*late)] == [0, 0, 1, 1, 1, 1, 1, 0, 0] and within == "KeyError"
sys.exit(0 if as_seen else "not as recorded")
PYTHON
