"""What signals are worth, as CSV and for a terminal."""

from __future__ import annotations

import csv
import io

from rich.console import Console

from groundswell.worth import Worth, WorthTable
from streams.worker.worth_listing import as_csv, as_table

TABLE = WorthTable(
    model="feed",
    interactions=12_345,
    feature="platform",
    rows=[
        Worth(signal='like, "loved"', segment=None, log_odds=2.5, low=1.25, high=None, plays=80.0, share=0.5),
        Worth(
            signal="skip [red]",
            segment="ios",
            log_odds=None,
            low=None,
            high=None,
            plays=3.0,
            share=0.25,
            doubt="undetermined_signal",
        ),
    ],
)


def test_csv_has_a_line_a_row_and_is_empty_where_nothing_is_known() -> None:
    assert list(csv.DictReader(io.StringIO(as_csv(TABLE)))) == [
        {"segment": "", "signal": 'like, "loved"', "log_odds": "2.5", "low": "1.25", "high": "", "plays": "80.0",
         "share": "0.5", "doubt": ""},
        {"segment": "ios", "signal": "skip [red]", "log_odds": "", "low": "", "high": "", "plays": "3.0",
         "share": "0.25", "doubt": "undetermined_signal"},
    ]  # fmt: skip


def test_people_see_the_same_and_names_are_no_markup() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(as_table(TABLE))
    text = console.export_text()
    assert "feed after 12,345 interactions" in text
    assert "+2.50" in text
    assert "+1.25 to +inf" in text
    assert "skip [red]" in text
    assert "undetermined signal" in text
