"""What a log says of policies that did not act: whether intervals always hold, how wide they are; and the gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypedDict

import numpy as np

from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run
from experiments.people import logged_streams
from experiments.people.logged_streams import LoggedStream
from processors.evaluation.confidence_sequence import DIFFERENCE, ERROR, REACHES, RHO, VALUE, ConfidenceSequence
from processors.evaluation.gate import Rule, Verdict, decide
from processors.evaluation.logged_decisions import Floats, LoggedDecisions
from processors.evaluation.predicted_rewards import PredictedRewards


class OracleSettings(TypedDict):
    """Settings of a sequence."""

    reaches: Sequence[float]
    rho: float


COVERAGE: Final = {
    "coverage: uniform": ("uniform", 0.0),
    "coverage: epsilon .02": ("epsilon 0.02", 0.0),
    "coverage: heavy tails": ("heavy", 0.0),
    "coverage: learning": ("learning", 0.0),
    "coverage: drift": ("uniform", 0.2),
    "coverage: heavy tails, drift": ("heavy", 0.2),
    "coverage: learning, drift": ("learning", 0.2),
}
"""How they are logged, and the drift of what people enjoy."""
WIDTHS: Final = {
    "width: uniform": "uniform",
    "width: epsilon .1": "epsilon 0.1",
    "width: epsilon .02": "epsilon 0.02",
    "width: heavy tails": "heavy",
}
GATE: Final = {
    "gate: uniform, better by .1": ("uniform", 0.1, 50_000, 20),
    "gate: uniform, worse by .1": ("uniform", -0.1, 50_000, 20),
    "gate: epsilon .1, better by .1": ("epsilon 0.1", 0.1, 400_000, 20),
    "gate: epsilon .02, better by .1": ("epsilon 0.02", 0.1, 1_600_000, 4),
}
"""How they are logged, and what the candidate is worth more than the live policy; of how many interactions a stream has
at the most, and of how many streams a seed."""
STREAMS: Final = {"coverage": 200, "width": 4}
"""Of each seed."""
LENGTH: Final = 3_000
ACTIONS: Final = {"coverage": 5, "width": 11, "gate": 11}
GAP: Final = 0.1
MOMENTS: Final = (1_000, 10_000, 50_000)
PIECE: Final = 50_000
"""Of a stream, so many decisions are held at once."""
STRETCH: Final = 500
"""So many decisions are taken in before their rewards are predicted anew, and before the gate is asked again."""
OF_THE_ORACLE: Final[OracleSettings] = {"reaches": (0.0,), "rho": 1.0}
"""With which our sequence is that of vw-estimators, which a test holds it to."""
LOWEST_COVERAGE: Final = 0.95


def stretches(stream: LoggedStream) -> Iterator[tuple[slice, LoggedDecisions, Floats]]:
    """Yield places and decisions, with the rewards predicted from those before, stretch by stretch."""
    actions = stream.candidate.shape[1]
    predictions, everything = PredictedRewards(actions), np.arange(actions)
    shown = stream.decisions
    for begin in range(0, len(shown), STRETCH):
        part = slice(begin, begin + STRETCH)
        decisions = LoggedDecisions(
            shown.rewards[part], shown.chosen[part], shown.probabilities[part], shown.offered[part]
        )
        predicted = np.broadcast_to(predictions.predict(everything), decisions.probabilities.shape)
        yield part, decisions, predicted
        predictions.learn(decisions.chosen, decisions.rewards)


def missed(stream: LoggedStream) -> tuple[bool, bool]:
    """Return whether the interval of the candidate's value, and that of the difference, ever lacks the truth."""
    value, difference = ConfidenceSequence(VALUE), ConfidenceSequence(DIFFERENCE)
    counts = np.arange(1.0, len(stream.decisions) + 1)
    values, differences = np.cumsum(stream.values) / counts, np.cumsum(stream.differences) / counts
    lacks_value = lacks_difference = False
    for part, decisions, predicted in stretches(stream):
        contrast = stream.candidate[part] - stream.live[part]
        lacks_value |= bool(value.missed(decisions, stream.candidate[part], predicted, values[part]).any())
        lacks_difference |= bool(difference.missed(decisions, contrast, predicted, differences[part]).any())
        value.add(decisions, stream.candidate[part], predicted)
        difference.add(decisions, contrast, predicted)
    return lacks_value, lacks_difference


def coverage(setting: str, seed: int) -> dict[str, Any]:
    """Return in how many streams each of the two intervals held at all times."""
    log, drift = COVERAGE[setting]
    rng = np.random.default_rng(seed)
    counts = np.zeros(2)
    for _ in range(STREAMS["coverage"]):
        people = logged_streams.ordinary(ACTIONS["coverage"], GAP, rng)
        counts += missed(logged_streams.stream(people, LENGTH, log=log, drift=drift, rng=rng))
    value, difference = (1.0 - counts / STREAMS["coverage"]).tolist()
    return {"coverage": value, "coverage_difference": difference}


def widths(setting: str, seed: int) -> dict[str, Any]:
    """Return how wide the intervals of value and difference are at moments, and how wide that of vw-estimators."""
    found: dict[str, list[float]] = {}
    rng = np.random.default_rng(seed)
    for _ in range(STREAMS["width"]):
        people = logged_streams.ordinary(ACTIONS["width"], GAP, rng)
        stream = logged_streams.stream(people, MOMENTS[-1], log=WIDTHS[setting], drift=0.0, rng=rng)
        value, difference = ConfidenceSequence(VALUE), ConfidenceSequence(DIFFERENCE)
        oracle = ConfidenceSequence(VALUE, **OF_THE_ORACLE)
        for part, decisions, predicted in stretches(stream):
            value.add(decisions, stream.candidate[part], predicted)
            oracle.add(decisions, stream.candidate[part], predicted)
            difference.add(decisions, stream.candidate[part] - stream.live[part], predicted)
            if part.stop in MOMENTS:
                for name, one in (("width", value), ("width_vw", oracle), ("width_difference", difference)):
                    low, high = one.interval()
                    found.setdefault(f"{name}_{part.stop}", []).append(high - low)
    return {name: float(np.median(some)) for name, some in found.items()}


def first_verdict(streams: Iterator[LoggedStream]) -> tuple[Verdict, int]:
    """Return the first verdict other than undecided, and after how many interactions.

    The gate is asked after each stretch of the streams, which follow one another.
    """
    sequence, rule = ConfidenceSequence(DIFFERENCE), Rule()
    for stream in streams:
        for part, decisions, predicted in stretches(stream):
            sequence.add(decisions, stream.candidate[part] - stream.live[part], predicted)
            verdict = decide(rule, sequence.interval(), sequence.count).verdict
            if verdict != "undecided":
                return verdict, sequence.count
    return "undecided", sequence.count


def gate(setting: str, seed: int) -> dict[str, Any]:
    """Return how often the gate passes and refuses a candidate, and after how many interactions it decides."""
    log, gap, most, streams = GATE[setting]
    rng = np.random.default_rng(seed)
    verdicts, needed = [], []
    for _ in range(streams):
        people = logged_streams.ordinary(ACTIONS["gate"], gap, rng)
        pieces = (logged_streams.stream(people, PIECE, log=log, drift=0.0, rng=rng) for _ in range(most // PIECE))
        verdict, count = first_verdict(pieces)
        verdicts.append(verdict)
        needed.append(count if verdict != "undecided" else np.inf)
    half, nearly_all = np.quantile(needed, [0.5, 0.95], method="higher").tolist()
    return {
        "passes": float(np.mean([one == "passes" for one in verdicts])),
        "refused": float(np.mean([one == "refused" for one in verdicts])),
        "half_need": half if np.isfinite(half) else None,
        "nearly_all_need": nearly_all if np.isfinite(nearly_all) else None,
    }


def run(setting: str, seed: int) -> Run:
    """Run so many streams as a seed has."""
    kind = setting.partition(":")[0]
    return Run(setting, seed, {"coverage": coverage, "width": widths, "gate": gate}[kind](setting, seed))


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Coverage not significantly below 95%; the gate as a policy that differs by .1 has to find it."""
    kind, _, of_kind = setting.partition(": ")
    if kind == "coverage":
        streams = STREAMS["coverage"] * len(runs)
        least = LOWEST_COVERAGE - 1.96 * (LOWEST_COVERAGE * (1.0 - LOWEST_COVERAGE) / streams) ** 0.5
        words = f">= {least:.3g}, {streams:,} streams"
        names = {"coverage": "value within at all times", "coverage_difference": "difference within at all times"}
        return [_bar(title, words, runs, name, least) for name, title in names.items()]
    if of_kind == "uniform, better by .1":
        return [_bar("passes", ">= 0.95", runs, "passes", 0.95)]
    if of_kind == "uniform, worse by .1":
        return [_bar("refused", ">= 0.99", runs, "refused", 0.99)]
    return []


def _bar(title: str, words: str, runs: Sequence[Run], name: str, least: float) -> Bar:
    reached = float(np.mean([one.measures[name] for one in runs]))
    return Bar(title, words, reached, reached >= least)


def plots(runs: Sequence[Run]) -> list[Plot]:
    """There is nothing to draw."""
    return []


EXPERIMENT = Experiment(
    name="off-policy",
    title="What a log says of policies that did not act",
    explanation="Streams of decisions whose expected rewards are known. coverage: in how many of 200 streams a seed "
    "the 95% interval of the candidate's value, and of its difference to the live policy, has the truth at every one "
    "of 3,000 times. width: after so many interactions, beside that of vw-estimators. gate: whether a candidate that "
    "shows something else than the live policy to everybody, and is worth .1 more or less of a range of 2, passes or "
    "is refused, and after how many interactions half and 95 in 100 of the streams are decided.",
    configuration={
        "contexts": logged_streams.CONTEXTS,
        "actions": ACTIONS,
        "streams": STREAMS,
        "gate": GATE,
        "length": LENGTH,
        "gap": GAP,
        "stretch": STRETCH,
        "reaches": REACHES,
        "rho": RHO,
        "error": ERROR,
    },
    settings=(*COVERAGE, *WIDTHS, *GATE),
    run=run,
    directions={
        "coverage": "higher",
        "coverage_difference": "higher",
        **{f"{name}_{moment}": "lower" for moment in MOMENTS for name in ("width", "width_vw", "width_difference")},
        "passes": "higher",
        "refused": "higher",
        "half_need": "lower",
        "nearly_all_need": "lower",
    },
    bars=bars,
    plots=plots,
)
