"""What goes live, what does not, and what waits; and that the reason says what was found."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.papers import off_policy
from processors.evaluation.confidence_sequence import Interval
from processors.evaluation.gate import Rule, Verdict, decide

BEATS, NOT_WORSE = Rule(), Rule("not_worse", 0.1)


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict", "reason"),
    [
        (
            BEATS,
            0.01,
            0.2,
            "passes",
            "is better than the live policy: after 5,000 interactions its reward differs from",
        ),
        (BEATS, -0.2, -0.01, "refused", "is not better than the live policy"),
        (BEATS, -0.2, 0.0, "refused", "-0.200 to +0.000, with 95% confidence"),
        (BEATS, 0.0, 0.2, "undecided", "not known to be better"),
        (BEATS, -0.1, 0.2, "undecided", "if it goes on so, about 50,000 interactions in all"),
        (BEATS, -0.1, 0.1, "undecided", "the two are so close"),
        (NOT_WORSE, -0.09, 0.0, "passes", "is no worse than the live policy by more than 0.1"),
        (NOT_WORSE, -0.3, -0.11, "refused", "is not no worse than"),
        (NOT_WORSE, -0.11, 0.3, "undecided", "if it goes on so, about 6,000 interactions"),
        (BEATS, 0.3, 0.1, "undecided", "are not those that were acted by"),
        (BEATS, -0.3, -0.4, "undecided", "cannot be told"),
    ],
)
def test_a_verdict_is_what_the_interval_surely_says(
    rule: Rule, low: float, high: float, verdict: Verdict, reason: str
) -> None:
    found = decide(rule, Interval(low, high), 5_000)
    assert found.verdict == verdict
    assert reason in found.reason


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.2), (-0.2, -0.01), (-0.1, 0.1), (0.3, 0.1)])
def test_a_log_whose_weights_say_that_it_is_wrong_decides_nothing(low: float, high: float) -> None:
    found = decide(BEATS, Interval(low, high), 5_000, misweighted=True)
    assert found.verdict == "undecided"
    assert "it cannot be told" in found.reason
    assert "see that apps log what they draw by" in found.reason


def test_before_any_interaction_nothing_is_decided() -> None:
    assert decide(BEATS, Interval(-2.0, 2.0), 0).verdict == "undecided"


def test_where_the_log_cannot_speak_of_what_the_candidate_shows_more_of_it_is_not_asked_for() -> None:
    reason = decide(BEATS, Interval(-0.5, 0.9), 10_000, supported=0.6).reason
    assert "40% of what it would show is never shown" in reason
    assert "interactions in all" not in reason


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"margin": 0.1}, "set kind to not_worse"),
        ({"kind": "not_worse"}, "a loss above 0"),
        ({"kind": "not_worse", "margin": 3.0}, "no more than 2"),
        ({"error": 0.0}, "a probability above 0"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Rule(**given)


def test_under_uniform_logging_a_tenth_more_passes_and_a_tenth_less_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, (*how, _) in list(off_policy.GATE.items()):
        monkeypatch.setitem(off_policy.GATE, setting, (*how, 4))
    better = off_policy.run("gate: uniform, better by .1", 21)
    worse = off_policy.run("gate: uniform, worse by .1", 21)
    assert better.measures["passes"] == 1.0
    assert worse.measures["refused"] == 1.0
    assert [bar.met for run in (better, worse) for bar in off_policy.bars(run.setting, [run])] == [True, True]
