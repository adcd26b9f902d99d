"""The report says what happened, in figures that can be checked, and stands on its own."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from experiments.demo.account import ledger, percent
from experiments.demo.audit import UNKNOWN, Judged
from experiments.demo.plots import states_figure, value_figure
from experiments.demo.report import Decoded, confusion, decoding, outcomes, write_report
from experiments.demo.result import DemoResult, Summary, state_rates
from experiments.people.truth_log import PolicyTruth

SVG = "{http://www.w3.org/2000/svg}"
STATES = np.array([[1, -1, 0], [0, 1, -1]], dtype=np.int8)
COUNT = 400


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
        Judged(f"i{index}", f"action-{actions[index]}", signals[index], int(inferred[index])) for index in range(COUNT)
    ]
    numbers: dict[str, int] = {
        "interactions": COUNT,
        "seed": 5,
        "impressions_produced": COUNT,
        "impressions_repeated": 2,
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
    assert (first.enjoys, first.shown_first, first.probability_hated) == ("action-0", "action-0", 0.1)
    assert (second.enjoys, second.hates, second.shown_first) == ("action-1", "action-2", "action-2")


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
    assert page.count("<svg") == 2
    for figure in ("0.75", "400", "groundswell demo --seed 5", "user-1", "never came"):
        assert figure in page


@pytest.mark.parametrize("figure", [states_figure, value_figure])
def test_figures_name_their_lines_and_axes_in_text(figure: object) -> None:
    svg = figure(result())  # type: ignore[operator]  # one of the two
    words = " ".join(text for node in ET.fromstring(svg).iter(f"{SVG}text") for text in node.itertext())
    expected = ("enjoyed", "hated", "true") if figure is states_figure else ("ranked first", "best possible")
    for word in (*expected, "interactions learned"):
        assert word in words


def test_figures_of_a_very_short_run_can_be_drawn(tmp_path: Path) -> None:
    whole = result()
    short = DemoResult(
        summary=whole.summary,
        judged=whole.judged[:3],
        users=whole.users[:3],
        truths=whole.truths[:3],
        inferred=whole.inferred[:3],
        states=STATES,
        probabilities=whole.probabilities,
        policies=whole.policies[:1],
    )
    write_report(short, tmp_path / "report.html", "groundswell demo")
