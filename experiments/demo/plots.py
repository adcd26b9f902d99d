"""The two figures of the demo's report, as SVG to be put into a page."""

from __future__ import annotations

import io
import math

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.demo.audit import UNKNOWN
from experiments.demo.result import STATES, DemoResult

STATE_COLOURS = {1: "#0072b2", 0: "#6b6b6b", -1: "#c1440e", UNKNOWN: "#3a3a3a"}
"""Blue, grey, vermilion and nearly black: told apart with any colour vision, and dark enough on white for text."""
STATE_NAMES = {1: "+1 enjoyed", 0: "0 indifferent", -1: "\N{MINUS SIGN}1 hated", UNKNOWN: "unknown"}
GREEDY_COLOUR = "#0072b2"
EXPLORING_COLOUR = "#b5487d"
WINDOW = 300
POINTS = 500


def states_figure(result: DemoResult) -> str:
    """Return inferred and true shares of the reward states over the run, as in the papers' Figure 7."""
    figure, axes = _figure()
    count = len(result.judged)
    window = max(1, min(WINDOW, count // 10))
    at = _stretched(window, count)
    ends = {}
    for state in STATES:
        inferred = _trailing_share(result.inferred == state, window, at)
        true = _trailing_share(result.truths == state, window, at)
        axes.plot(at, inferred, color=STATE_COLOURS[state], linewidth=2, solid_capstyle="round")
        axes.plot(at, true, color="black", linewidth=1.1, linestyle=(0, (2, 2)))
        ends[STATE_NAMES[state]] = (float(inferred[-1]), STATE_COLOURS[state])
    axes.plot([], [], color="#444444", linewidth=2, label="inferred by the worker")
    axes.plot([], [], color="black", linewidth=1.1, linestyle=(0, (2, 2)), label="true, known to the simulator only")
    axes.legend(loc="center right", frameon=False)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(f"share of the last {window} interactions")
    axes.set_xlabel("interactions learned (the beginning is stretched)")
    _stretch(axes, count)
    _label_ends(axes, ends, count)
    return _svg(figure)


def value_figure(result: DemoResult) -> str:
    """Return the true value of each policy that was published, with a mark for each version."""
    figure, axes = _figure()
    versions = np.array([policy.version for policy in result.policies])
    end = max(int(versions[-1]), 1) if len(versions) else 1
    ends = {}
    for name, colour, values in (
        ("ranked first", GREEDY_COLOUR, [policy.greedy_value for policy in result.policies]),
        ("as it explores", EXPLORING_COLOUR, [policy.policy_value for policy in result.policies]),
    ):
        axes.plot(versions, values, color=colour, linewidth=2, drawstyle="steps-post")
        ends[name] = (values[-1] if values else 0.0, colour)
    for value, name in ((1.0, "best possible"), (0.0, "choosing at random")):
        axes.axhline(value, color="#999999", linewidth=1, linestyle=(0, (1, 3)), zorder=0)
        axes.annotate(
            name, (end, value), xytext=(-4, 4), textcoords="offset points", ha="right", color="#555555", size=9
        )
    lowest = min([-0.1, *(policy.greedy_value for policy in result.policies)]) - 0.12
    axes.plot(versions, np.full(len(versions), lowest + 0.05), "|", color="#333333", markersize=9)
    axes.set_ylim(lowest, 1.15)
    axes.set_ylabel("true reward per impression")
    axes.set_xlabel("interactions learned = version of the policy (a tick mark for each that was published)")
    _stretch(axes, end)
    _label_ends(axes, ends, end)
    return _svg(figure)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _stretched(first: int, last: int) -> NDArray[np.int64]:
    """Return positions that are dense at the beginning, where the learning happens."""
    roots = np.linspace(np.sqrt(first), np.sqrt(max(last, first)), POINTS)
    return np.unique(np.round(roots**2).astype(np.int64))


def _trailing_share(hits: NDArray[np.bool_], window: int, at: NDArray[np.int64]) -> NDArray[np.float64]:
    cumulated = np.concatenate([[0], np.cumsum(hits)])
    share: NDArray[np.float64] = (cumulated[at] - cumulated[at - window]) / window
    return share


def _stretch(axes: Axes, end: int) -> None:
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axes.set_xlim(0, end)
    steps = [fraction * end for fraction in (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)]
    ticks = sorted({_rounded(step) for step in steps[:-1]} | {end})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()


def _rounded(number: float) -> int:
    """Return the number to half of its leading digit's unit, as a tick should have it."""
    if number < 1:
        return 0
    scale = 10 ** math.floor(math.log10(number))
    return int(round(number / scale * 2) * scale // 2)


def _label_ends(axes: Axes, ends: dict[str, tuple[float, str]], x: int) -> None:
    """Write each line's name at its right end, moved apart where two would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.075
    at = -np.inf
    for name, (value, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        at = max(value, at + gap)
        axes.annotate(
            name,
            (x, at),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            weight="bold",
            annotation_clip=False,
        )


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    # Text stays text, so that it can be searched and read aloud; ids do not depend on chance.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "groundswell"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
