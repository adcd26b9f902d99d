"""The demo's report: one page of HTML that explains what was seen, readable alone and without a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.demo.account import ledger, percent
from experiments.demo.findings import SignalFigure, share_of
from experiments.demo.plots import KINDS, SIZES, STATE_NAMES, states_figure, value_figure
from experiments.demo.result import INFERRED, STATES, DemoResult
from experiments.people.three_state import SIGNALS

MINUS = "\N{MINUS SIGN}"
WORTH_DOUBTS = {
    "by_definition": "by configuration: not learned",
    "tells_action": "tells which action was shown: left out",
    "no_definite_signal": "no definite signal has come yet",
    "uninformative_feedback": "feedback tells nothing about what was shown",
    "stands_for_none": "stands for “none”, which next to never comes",
    "few": "too few yet",
    "undetermined_signal": "what it means is not determined",
    "no_indifference": "next to no “none” comes, so the interval is wide",
}
"""Why a signal has no worth, or a vague one, in the words of the live page."""
STATE_DOUBTS = {
    "no_definite_signal": "no definite signal (dislike) had come yet: satisfied and dissatisfied could change places",
    "uninformative_feedback": "feedback told nothing yet about what was shown",
    "no_indifference": "next to nobody seemed indifferent: what passed for 0 could be satisfaction",
    "undetermined_signal": "what the signal means was not determined: too little bore it out",
}
"""Why a state is unknown."""
TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Decoded:
    """How often one user's signal was taken for its most frequent state; None if it never came."""

    state: int
    share: float
    count: int


@dataclass(frozen=True)
class UserOutcome:
    """What one user truly likes, by the actions' numbers, and what the last policy shows them.

    `shown_satisfied` and `shown_dissatisfied` are how likely they are to be shown anything of either kind.
    """

    user: str
    satisfied_by: list[int]
    dissatisfied_by: list[int]
    shown_first: int
    shown_satisfied: float
    shown_dissatisfied: float

    @property
    def is_right(self) -> bool:
        """Whether what is shown most satisfies them."""
        return self.shown_first in self.satisfied_by


@dataclass(frozen=True)
class WorthRow:
    """What one signal was learned to be worth, as the page says it; shares in percent."""

    figure: SignalFigure
    words: str

    @property
    def low(self) -> float:
        """The lower bound of the share that is satisfied."""
        return 100 * share_of(self.figure.low, 0.0)

    @property
    def high(self) -> float:
        """The upper bound of it."""
        return 100 * share_of(self.figure.high, 1.0)


def write_report(result: DemoResult, path: Path, command: str) -> None:
    """Write the page. `command` is what the reader types to see the same."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["percent"] = percent
    environment.filters["signed"] = signed
    page = environment.get_template(TEMPLATE).render(
        summary=result.summary,
        command=command,
        minus=MINUS,
        actions=result.states.shape[1],
        ledger=ledger(result.summary),
        states_figures={size.name: states_figure(result, size) for size in SIZES},
        value_figures={size.name: value_figure(result, size) for size in SIZES},
        satisfying=int((result.states == 1).sum(axis=1).max()),
        dissatisfying=int((result.states == -1).sum(axis=1).max()),
        states=STATES,
        inferred=INFERRED,
        state_names=STATE_NAMES,
        kinds=KINDS,
        worths=worth_rows(result),
        state_doubts=STATE_DOUBTS,
        decoded=decoding(result),
        confusion=confusion(result),
        outcomes=outcomes(result),
    )
    path.write_text(page, encoding="utf-8")


def decoding(result: DemoResult) -> dict[str, dict[str, Decoded | None]]:
    """Return, by user and signal, what the signal was taken for after the first quarter."""
    counted: dict[tuple[int, str], Counter[int]] = {}
    for judged, user in zip(result.judged[result.warm], result.users[result.warm], strict=True):
        counted.setdefault((int(user), judged.signal), Counter())[judged.state] += 1
    signals = [*SIGNALS, *sorted({signal for _, signal in counted} - set(SIGNALS))]
    table: dict[str, dict[str, Decoded | None]] = {}
    for user in range(len(result.states)):
        row: dict[str, Decoded | None] = {}
        for signal in signals:
            states = counted.get((user, signal))
            if states is None:
                row[signal] = None
            else:
                [(state, hits)] = states.most_common(1)
                row[signal] = Decoded(state, hits / states.total(), states.total())
        table[f"user-{user}"] = row
    return table


def confusion(result: DemoResult) -> dict[int, dict[int, int]]:
    """Return how often each true state (outer) was taken for each state (inner) after the first quarter."""
    pairs = Counter(zip(result.truths[result.warm].tolist(), result.inferred[result.warm].tolist(), strict=True))
    return {true: {inferred: pairs[true, inferred] for inferred in INFERRED} for true in STATES}


def outcomes(result: DemoResult) -> list[UserOutcome]:
    """Return for each user what satisfies them and what does not, and what the last policy does about it."""
    rows = []
    for user, (states, probabilities) in enumerate(zip(result.states, result.probabilities, strict=True)):
        rows.append(
            UserOutcome(
                user=f"user-{user}",
                satisfied_by=np.flatnonzero(states == 1).tolist(),
                dissatisfied_by=np.flatnonzero(states == -1).tolist(),
                shown_first=int(probabilities.argmax()),
                shown_satisfied=float(probabilities[states == 1].sum()),
                shown_dissatisfied=float(probabilities[states == -1].sum()),
            )
        )
    return rows


def worth_rows(result: DemoResult) -> list[WorthRow]:
    """Return what the page says about each signal."""
    return [WorthRow(figure, _worth_words(figure)) for figure in result.summary.signal_worth]


def signed(number: float | None, otherwise: str = "") -> str:
    """Return a number with its sign; `otherwise` is where there is none."""
    return otherwise if number is None else f"{number:+.2f}".replace("-", MINUS)


def _worth_words(figure: SignalFigure) -> str:
    """Return how the live page says it."""
    words = []
    if figure.log_odds is not None:
        share = share_of(figure.log_odds, 0.0)
        words.append(f"satisfied in {'over 99%' if share > 0.99 else 'under 1%' if share < 0.01 else f'{share:.0%}'}")
    if figure.doubt is not None:
        words.append(WORTH_DOUBTS[figure.doubt])
    return "; ".join(words)
