"""What an experiment is: settings, a run per setting and seed, bars to reach and figures to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Measure = float | int | None
Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class Run:
    """One run. `measures` go to results.json as they are; `curves` are for the figures only.

    A measure is a number, None if it was never reached, or a dictionary of them.
    """

    setting: str
    seed: int
    measures: Mapping[str, Any]
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bar:
    """A bar and what was reached; `bar` is said in words."""

    name: str
    bar: str
    reached: Measure
    met: bool


@dataclass(frozen=True)
class Plot:
    """A figure with the words that belong under it."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Experiment:
    """A named experiment; `evaluate` runs it for each setting and seed.

    `configuration` is all that is needed to repeat it. `directions` names the measures that are summarised,
    with the direction that is better. `data` raises `DataError` where data that is not shipped is missing: before all
    else, for a run may take hours.
    """

    name: str
    title: str
    explanation: str
    configuration: Mapping[str, Any]
    settings: Sequence[str]
    run: Callable[[str, int], Run]
    directions: Mapping[str, Direction]
    bars: Callable[[str, Sequence[Run]], list[Bar]]
    plots: Callable[[Sequence[Run]], list[Plot]]
    data: Callable[[], object] = lambda: None


def never_is_worst(value: Measure, direction: Direction) -> float:
    """Return the value as a number to rank by: what was never reached is the worst."""
    if value is None:
        return float("inf") if direction == "lower" else float("-inf")
    return float(value)


def median(values: Sequence[Measure], direction: Direction) -> float | None:
    """Return the median, None if half or more of the values were never reached."""
    result = float(np.median([never_is_worst(value, direction) for value in values]))
    return result if np.isfinite(result) else None


def worst(values: Sequence[Measure], direction: Direction) -> float | None:
    """Return the worst value, None if one was never reached."""
    ranked = [never_is_worst(value, direction) for value in values]
    result = max(ranked) if direction == "lower" else min(ranked)
    return result if np.isfinite(result) else None


def summary(experiment: Experiment, runs: Sequence[Run]) -> dict[str, Any]:
    """Return for each setting the median and the worst of each measure, and the bars."""
    result: dict[str, Any] = {}
    for setting in experiment.settings:
        chosen = [run for run in runs if run.setting == setting]
        measures: dict[str, Any] = {}
        for name, direction in experiment.directions.items():
            values = [run.measures[name] for run in chosen if name in run.measures]
            if values:
                measures[name] = {"median": median(values, direction), "worst": worst(values, direction)}
        bars = experiment.bars(setting, chosen)
        measures["bars"] = [{"name": bar.name, "bar": bar.bar, "reached": bar.reached, "met": bar.met} for bar in bars]
        result[setting] = measures
    return result
