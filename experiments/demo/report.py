"""The demo's report: one page of HTML that explains what was seen, readable alone and without a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.demo.account import ledger, percent
from experiments.demo.plots import STATE_COLOURS, STATE_NAMES, states_figure, value_figure
from experiments.demo.result import INFERRED, STATES, DemoResult
from experiments.people.three_state import SIGNALS

MINUS = "\N{MINUS SIGN}"
TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Decoded:
    """How often one user's signal was taken for its most frequent state; None if it never came."""

    state: int
    share: float
    count: int


@dataclass(frozen=True)
class UserOutcome:
    """What one user truly likes, and what the last policy shows them."""

    user: str
    enjoys: str
    hates: str
    shown_first: str
    probability: float
    probability_hated: float


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
    page = environment.get_template(TEMPLATE).render(
        summary=result.summary,
        command=command,
        minus=MINUS,
        actions=result.states.shape[1],
        ledger=ledger(result.summary),
        states_figure=states_figure(result),
        value_figure=value_figure(result),
        signals=SIGNALS,
        states=STATES,
        inferred=INFERRED,
        state_names=STATE_NAMES,
        state_colours=STATE_COLOURS,
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
    table: dict[str, dict[str, Decoded | None]] = {}
    for user in range(len(result.states)):
        row: dict[str, Decoded | None] = {}
        for signal in SIGNALS:
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
    """Return for each user what they enjoy and hate, and what the last policy does about it."""
    rows = []
    for user, (states, probabilities) in enumerate(zip(result.states, result.probabilities, strict=True)):
        enjoyed, hated, first = int(states.argmax()), int(states.argmin()), int(probabilities.argmax())
        rows.append(
            UserOutcome(
                user=f"user-{user}",
                enjoys=f"action-{enjoyed}",
                hates=f"action-{hated}",
                shown_first=f"action-{first}",
                probability=float(probabilities[first]),
                probability_hated=float(probabilities[hated]),
            )
        )
    return rows
