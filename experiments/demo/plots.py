"""The two figures of the demo's report, as SVG to be put into a page that says what their colours are.

Each is drawn twice, for a wide page and for a narrow one. What is drawn in one of `COLOURS` becomes the page's variable
of that name, so that the page can be light or dark.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.demo.audit import UNKNOWN
from experiments.demo.result import STATES, DemoResult

COLOURS: Final = {
    "satisfied": "#0072b2",
    "indifferent": "#6b6b6b",
    "dissatisfied": "#c1440e",
    "unknown": "#3a3a3a",
    "exploring": "#b5487d",
    "ink": "#1c1c1c",
    "soft": "#595959",
    "line": "#d8d8d8",
}
"""By name of the page's variable, as they are drawn. The states' are told apart with any colour vision."""
KINDS: Final = {1: "satisfied", 0: "indifferent", -1: "dissatisfied", UNKNOWN: "unknown"}
STATE_NAMES: Final = {
    1: "+1 satisfied",
    0: "0 indifferent",
    -1: "\N{MINUS SIGN}1 dissatisfied",
    UNKNOWN: "unknown",
}
SIGNS: Final = {1: "+1", 0: "0", -1: "\N{MINUS SIGN}1", UNKNOWN: "?"}
DOTTED: Final = (0, (2, 2))
UNKNOWN_DASHES: Final = (0, (1, 3))
WINDOW = 300
POINTS = 500


@dataclass(frozen=True)
class Size:
    """How a figure is drawn: inches, and where ticks are, as parts of the run."""

    name: str
    inches: tuple[float, float]
    ticks: tuple[float, ...]
    is_narrow: bool


SIZES: Final = (
    Size("wide", (8.6, 3.9), (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75), is_narrow=False),
    Size("narrow", (4.1, 4.2), (0, 0.05, 0.25), is_narrow=True),
)


def states_figure(result: DemoResult, size: Size) -> str:
    """Return inferred and true shares of the reward states over the run, as in the papers' Figure 7."""
    with _style():
        figure, axes = _figure(size)
        count = len(result.judged)
        window = max(1, min(WINDOW, count // 10))
        at = _stretched(window, count)
        ends = {}
        names = SIGNS if size.is_narrow else STATE_NAMES
        for state in (*STATES, UNKNOWN):
            colour = COLOURS[KINDS[state]]
            inferred = _trailing_share(result.inferred == state, window, at)
            if state == UNKNOWN:
                axes.plot(at, inferred, color=colour, linewidth=2, linestyle=UNKNOWN_DASHES, dash_capstyle="round")
            else:
                true = _trailing_share(result.truths == state, window, at)
                axes.plot(at, inferred, color=colour, linewidth=2, solid_capstyle="round")
                axes.plot(at, true, color=COLOURS["ink"], linewidth=1.1, linestyle=DOTTED)
            ends[names[state]] = (float(inferred[-1]), colour)
        axes.plot([], [], color=COLOURS["soft"], linewidth=2, label="inferred by the worker")
        axes.plot([], [], color=COLOURS["ink"], linewidth=1.1, linestyle=DOTTED, label="true, as the simulator knows")
        if size.is_narrow:
            axes.plot([], [], color=COLOURS["unknown"], linewidth=2, linestyle=UNKNOWN_DASHES, label="? unknown")
        figure.legend(loc="outside upper left", ncols=1 if size.is_narrow else 2, frameon=False)
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel(f"share of the last {window} interactions")
        axes.set_xlabel(_broken("interactions learned", " (the beginning is stretched)", size))
        _stretch(axes, count, size)
        _label_ends(axes, ends, count, size)
        return _svg(figure, f"states-{size.name}")


def value_figure(result: DemoResult, size: Size) -> str:
    """Return the true value of each policy that was published, with a mark for each version."""
    with _style():
        figure, axes = _figure(size)
        versions = np.array([policy.version for policy in result.policies])
        end = max(int(versions[-1]), 1) if len(versions) else 1
        ends = {}
        for name, colour, values in (
            ("ranked first", COLOURS["satisfied"], [policy.greedy_value for policy in result.policies]),
            ("as it explores", COLOURS["exploring"], [policy.policy_value for policy in result.policies]),
        ):
            axes.plot(versions, values, color=colour, linewidth=2, drawstyle="steps-post")
            ends["\n".join(name.rsplit(" ", 1)) if size.is_narrow else name] = (values[-1] if values else 0.0, colour)
        for value, name in ((1.0, "best possible"), (0.0, "choosing at random")):
            axes.axhline(value, color=COLOURS["soft"], linewidth=1, linestyle=(0, (1, 3)), zorder=0)
            axes.annotate(
                name, (end, value), xytext=(-4, 4), textcoords="offset points", ha="right", color=COLOURS["soft"],
                size=9,
            )  # fmt: skip
        lowest = min([-0.1, *(policy.greedy_value for policy in result.policies)]) - 0.12
        axes.plot(versions, np.full(len(versions), lowest + 0.05), "|", color=COLOURS["soft"], markersize=9)
        axes.set_ylim(lowest, 1.15)
        axes.set_ylabel("true reward per impression")
        axes.set_xlabel(
            _broken("interactions learned = version of the policy", " (a mark for each that was published)", size)
        )
        _stretch(axes, end, size)
        _label_ends(axes, ends, end, size)
        return _svg(figure, f"value-{size.name}")


@contextmanager
def _style() -> Iterator[None]:
    ink = COLOURS["ink"]
    with mpl.rc_context(
        {
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "svg.fonttype": "none",  # text stays text, so that it can be searched and read aloud
        }
    ):
        yield


def _figure(size: Size) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size.inches, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _broken(text: str, remark: str, size: Size) -> str:
    return f"{text}\n{remark.strip()}" if size.is_narrow else text + remark


def _stretched(first: int, last: int) -> NDArray[np.int64]:
    """Return positions that are dense at the beginning, where the learning happens."""
    roots = np.linspace(np.sqrt(first), np.sqrt(max(last, first)), POINTS)
    return np.unique(np.round(roots**2).astype(np.int64))


def _trailing_share(hits: NDArray[np.bool_], window: int, at: NDArray[np.int64]) -> NDArray[np.float64]:
    cumulated = np.concatenate([[0], np.cumsum(hits)])
    share: NDArray[np.float64] = (cumulated[at] - cumulated[at - window]) / window
    return share


def _stretch(axes: Axes, end: int, size: Size) -> None:
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axes.set_xlim(0, end)
    ticks = sorted({_rounded(part * end) for part in size.ticks} | {end})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()


def _rounded(number: float) -> int:
    """Return the number to half of its leading digit's unit, as a tick should have it."""
    if number < 1:
        return 0
    scale = 10 ** math.floor(math.log10(number))
    return int(round(number / scale * 2) * scale // 2)


def _label_ends(axes: Axes, ends: dict[str, tuple[float, str]], x: int, size: Size) -> None:
    """Write each line's name at its right end, moved apart where two would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.075 * (1 + max(name.count("\n") for name in ends))
    at = -np.inf
    for name, (value, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        at = max(value, at + gap)
        axes.annotate(
            name,
            (x, at),
            xytext=(5 if size.is_narrow else 8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            weight="bold",
            annotation_clip=False,
        )


def _svg(figure: Figure, name: str) -> str:
    out = io.StringIO()
    # Ids are made from the name: those of two figures on one page must not be the same.
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for variable, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
