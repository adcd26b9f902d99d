"""The report says what happened, in figures that can be checked, and stands on its own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
from rich.console import Console

from experiments.demo.account import found, headline, ledger, percent, summary_table
from experiments.demo.audit import UNKNOWN, Judged
from experiments.demo.findings import LeakFigure, SignalFigure, Unknown
from experiments.demo.plots import SIZES, Size, states_figure, value_figure
from experiments.demo.report import (
    STATE_DOUBTS,
    WORTH_DOUBTS,
    Decoded,
    confusion,
    decoding,
    outcomes,
    signed,
    worth_rows,
    write_report,
)
from experiments.demo.result import DemoResult, Summary, state_rates
from experiments.people.truth_log import PolicyTruth
from groundswell.events import Doubt
from streams.http import live_page

PAGE = Path(live_page.__file__).with_name("page") / "page.js"
SVG = "{http://www.w3.org/2000/svg}"
STATES = np.array([[1, -1, 0], [0, 1, -1]], dtype=np.int8)
COUNT = 400


def figure(
    signal: str, log_odds: float | None, low: float | None, high: float | None, doubt: str | None, truth: float
) -> SignalFigure:
    return SignalFigure(
        signal=signal,
        log_odds=log_odds,
        low=low,
        high=high,
        doubt=doubt,
        true_share=truth,
        holds=None if log_odds is None else signal != "like",
    )


def result(**changed: int) -> DemoResult:
    """Two people and three actions; every second skip of user-1 is wrongly taken for +1."""
    users = np.arange(COUNT) % 2
    actions = np.arange(COUNT) // 2 % 3
    truths = STATES[users, actions]
    signals = [{1: "click", -1: "skip", 0: "none"}[int(state)] for state in truths]
    inferred = truths.copy()
    wrong = [index for index in range(COUNT) if signals[index] == "skip" and users[index] == 1][::2]
    inferred[wrong] = 1
    judged = [
        Judged(f"i{index}", f"action-{actions[index]}", signals[index], int(inferred[index]), None, 1.0)
        for index in range(COUNT)
    ]
    numbers: dict[str, int] = {
        "interactions": COUNT,
        "seed": 5,
        "impressions_produced": COUNT,
        "impressions_repeated": 2,
        "impressions_deferred": 0,
        "feedback_produced": 260,
        "feedback_repeated": 3,
        "interactions_joined": COUNT,
        "joined_twice": 0,
        "interactions_learned": COUNT,
        "learned_twice": 0,
        "lost": 0,
        "feedback_joined": 255,
        "feedback_late": 5,
        "feedback_lost": 0,
        "dead_letters": 0,
        "policies_published": 3,
        "policy_version": COUNT,
    }
    summary = Summary(
        **(numbers | changed),
        greedy_value=0.75,
        policy_value=0.5,
        state_accuracy=float(np.mean(inferred == truths)),
        reward_state_rates=state_rates(inferred),
        true_state_rates=state_rates(truths),
        unknown=Unknown(count=7, share=0.0175, reasons={"no_definite_signal": 7}, last=31),
        signal_worth=[
            figure("click", 5.8, 2.1, None, None, 1.0),
            figure("like", 2.8, 2.0, None, None, 0.85),
            figure("skip", -1.25, None, -0.5, "no_indifference", 0.0),
            figure("none", None, None, None, "by_definition", 0.001),
            figure("autoplay", None, None, None, "tells_action", 0.03),
        ],
        leaking_signals=[LeakFigure(signal="autoplay", share=0.447, left_out=True, found_after=2399)],
        seconds=12.3,
    )
    return DemoResult(
        summary=summary,
        judged=judged,
        users=users,
        truths=truths,
        inferred=inferred,
        states=STATES,
        probabilities=np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]),
        policies=[PolicyTruth(v, v, v / COUNT, v / COUNT / 2) for v in (0, 200, COUNT)],
    )


def test_decoding_names_the_most_frequent_state_of_each_signal() -> None:
    table = decoding(result())
    assert table["user-0"]["skip"] == Decoded(-1, 1.0, 50)
    uncertain = table["user-1"]["skip"]
    assert uncertain is not None
    assert uncertain.share == pytest.approx(0.5, abs=0.02)
    assert table["user-0"]["like"] is None


def test_confusion_counts_each_inference_after_the_first_quarter_once() -> None:
    table = confusion(result())
    assert sum(sum(row.values()) for row in table.values()) == COUNT * 3 // 4
    assert table[1] == {UNKNOWN: 0, -1: 0, 0: 0, 1: 100}
    assert table[-1][1] == 25


def test_outcomes_compare_what_is_shown_with_what_is_enjoyed() -> None:
    first, second = outcomes(result())
    assert (first.satisfied_by, first.dissatisfied_by, first.shown_first, first.is_right) == ([0], [1], 0, True)
    assert (first.shown_satisfied, first.shown_dissatisfied) == (0.8, 0.1)
    assert (second.satisfied_by, second.dissatisfied_by, second.shown_first, second.is_right) == ([1], [2], 2, False)


def test_of_people_who_like_several_things_any_of_them_is_right_to_show() -> None:
    several = replace(
        result(),
        states=np.array([[1, 1, -1, -1, 0]], dtype=np.int8),
        probabilities=np.array([[0.1, 0.6, 0.05, 0.05, 0.2]]),
    )
    (only,) = outcomes(several)
    assert (only.satisfied_by, only.dissatisfied_by, only.shown_first, only.is_right) == ([0, 1], [2, 3], 1, True)
    assert (only.shown_satisfied, only.shown_dissatisfied) == pytest.approx((0.7, 0.1))


def test_a_signal_beyond_the_usual_ones_has_a_column_where_it_came() -> None:
    whole = result()
    judged = [*whole.judged[:-1], replace(whole.judged[-1], signal="autoplay")]
    assert set(decoding(replace(whole, judged=judged))["user-0"]) == {*decoding(whole)["user-0"], "autoplay"}


def test_what_signals_are_worth_is_said_in_words() -> None:
    rows = worth_rows(result())
    assert [(row.figure.signal, row.words) for row in rows] == [
        ("click", "satisfied in over 99%"),
        ("like", "satisfied in 94%"),
        ("skip", "satisfied in 22%; next to no “none” comes, so the interval is wide"),
        ("none", "by configuration: not learned"),
        ("autoplay", "tells which action was shown: left out"),
    ]
    assert (rows[0].low, rows[0].high) == pytest.approx((89.1, 100), abs=0.1)
    assert (rows[2].low, rows[2].high) == pytest.approx((0, 37.8), abs=0.1)
    assert (signed(-0.5), signed(2.1), signed(None, "none")) == ("\N{MINUS SIGN}0.50", "+2.10", "none")


def test_every_doubt_has_words_those_of_signals_the_live_page_s() -> None:
    assert set(STATE_DOUBTS) == set(get_args(Doubt))
    script = PAGE.read_text()
    said = script[script.index("const DOUBTS") :].partition("};")[0]
    assert dict(re.findall(r'(\w+): "([^"]*)"', said)) == WORTH_DOUBTS


def test_the_end_of_a_run_fits_a_terminal_of_80_by_24_with_the_headline_last() -> None:
    summary = result(impressions_produced=20_000, feedback_late=20_000).summary
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    console.print(summary_table(summary))
    console.print("\n".join(found(summary)))
    assert isinstance(console.file, io.StringIO)
    rows = console.file.getvalue().splitlines()
    assert len(rows) == 1 + len(ledger(summary)) + len(found(summary))  # nothing is broken into two lines
    assert len(rows) + len(("report", "summary", "headline", "cursor")) <= 24
    assert "1.8% unknown" in rows[-3]
    assert "autoplay" in rows[-2]
    assert "of 3 signals that are learned from, 2 intervals" in rows[-1]
    assert len(headline(summary)) < 80
    assert "0.750" in headline(summary)


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, []),
        ({"lost": 1, "interactions_learned": COUNT - 1, "policy_version": COUNT - 1}, ["learned from", "lost"]),
        ({"learned_twice": 2}, ["learned twice"]),
        ({"policy_version": COUNT + 1}, ["contained in the last policy"]),
        ({"joined_twice": 2}, ["joined twice"]),
        ({"feedback_lost": 4}, ["feedback neither joined nor set aside"]),
        ({"dead_letters": 1}, ["messages refused as malformed"]),
    ],
)
def test_the_ledger_marks_what_is_amiss(changed: dict[str, int], failing: list[str]) -> None:
    summary = result(**changed).summary
    assert [check.what for check in ledger(summary) if check.ok is False] == failing
    assert summary.sound == (not failing)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.98765, "98.8%"), (0.9996, "99.96%"), (0.99999, ">99.99%"), (0.0004, "<0.1%")],
)
def test_a_percentage_says_100_only_where_nothing_is_missing(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_page_stands_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(result(), path, "groundswell demo --seed 5")
    page = path.read_text()
    assert not re.search(r"(src|href)\s*=|@import|url\(http", page.replace('xlink:href="#', ""))
    assert page.count("<svg") == 4
    ids = re.findall(r"\bid=\"(?!figure_|axes_|patch_|line2d_|matplotlib|xtick_|ytick_|text_|legend_)([^\"]+)\"", page)
    assert len(ids) == len(set(ids))
    for fact in ("0.75", "400", "groundswell demo --seed 5", "user-1", "never came"):
        assert fact in page


def test_the_page_tells_of_doubt_of_worth_and_of_the_leak(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(result(), path, "groundswell demo")
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", path.read_text().partition("</style>")[2]))
    for fact in (
        "states 7 (1.8%) were unknown; after interaction 31 none was",
        "no definite signal (dislike) had come yet",
        "tells which action was shown: left out",
        "100%, in the interval",
        "85.0%, not in the interval",
        "which action was shown explains 44.7% of it, who saw it nothing",
        "learned about 2,399 interactions, and has left the signal out since",
    ):
        assert fact in words
    assert not re.search(r"\b(enjoy|hate)", words)  # the live page's words are satisfied and dissatisfied


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
@pytest.mark.parametrize("draw", [states_figure, value_figure])
def test_figures_name_their_lines_and_axes_in_text(draw: Callable[[DemoResult, Size], str], size: Size) -> None:
    svg = draw(result(), size)
    words = " ".join(text for node in ET.fromstring(svg).iter(f"{SVG}text") for text in node.itertext())
    if draw is value_figure:
        expected = ["ranked", "best possible"]
    else:
        expected = (
            ["+1", "0", "\N{MINUS SIGN}1", "?", "true"] if size.is_narrow else ["+1 satisfied", "unknown", "true"]
        )
    for word in (*expected, "interactions learned"):
        assert word in words
    assert not re.search(r": #[0-9a-f]{6}", svg)  # every colour is the page's, light or dark


def test_figures_of_a_very_short_run_can_be_drawn(tmp_path: Path) -> None:
    whole = result()
    short = DemoResult(
        summary=msgspec.structs.replace(
            whole.summary,
            unknown=Unknown(count=0, share=0.0, reasons={}, last=None),
            signal_worth=[],
            leaking_signals=[],
        ),
        judged=whole.judged[:3],
        users=whole.users[:3],
        truths=whole.truths[:3],
        inferred=whole.inferred[:3],
        states=STATES,
        probabilities=whole.probabilities,
        policies=whole.policies[:1],
    )
    write_report(short, tmp_path / "report.html", "groundswell demo")
    page = (tmp_path / "report.html").read_text()
    for said in ("No state was unknown.", "The run was too short", "None was found"):
        assert said in page
