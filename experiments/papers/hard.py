"""People outside the papers' feeds: who like more than one thing, have real-valued tastes, mean the opposite, change.

A case is a family of settings. In each the learner plays the same visits as a bandit that is told what is felt (the
oracle) and one that takes clicks for joy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.papers import feeds, measures, multi_turn
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, median, never_is_worst, worst
from experiments.people import (
    changes,
    dwell,
    featured,
    late_joy,
    leaks,
    logs,
    many_enjoyed,
    no_none,
    opposed,
    routing,
    tastes,
)
from experiments.people.playing import CLICKS, INFERRED, MODEL, TRUE, Outcome, played
from experiments.people.world import World
from processors.learners import three_state

SETTLED: Final = 5_000
NEVER: Final = 10**9


@dataclass(frozen=True)
class Case:
    """A family of settings and the least shares of the oracle's value, in the median and in the worst seed."""

    title: str
    world: Callable[[str, int], World]
    settings: tuple[str, ...]
    share: float
    worst: float | None = None
    lower: dict[str, float] = field(default_factory=dict)
    """Settings with a bar of their own."""
    play: Callable[[World, int, int], Outcome] = played


LEAKY: Final = tuple(one for one in tastes.CASES if one.startswith("leaky"))
CASES: Final[dict[str, Case]] = {
    "many-enjoyed": Case("People who enjoy several things", many_enjoyed.world, many_enjoyed.CASES, 0.97, 0.9),
    "tastes": Case("Real-valued tastes", tastes.world, tastes.CASES, 0.92, 0.8, dict.fromkeys(LEAKY, 0.75)),
    "features": Case("Tastes told by features", featured.world, featured.CASES, 0.9),
    "opposed": Case("People who mean the opposite", opposed.world, opposed.CASES, 0.97),
    "no-none": Case("Every impression has feedback", no_none.world, no_none.CASES, 0.95, 0.8),
    "dwell": Case("Dwell times in place of clicks", dwell.world, dwell.CASES, 0.9),
    "skewed-log": Case("Logs of other policies", logs.world, logs.CASES, 0.97),
    "flip": Case("A world that changes", changes.world, changes.CASES, 0.97),
    "late-joy": Case(
        "Joy that comes after the wait", late_joy.world, tuple(late_joy.CASES), 0.97, play=late_joy.played_through_join
    ),
    "leaks": Case("Signals that tell the action", leaks.world, leaks.CASES, 0.95),
    "routing": Case("Requests routed to language models", routing.world, routing.CASES, 0.9, play=routing.played),
    "new-items": Case("Ten new items a day", changes.world, changes.ITEMS, 0.95),
}
MULTI_TURN: Final = "multi-turn"
NOBODY_INDIFFERENT: Final = frozenset({"1/1 of 2", "2/1 of 3"})
NOBODY_HATED: Final = frozenset({"1/0 of 2"})
"""No definite signal ever comes there, so that all is unknown."""
WARNED: Final = 0.1
"""The share of late feedback above which the alert FeedbackLateInSegment names a segment."""
BACK_WITHIN: Final = 8_000
BETWEEN: Final = 15_000 - measures.WINDOW
"""Visits after a change that are looked at: the next change comes no sooner than 15,000 visits later."""


def cases() -> tuple[str, ...]:
    """Return the names of the cases."""
    return (*CASES, MULTI_TURN)


def calibration_error(outcome: Outcome, after: int = SETTLED) -> float:
    """Return how far the probabilities of states are from what was felt, once settled."""
    return measures.calibration_error(outcome.probabilities[after:], outcome.true[after:])


def run(case: str, setting: str, seed: int) -> Run:
    """Let learner, oracle and clicks play the same visits; measure the last 5,000, states over the second half."""
    world = CASES[case].world(setting, seed)
    ours, oracle, clicks = (CASES[case].play(world, source, seed) for source in (INFERRED, TRUE, CLICKS))
    felt = world.states[world.rows[-SETTLED:]]
    chance, constant = float(felt.mean()), float(felt.mean(axis=0).max())
    value, best, clicked = (float(one.values[-SETTLED:].mean()) for one in (ours, oracle, clicks))
    half = len(ours.true) // 2
    hated = ours.true[half:] == -1
    figures: dict[str, Any] = {
        "value": value,
        "oracle": best,
        "clicks": clicked,
        "share": (value - chance) / (best - chance),
        "clicks_share": (clicked - chance) / (best - chance),
        "over_clicks": value - clicked,
        "over_constant": value - constant,
        "accuracy": float((ours.true[half:] == ours.decoded[half:]).mean()),
        "recall_negative": float((ours.decoded[half:][hated] == -1).mean()) if hated.any() else None,
        "calibration_error": calibration_error(ours),
        "unknown": float((ours.doubts[half:] != three_state.SURE).mean()),
        "leaks_missed": len(world.leaking - set(ours.left_out)),
        "honest_left_out": len(set(ours.left_out) - world.leaking),
    }
    if case == "skewed-log":
        times = [never_is_worst(measures.t90(one.values), "lower") for one in (ours, oracle)]
        figures["over_oracle_t90"] = times[0] / times[1] if np.isfinite(times).all() else None
    if case == "late-joy":
        figures["late_share_slow"] = ours.late_shares[late_joy.SLOW]
        figures["late_share_prompt"] = ours.late_shares[late_joy.PROMPT]
    if world.changes:
        figures["back_after"] = max(back_after(ours.values, change) for change in world.changes)
        figures["oracle_back_after"] = max(back_after(oracle.values, change) for change in world.changes)
    return Run(setting, seed, figures, {"value": measures.trailing_mean(ours.values)[::100]})


def back_after(values: NDArray[np.float64], change: int) -> int:
    """Return how many visits after a change the value is at .9 for good, until the next; `NEVER` if it is not."""
    means = measures.trailing_mean(values)[change : change + BETWEEN]
    poor = np.flatnonzero(means < measures.GOOD)
    if not len(poor):
        return measures.WINDOW
    last = int(poor[-1])
    return NEVER if last == len(means) - 1 else last + measures.WINDOW + 1


def bars(case: str, setting: str, runs: Sequence[Run]) -> list[Bar]:
    """The shares of the oracle's value, and what each case asks for besides."""
    found = CASES[case]

    def at_least(name: str, measure: str, bar: float, *, of_worst: bool = False) -> Bar:
        values = [one.measures[measure] for one in runs]
        reached = worst(values, "higher") if of_worst else median(values, "higher")
        return Bar(name, f">= {bar:g}", reached, reached is not None and reached >= bar)

    def none_in_any_seed(name: str, measure: str) -> Bar:
        most = worst([one.measures[measure] for one in runs], "lower")
        return Bar(f"{name}, in any seed", "= 0", most, most == 0)

    result = [at_least("median share of the oracle's value", "share", found.lower.get(setting, found.share))]
    if found.worst is not None and setting not in found.lower:
        result.append(at_least("worst share of the oracle's value", "share", found.worst, of_worst=True))
    if case == "many-enjoyed" and setting not in NOBODY_INDIFFERENT:
        result.append(at_least("median accuracy of states", "accuracy", 0.95))
    if case == "tastes":
        result += [
            at_least("median value over clicks, paired", "over_clicks", -0.03),
            at_least("median value over the best constant action", "over_constant", 0.0),
        ]
        if setting not in found.lower:
            result.append(at_least("median recall of -1", "recall_negative", 0.85))
    if (case == "many-enjoyed" and setting not in NOBODY_INDIFFERENT) or setting.startswith("clean"):
        result.append(feeds.at_most(runs, "calibration_error", 0.05))
        if setting not in NOBODY_HATED:
            result.append(feeds.at_most(runs, "unknown", 0.03))
    result.append(none_in_any_seed("honest signals left out", "honest_left_out"))
    if case == "leaks":
        result.append(none_in_any_seed("leaks not left out", "leaks_missed"))
    if case == "skewed-log":
        result.append(feeds.at_most(runs, "over_oracle_t90", 3))
    if case == "late-joy":
        lowest = worst([one.measures["late_share_slow"] for one in runs], "higher")
        highest = worst([one.measures["late_share_prompt"] for one in runs], "lower")
        warned, silent = lowest is not None and lowest > WARNED, highest is not None and highest <= WARNED
        result += [
            Bar("late share of the slow segment, which is warned of", f"> {WARNED:g}", lowest, warned),
            Bar("late share of the other segment, which is not", f"<= {WARNED:g}", highest, silent),
        ]
    if case == "flip":
        result.append(feeds.at_most(runs, "back_after", BACK_WITHIN))
    return result


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy."""
    return [Plot("value", "Value of the greedy policy, a panel per setting.", feeds.curves(runs, ["value"], "value"))]


def experiment(case: str) -> Experiment:
    """Return a case as an experiment.

    Raises:
        ValueError: there is no such case.
    """
    if case not in cases():
        raise ValueError(f"no case {case!r}: choose one of {', '.join(cases())}")
    if case == MULTI_TURN:
        return multi_turn.EXPERIMENT
    return Experiment(
        name=f"hard-{case}",
        title=CASES[case].title,
        explanation="Simulated people who break what the papers' feed takes for granted. Shares are of the value, "
        "above that of random actions, of the same bandit on what is truly felt.",
        configuration={"model": MODEL.model_dump(mode="json"), "settled": SETTLED},
        settings=CASES[case].settings,
        run=partial(run, case),
        directions={
            "share": "higher",
            "clicks_share": "higher",
            "over_clicks": "higher",
            "accuracy": "higher",
            "recall_negative": "higher",
            "calibration_error": "lower",
            "unknown": "lower",
            "back_after": "lower",
        },
        bars=partial(bars, case),
        plots=plots,
    )
