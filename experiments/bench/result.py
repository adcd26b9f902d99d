"""What a benchmark writes and prints: medians, ratios and bars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.papers.runs_and_bars import Bar


def at_least(name: str, bar: float, reached: float) -> Bar:
    """Return a bar that is met from `bar` on."""
    return Bar(name, f">= {bar:g}", reached, reached >= bar)


def at_most(name: str, bar: float, reached: float) -> Bar:
    """Return a bar that is met up to `bar`."""
    return Bar(name, f"<= {bar:g}", reached, reached <= bar)


def conclude(out: Path, title: str, rows: Mapping[str, Mapping[str, float]], bars: Sequence[Bar], **more: Any) -> int:
    """Print the medians of each contender and the bars, write results.json, and return 1 if a bar was missed."""
    out.mkdir(parents=True, exist_ok=True)
    result = {**more, "contenders": rows, "bars": [asdict(bar) for bar in bars]}
    (out / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table("", *(column.replace("_", " ") for column in columns), title=title)
    for name, row in rows.items():
        table.add_row(name, *(_figure(row.get(column)) for column in columns))
    verdict = Table("bar", "", "reached", "met")
    for bar in bars:
        verdict.add_row(bar.name, bar.bar, f"{bar.reached:,.3g}", "yes" if bar.met else "NO")
    console = Console()
    console.print(table, verdict)
    return 0 if all(bar.met for bar in bars) else 1


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
