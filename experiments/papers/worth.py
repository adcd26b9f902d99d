"""What each signal is worth, against the truth: how often the interval of the log odds has it.

The truth is exact: P(+1 | signal, segment) of the simulated people, as often as each of them came, if all actions were
shown alike. Of buckets of a value it is the share of their plays that are +1, by importance weight: their bounds are
learned and move. Segments are the kinds of people where they mean different things, else four groups of contexts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run
from experiments.people import dwell, featured, logs, many_enjoyed, no_none, opposed, tastes
from experiments.people.playing import INFERRED, MODEL, played
from experiments.people.world import World
from groundswell.worth import Worth
from processors.learners import three_state, value_quantiles
from processors.learners.signal_worth import SignalWorth

WORLDS: Final = {
    "many-enjoyed": many_enjoyed.world,
    "tastes": tastes.world,
    "opposed": opposed.world,
    "features": featured.world,
    "no-none": no_none.world,
    "skewed-log": logs.world,
    "dwell": dwell.world,
}
SETTINGS: Final = (
    *(f"many-enjoyed: {one}" for one in ("1/1 of 2", "2/1 of 4", "3/3 of 11", "1/8 of 11", "6/2 of 11")),
    *(f"tastes: clean {one}" for one in ("groups 30/20", "groups 20/50", "bins 10/30", "numbers 50/30")),
    *(f"tastes: leaky {one}" for one in ("groups 30/20", "groups 10/30", "bins 50/5", "numbers 70/20")),
    *(f"opposed: {one}" for one in ("by feature", "by id")),
    *(f"features: {one}" for one in ("categories", "numbers")),
    *(f"no-none: {one}" for one in ("apart", "overlap", "wide")),
    "skewed-log: popularity",
    *(f"dwell: {one}" for one in ("dwell", "heavy tail", "several enjoyed")),
)
MOMENTS: Final = (5_000, 15_000, 50_000)
"""Visits after which the table is looked at."""
GROUPS: Final = 4
LEAST_COVERED: Final = 0.9


def segments_of(world: World, case: str) -> NDArray[np.int64]:
    """Return the segment of each visit."""
    if len(world.emissions) > 1 and case == "opposed":
        return world.kinds
    _, number = np.unique(world.contexts, return_inverse=True)
    return np.asarray(number, dtype=np.int64) % GROUPS


def true_shares(world: World, visits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return P(+1 | signal) of each signal over these visits if all actions were shown alike, NaN if it never comes."""
    cells = world.states + 1 if world.cells is None else world.cells
    kinds, kind_of = np.unique(world.kinds[visits], return_inverse=True)
    came, satisfied = np.zeros(len(world.signals)), np.zeros(len(world.signals))
    for place, kind in enumerate(kinds.tolist()):
        rows = world.rows[visits[kind_of == place]]
        emissions = (1.0 - world.noise) * world.emissions[kind] + world.noise / len(world.signals)
        counts = np.bincount(cells[rows].reshape(-1), minlength=len(emissions))
        enjoyed = np.bincount(cells[rows][world.states[rows] == 1], minlength=len(emissions))
        came += counts @ emissions
        satisfied += enjoyed @ emissions
    shares: NDArray[np.float64] = np.divide(satisfied, came, out=np.full(len(came), np.nan), where=came > 0.0)
    return shares


def seen_shares(
    names: NDArray[np.str_], satisfied: NDArray[np.bool_], weights: NDArray[np.float64]
) -> dict[str, float]:
    """Return the share of the plays of each name that are +1, by their weights."""
    found, number = np.unique(names, return_inverse=True)
    shares = np.bincount(number, weights * satisfied) / np.bincount(number, weights)
    return dict(zip(found.tolist(), shares.tolist(), strict=True))


def covers(row: Worth, share: float) -> bool:
    """Say whether a row's interval has the truth."""
    log_odds = math.inf if share >= 1.0 else -math.inf if share <= 0.0 else math.log(share / (1.0 - share))
    return (row.low is None or row.low <= log_odds) and (row.high is None or log_odds <= row.high)


def run(setting: str, seed: int) -> Run:
    """Compare all rows of the tables of one feed with the truth."""
    case, of_case = setting.split(": ")
    world = WORLDS[case](of_case, seed)
    outcome, segments = played(world, INFERRED, seed), segments_of(world, case)
    weights = 1.0 / (world.states.shape[1] * outcome.propensities)
    model = MODEL.model_copy(update={"definitely_negative": world.negative, "definitely_positive": world.positive})
    names = np.array(world.signals, dtype=object)[outcome.signals]
    if len(world.medians):
        valued = outcome.signals == 0
        names[valued] = np.array(value_quantiles.bucket_names(world.signals[0]), dtype=object)[outcome.buckets[valued]]

    def truth(moment: int, segment: str | None) -> dict[str, float]:
        visits = np.arange(moment)
        if segment is not None:
            visits = visits[segments[:moment] == int(segment)]
        if len(world.medians):
            visits = visits[visits >= moment // 5]
            return seen_shares(names[visits].astype(str), outcome.true[visits] == 1, weights[visits])
        return dict(zip(world.signals, true_shares(world, visits).tolist(), strict=True))

    worth = SignalWorth(model)
    covered, widths, doubtful, counted = [], [], 0, 0
    for begin, moment in pairwise((0, *MOMENTS)):
        part = slice(begin, moment)
        worth.add(
            names[part].tolist(),
            [str(one) for one in segments[part].tolist()],
            outcome.probabilities[part].tolist(),
            outcome.doubts[part] == three_state.NO_INFORMATION,
            weights[part].tolist(),
        )
        truths = {one: truth(moment, one) for one in (None, *map(str, np.unique(segments[:moment])))}
        for row in worth.rows()[0]:
            if row.doubt == "by_definition":
                continue
            counted += 1
            if row.log_odds is None:
                doubtful += 1
                continue
            covered.append(covers(row, truths[row.segment][row.signal]))
            widths.append(share_of(row.high, 1.0) - share_of(row.low, 0.0))
    measures: dict[str, Any] = {
        "coverage": float(np.mean(covered)) if covered else None,
        "width": float(np.median(widths)) if widths else None,
        "doubtful": doubtful / max(counted, 1),
        "rows": len(covered),
    }
    return Run(setting, seed, measures)


def share_of(log_odds: float | None, otherwise: float) -> float:
    """Return a share from its log odds."""
    return otherwise if log_odds is None else 1.0 / (1.0 + math.exp(-log_odds))


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Coverage over all rows of all seeds; where all rows say why there is no interval, there is none to judge."""
    rows = sum(one.measures["rows"] for one in runs)
    if not rows:
        return []
    reached = sum(one.measures["rows"] * (one.measures["coverage"] or 0.0) for one in runs) / rows
    return [Bar("intervals that have the truth", f">= {LEAST_COVERED:g}", reached, reached >= LEAST_COVERED)]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """There is nothing to draw."""
    return []


EXPERIMENT = Experiment(
    name="worth",
    title="What signals are worth",
    explanation="The log odds of satisfied against not of each signal, overall and by segment, after 5,000, 15,000 and "
    "50,000 visits, against the exact truth of the simulated people. `width` is the median width of an interval as a "
    "share, `doubtful` how many rows give a reason instead of a number.",
    configuration={"model": MODEL.model_dump(mode="json"), "moments": MOMENTS, "groups": GROUPS},
    settings=SETTINGS,
    run=run,
    directions={"coverage": "higher", "width": "lower", "doubtful": "lower"},
    bars=bars,
    plots=plots,
)
