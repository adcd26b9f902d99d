"""What the demo shows while it runs: a live screen on a terminal, a plain line now and then anywhere else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.demo.audit import UNKNOWN
from experiments.demo.result import INFERRED
from processors.join.entries import Outcome

RECENT = 1000
"""Reward-state rates are those of so many of the last rewards."""
PLAIN_SECONDS = 5.0
STYLES = {1: "bright_blue", 0: "white", -1: "dark_orange3", UNKNOWN: "bright_black"}
NAMES = {1: "+1 satisfied", 0: " 0 indifferent", -1: "\N{MINUS SIGN}1 dissatisfied", UNKNOWN: " ? unknown"}
WIDTH = 80
BAR = 40
OUTCOMES = {
    "impressions": {
        Outcome.MATCHED: "with feedback",
        Outcome.NONE: "without",
        Outcome.DUPLICATE_IMPRESSION: "repeated",
        Outcome.CONFLICTING_IMPRESSION: "conflicting",
        Outcome.LATE_IMPRESSION: "late",
        Outcome.EVICTED: "evicted",
    },
    "feedback": {
        Outcome.FEEDBACK_MATCHED: "matched",
        Outcome.DUPLICATE_FEEDBACK: "repeated",
        Outcome.LATE: "late",
        Outcome.TOO_EARLY: "too early",
        Outcome.ORPHAN: "orphaned",
    },
}
BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass
class View:
    """What is known of the running demo; `target` is None where it goes on until it is stopped."""

    target: int | None
    activity: str = ""
    produced: int = 0
    joined: int = 0
    learned: int = 0
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    greedy_value: float | None = None
    policy_value: float | None = None
    values: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    policy_version: int = 0
    policies_published: int = 0
    join_outcomes: Mapping[str, int] = field(default_factory=dict)
    leaking: Mapping[str, tuple[float, bool]] = field(default_factory=dict)
    """Signals that tell the action: how much of each the action explains, and whether it is left out."""

    def rate(self, state: int) -> float:
        """Return the share of a reward state among the recent rewards."""
        return self.recent.count(state) / len(self.recent) if self.recent else 0.0


class Display(Protocol):
    """Shows a view as it changes."""

    def show(self, view: View) -> None:
        """Bring the display up to date."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def display_for(console: Console) -> Display:
    """Return the live screen on a terminal, plain lines elsewhere."""
    return LiveScreen(console) if console.is_terminal else PlainLines(console)


class LiveScreen:
    """A panel that is drawn over and over."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._started = time.monotonic()

    def show(self, view: View) -> None:
        """Bring the panel up to date."""
        # The terminal writes ^C where the cursor is: at the end of a line as wide as itself that would take another
        # line, of which the screen does not know when it is taken away.
        self._live.update(Group(panel(view, time.monotonic() - self._started), Text()))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainLines:
    """One line every few seconds, for logs."""

    def __init__(self, console: Console, seconds: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._seconds = seconds
        self._next = 0.0
        self._activity = ""

    def show(self, view: View) -> None:
        """Print a line if it is time for one, or something else is being done."""
        if self._seconds() >= self._next or view.activity != self._activity:
            self._next = self._seconds() + PLAIN_SECONDS
            self._activity = view.activity
            self._console.print(line(view), highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def line(view: View) -> str:
    """Return the view in one line of text."""
    rates = " ".join(f"{_sign(state)}:{view.rate(state):.0%}" for state in reversed(INFERRED))
    left_out = [signal for signal, (_, left_out) in view.leaking.items() if left_out]
    return (
        f"{view.activity}: produced {_of(view.produced, view.target)}, learned {view.learned:,}; "
        f"reward states {rates}; true value {_number(view.greedy_value)} "
        f"(exploring {_number(view.policy_value)}); policy version {view.policy_version:,}"
        + (f"; left out: {', '.join(left_out)}" if left_out else "")
    )


def panel(view: View, elapsed: float) -> RenderableType:
    """Return the view as a panel that fits a terminal of 80 x 24, what matters most at its end."""
    body = Group(_progress(view), Text(), _states(view), Text(), _outcomes(view), Text(), _value(view))
    return Panel(
        body, title="groundswell demo", subtitle=f"{view.activity} · {elapsed:.0f} s", padding=(0, 2), width=WIDTH
    )


def _progress(view: View) -> Table:
    grid = Table.grid(padding=(0, 2))
    if view.target is None:
        grid.add_row("produced", f"{view.produced:,}", "learned", f"{view.learned:,}")
        return grid
    for name, count in (("produced", view.produced), ("joined", view.joined), ("learned", view.learned)):
        bar = ProgressBar(total=view.target, completed=count, width=BAR)
        grid.add_row(name, bar, _of(count, view.target))
    return grid


def _states(view: View) -> RenderableType:
    states = Table.grid(padding=(0, 1))
    for state in reversed(INFERRED):
        share = view.rate(state)
        bar = Text("█" * round(share * BAR), style=STYLES[state])
        states.add_row(Text(NAMES[state], style=STYLES[state]), f"{share:6.1%}", bar)
    return Group(Text(f"Inferred reward states, last {RECENT:,}", style="bold"), states)


def _outcomes(view: View) -> Table:
    grid = Table.grid(padding=(0, 2))
    for kind, names in OUTCOMES.items():
        counts = [f"{text} {view.join_outcomes[name]:,}" for name, text in names.items() if name in view.join_outcomes]
        grid.add_row(Text(kind, style="bold"), "  ".join(counts) or "none yet")
    found = [f"{signal}{'' if left_out else ' (not left out)'}" for signal, (_, left_out) in view.leaking.items()]
    grid.add_row(Text("left out", style="bold"), f"{', '.join(found)}: tells the action" if found else "nothing yet")
    return grid


def _value(view: View) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("policy", f"version {view.policy_version:,}", f"{view.policies_published:,} published")
    grid.add_row("exploring", _number(view.policy_value), "true value: 1 at best, 0 at random")
    grid.add_row(
        Text("true value", style="bold"), Text(_number(view.greedy_value), style="bold"), _sparkline(list(view.values))
    )
    return grid


def _sparkline(values: list[float], width: int = BAR) -> str:
    if len(values) > width:
        values = [values[round(index * (len(values) - 1) / (width - 1))] for index in range(width)]
    return "".join(BLOCKS[round(min(max(value, 0.0), 1.0) * (len(BLOCKS) - 1))] for value in values)


def _of(count: int, target: int | None) -> str:
    return f"{count:,}" if target is None else f"{count:,} of {target:,}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _sign(state: int) -> str:
    return "?" if state == UNKNOWN else f"{state:+d}" if state else "0"
