"""Results on disk: results.json, a table in Markdown, the figures as PNG and in one HTML page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib import pyplot as plt

from experiments.papers.runs_and_bars import Experiment, Plot, Run, summary


def results(experiment: Experiment, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what results.json holds."""
    return {
        "experiment": experiment.name,
        "configuration": dict(experiment.configuration),
        "runs": [{"seed": run.seed, "setting": run.setting, **run.measures} for run in runs],
        "summary": summary(experiment, runs),
    }


def write(experiment: Experiment, runs: Sequence[Run], out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write everything about the runs to the folder `out`; return results.json and a section for `page`."""
    out.mkdir(parents=True, exist_ok=True)
    content = results(experiment, runs)
    (out / "results.json").write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    (out / "table.md").write_text(table(experiment, content["summary"]))
    plots = experiment.plots(runs)
    images = [(plot, _png(plot)) for plot in plots]
    for plot, image in images:
        (out / f"{plot.name}.png").write_bytes(image)
        plt.close(plot.figure)
    section = {
        "experiment": experiment,
        "summary": content["summary"],
        "seeds": sorted({run.seed for run in runs}),
        "figures": [(plot, base64.b64encode(image).decode(), _columns(plot)) for plot, image in images],
    }
    (out / "report.html").write_text(page([section]))
    return content, section


def page(sections: Sequence[dict[str, Any]]) -> str:
    """Return one HTML page of several experiments."""
    environment = Environment(
        loader=PackageLoader("experiments.papers", "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template("experiments.html").render(sections=sections)


def table(experiment: Experiment, by_setting: dict[str, Any]) -> str:
    """Return the summary as a Markdown table: a row per setting, then the bars."""
    names = [name for name in experiment.directions if any(name in one for one in by_setting.values())]
    lines = [
        f"# {experiment.title}",
        "",
        "| setting | " + " | ".join(f"{name}, median (worst)" for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for setting, measures in by_setting.items():
        cells = [
            f"{number(measures[name]['median'])} ({number(measures[name]['worst'])})" if name in measures else ""
            for name in names
        ]
        lines.append(f"| {setting} | " + " | ".join(cells) + " |")
    lines += ["", "| setting | what | bar | reached | met |", "|---|---|---|---|---|"]
    for setting, measures in by_setting.items():
        lines += [
            f"| {setting} | {bar['name']} | {bar['bar']} | {number(bar['reached'])} | {_mark(bar)} |"
            for bar in measures["bars"]
        ]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Return a number for a reader: whole ones with separators, others with three digits, None as a dash."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or (value and float(value).is_integer()) else f"{value:.3g}"


def _mark(bar: dict[str, Any]) -> str:
    return "yes" if bar["met"] else "NO"


def _columns(plot: Plot) -> int:
    """Return how many panels of a figure lie side by side: a narrow page shows one at a time."""
    grids = [axis.get_subplotspec() for axis in plot.figure.axes]
    return max((grid.get_gridspec().ncols for grid in grids if grid is not None), default=1)


def _png(plot: Plot) -> bytes:
    buffer = io.BytesIO()
    plot.figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return buffer.getvalue()
