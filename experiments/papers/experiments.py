"""Run an experiment over seeds, show progress, write its results and say whether its bars are met."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import matplotlib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiments.papers import hard, report
from experiments.papers.runs_and_bars import Experiment

EXPERIMENTS: Final = (
    "three-state",
    "dislike-sweep",
    "two-state",
    "scale",
    "noise",
    "peers",
    "covertype",
    "facebook",
    "production",
    "drift",
    "shards",
    "worth",
    "hostile",
    "off-policy",
)
HARD: Final = "hard"
"""The name of the experiments outside the papers' feeds, each of which is a case."""


def find(name: str) -> Experiment:
    """Return the experiment of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"no experiment {name!r}: choose one of {', '.join(EXPERIMENTS)}")
    module = importlib.import_module(f"experiments.papers.{name.replace('-', '_')}")
    experiment: Experiment = module.EXPERIMENT
    return experiment


def evaluate(name: str, seeds: int, seed: int, out: Path, case: str | None = None) -> int:
    """Run `seeds` seeds from `seed` on, write to the folder `out`; return 1 if a bar is not met, else 0.

    The name "all" runs every experiment into a folder of its own and puts all of them on one page,
    `out`/index.html. "hard" does so with the `case`s outside the papers' feeds, unless one of them is named.
    """
    matplotlib.use("Agg")
    if name == HARD:
        experiments = {one: hard.experiment(one) for one in ([case] if case else hard.cases())}
    else:
        experiments = {one: find(one) for one in (EXPERIMENTS if name == "all" else [name])}
    for experiment in experiments.values():
        experiment.data()
    if len(experiments) == 1:
        (experiment,) = experiments.values()
        met, _ = _evaluated(experiment, seeds, seed, out)
        return 0 if met else 1
    outcomes = [_evaluated(experiment, seeds, seed, out / one) for one, experiment in experiments.items()]
    (out / "index.html").write_text(report.page([section for _, section in outcomes]))
    Console().print(f"Written: {out}/index.html")
    return 0 if all(met for met, _ in outcomes) else 1


def _evaluated(experiment: Experiment, seeds: int, seed: int, out: Path) -> tuple[bool, dict[str, Any]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    runs = []
    with Progress(*columns) as progress:
        task = progress.add_task(experiment.name, total=seeds * len(experiment.settings))
        for setting in experiment.settings:
            for number in range(seed, seed + seeds):
                progress.update(task, description=f"{experiment.name}: {setting}, seed {number}")
                runs.append(experiment.run(setting, number))
                progress.advance(task)
    content, section = report.write(experiment, runs, out)
    bars = [(setting, bar) for setting, one in content["summary"].items() for bar in one["bars"]]
    console = Console()
    for setting, bar in bars:
        mark = "[green]met   [/]" if bar["met"] else "[bold]MISSED[/]"
        console.print(f"{mark} {setting}: {bar['name']} {report.number(bar['reached'])} ({bar['bar']})")
    console.print(f"Written: {out}/results.json, table.md, report.html")
    return all(bar["met"] for _, bar in bars), section
