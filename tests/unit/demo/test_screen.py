"""What the demo shows: the same facts on a terminal and in a log."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from experiments.demo.screen import LiveScreen, PlainLines, View, display_for, line, panel


def view() -> View:
    shown = View(
        target=2000,
        activity="running",
        produced=1500,
        joined=1300,
        learned=1200,
        greedy_value=0.8,
        policy_value=0.55,
        policy_version=1100,
        policies_published=5,
        join_outcomes={"matched": 700, "late": 3},
        leaking={"autoplay": (0.4, True), "position": (0.2, False)},
    )
    shown.recent.extend([1] * 6 + [0] * 3 + [-1])
    shown.values.extend([0.0, 0.4, 0.8])
    return shown


def printed(width: int, shown: View) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(panel(shown, 3.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_panel_has_every_figure_at_any_usual_width(width: int) -> None:
    text = printed(width, view())
    for fact in (
        "1,500",
        "1,300",
        "1,200",
        "2,000",
        "60.0%",
        "30.0%",
        "10.0%",
        "0.80",
        "0.55",
        "1,100",
        "700",
        "late 3",
        "autoplay, position (not left out): tells the action",
    ):
        assert fact in text
    assert all(len(row) <= width for row in text.splitlines())


def long_run() -> View:
    """The largest counts that a run of the demo comes to, and every outcome that its mishaps bring."""
    outcomes = dict.fromkeys(
        ("matched", "none", "duplicate_impression", "feedback_matched", "duplicate_feedback", "late"), 199_999
    )
    return dataclasses.replace(
        view(), target=200_000, produced=199_999, joined=199_999, learned=199_999, policy_version=199_999,
        policies_published=999, join_outcomes=outcomes, leaking={"autoplay": (0.4, True)},
    )  # fmt: skip


@pytest.mark.parametrize("shown", [view(), long_run(), View(target=None)])
def test_the_panel_fits_a_terminal_of_80_by_24_with_the_true_value_last(shown: View) -> None:
    rows = printed(80, shown).splitlines()
    assert len(rows) < 24  # the cursor's line
    assert rows[-2].strip("│ ").startswith("true value")
    for label in ("+1 satisfied", "0 indifferent", "1 dissatisfied", "? unknown", "Inferred reward states, last 1,000"):
        assert sum(label in row for row in rows) == 1
    assert "…" not in "".join(rows)


def test_bars_are_as_long_as_what_they_show() -> None:
    shown = view()
    shown.recent.extend([1] * 1000)
    rows = [row for row in printed(80, shown).splitlines() if "█" in row and "true" not in row]
    assert [row.count("█") for row in rows] == [40]


def test_the_panel_can_be_drawn_before_anything_is_known_and_without_an_end() -> None:
    assert "none yet" in printed(80, View(target=None))


def test_a_line_says_the_same_in_words() -> None:
    assert line(view()) == (
        "running: produced 1,500 of 2,000, learned 1,200; reward states +1:60% 0:30% -1:10% ?:0%; "
        "true value 0.80 (exploring 0.55); policy version 1,100; left out: autoplay"
    )


def test_lines_are_printed_every_few_seconds_and_when_the_activity_changes() -> None:
    now = 0.0
    out = io.StringIO()
    shown = view()
    with PlainLines(Console(file=out), seconds=lambda: now) as lines:
        for now in (0.0, 1.0, 4.9, 5.0, 6.0):  # noqa: B007  # read by the clock above
            lines.show(shown)
        assert out.getvalue().count("running") == 2
        shown.activity = "learning the rest"
        lines.show(shown)
    assert out.getvalue().count("learning the rest") == 1


def test_only_a_terminal_gets_the_live_screen() -> None:
    assert isinstance(display_for(Console(file=io.StringIO())), PlainLines)
    assert isinstance(display_for(Console(file=io.StringIO(), force_terminal=True)), LiveScreen)


def test_ctrl_c_leaves_no_line_of_the_frame_behind() -> None:
    """The terminal writes ^C where the cursor is; where that is the end of a full line, it takes another line."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80, height=24, _environ={})
    with LiveScreen(console) as screen:
        screen.show(view())
        screen._live.refresh()
        assert terminal.getvalue().rpartition("\n")[2] == ""
