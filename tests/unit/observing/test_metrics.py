"""Metrics: bounded whatever producers send, and gone with the partition that they speak of."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from groundswell.events import Reward, Source
from groundswell.worth import Worth, WorthTable
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for
from processors.learners.signal_reading import Leak
from processors.learners.statistics import Statistics
from streams.observing.learning_metrics import MEMORY, LearningMetrics, RecentStatistics
from streams.observing.logs import set_up_logs
from streams.observing.metrics import MAX_SIGNALS, OTHER_SIGNAL, Metrics
from streams.settings import SegmentSettings
from tests.unit.rounds import in_columns, interaction, uniform_log
from tests.unit.stand_ins import worker_settings


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    page = generate_latest(metrics.registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def reward(signal: str, state: Any = 0) -> Reward:
    return Reward(
        schema_version=1, impression_id="i", model="feed", occurred_at=0, source=Source(0, 0, 0), action="a",
        signal=signal, state=state, reward=0.0, posterior=0.1, threshold=0.5, weight=1.0, ik_version=0,
        policy_version=0,
    )  # fmt: skip


def test_signals_are_bounded_and_none_is_lost_from_the_sum() -> None:
    metrics = Metrics()
    learning = LearningMetrics(metrics)
    learning.follow(3, "feed", Statistics())
    for number in range(10 * MAX_SIGNALS):
        learning.learned(3, "feed", [interaction(number)], in_columns([reward(f"signal {number}")]), Statistics())
    counted = {dict(labels)["signal"]: value for (name, labels), value in samples(metrics).items()
               if name == "groundswell_signal_states_total"}  # fmt: skip
    assert len(counted) == MAX_SIGNALS + 1
    assert counted[OTHER_SIGNAL] == 9 * MAX_SIGNALS
    assert sum(counted.values()) == 10 * MAX_SIGNALS


def learned_metrics(count: int) -> tuple[Metrics, LearningMetrics, Learner]:
    metrics, log = Metrics(), uniform_log(count)
    learning, learner = LearningMetrics(metrics), learner_for(worker_settings().models["feed"])
    learning.follow(3, "feed", learner.statistics)
    for start in range(0, count, 50):
        rewards = learner.learn(log[start : start + 50])
        learning.learned(3, "feed", log[start : start + 50], rewards, learner.statistics)
    return metrics, learning, learner


def test_what_was_learned_is_counted_by_state_and_signal() -> None:
    metrics, _, learner = learned_metrics(500)
    found = samples(metrics)
    states = {
        dict(labels)["state"]: value for (name, labels), value in found.items() if name == "groundswell_rewards_total"
    }
    assert states == {state: number for state, number in learner.statistics.states.items() if number}
    assert found["groundswell_extreme_total", frozenset({("model", "feed")})] == states["-1"] + states["1"]
    rates = [value for (name, _), value in found.items() if name == "groundswell_reward_state_rate"]
    assert sum(rates) == pytest.approx(1)
    assert found["groundswell_mean_importance_weight", frozenset({("model", "feed")})] == pytest.approx(1)
    assert found["groundswell_ik_prior_accuracy", frozenset({("model", "feed")})] == pytest.approx(0.2)


def test_rates_speak_of_the_recent_past() -> None:
    recent, now = RecentStatistics(), Statistics()
    recent.follow(0, now)
    for state in ("1", "-1"):
        for _ in range(10):
            now.learned += MEMORY
            now.states[state] += MEMORY
            recent.add(0, now)
    assert recent.states["-1"] / recent.learned > 0.99


def test_the_gauges_of_a_partition_go_with_it_and_counters_stay() -> None:
    metrics, learning, learner = learned_metrics(200)
    learning.published(learner.snapshot(None), 1_700_000_000.0, 1_000)
    learning.learned(3, "feed", uniform_log(400), learner.learn(uniform_log(400)), learner.statistics)
    learning.forgot("feed", {"users": 1, "signals": 2})
    learning.leaking(3, "feed", {"play": Leak(0.3, left_out=True)})
    learning.checkpointed(3, 1_000, 0.1)
    learning.unsaved(3)
    for partition in ("3", "4"):
        for gauge in (metrics.pending, metrics.early, metrics.watermark):
            gauge.labels(partition).set(1)
        metrics.lag.labels("impressions", partition).set(5)
    before = samples(metrics)
    learning.drop(3, ["feed"], ["feed"])
    metrics.drop_event_partition(3)
    metrics.drop_lag("impressions", 3)
    metrics.drop_event_partition(99)
    after = samples(metrics)
    gone = {name for name, labels in before.keys() - after.keys()}
    assert gone >= {"groundswell_join_pending", "groundswell_consumer_lag", "groundswell_policy_version"}
    assert not any(name.endswith("_total") for name in gone)
    assert not [labels for _, labels in after if ("partition", "3") in labels]
    assert [labels for _, labels in after if ("partition", "4") in labels]
    gauges = {one.name for one in metrics.declared() if one.kind == "gauge" and "model" in one.labels}
    assert not [name for name, _ in after if name in gauges]


def test_the_gauges_of_a_sharded_model_stay_while_the_worker_holds_one_of_its_partitions() -> None:
    metrics, learning, learner = learned_metrics(200)
    other = learner_for(learner.model)
    learning.follow(4, "feed", other.statistics)
    learning.learned(4, "feed", uniform_log(100), other.learn(uniform_log(100)), other.statistics)
    learning.drop(3, ["feed"], [])
    assert any(name == "groundswell_reward_state_rate" for name, _ in samples(metrics))
    learning.drop(4, ["feed"], [])
    assert not any(name == "groundswell_reward_state_rate" for name, _ in samples(metrics))


def test_a_leak_is_shown_while_a_partition_says_so_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    metrics = Metrics()
    learning = LearningMetrics(metrics)

    def shown() -> dict[frozenset[tuple[str, str]], float]:
        return {labels: value for (name, labels), value in samples(metrics).items() if "leaking" in name}

    def told() -> list[tuple[str, int, str]]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(line["signal"], line["partition"], line["message"].rsplit(": ", 1)[-1]) for line in lines]

    leaks = {"play": Leak(0.25, left_out=True), "dislike": Leak(0.5, left_out=False)}
    for _ in range(3):
        learning.leaking(3, "feed", leaks)
    learning.leaking(4, "feed", {"play": Leak(0.25, left_out=True)})
    assert sorted(told()) == [
        ("dislike", 3, "it is named in the configuration, and learned from still"),
        ("play", 3, "it is left out"),
        ("play", 4, "it is left out"),
    ]
    labels = {"model": "feed", "signal": "play", "left_out": "true"}
    named = {"model": "feed", "signal": "dislike", "left_out": "false"}
    assert shown() == {frozenset(labels.items()): 0.25, frozenset(named.items()): 0.5}
    learning.leaking(3, "feed", {})
    assert sorted(told()) == [(signal, 3, "a signal no longer tells the action") for signal in ("dislike", "play")]
    assert shown() == {frozenset(labels.items()): 0.25}


def test_a_worker_that_no_longer_publishes_a_sharded_model_says_nothing_of_its_policy() -> None:
    """It goes on with another shard, and knows nothing of the policies that another worker publishes."""
    metrics, learning, learner = learned_metrics(200)
    learning.published(learner.snapshot(None), 1_700_000_000.0, 1_000)
    other = learner_for(learner.model)
    learning.follow(4, "feed", other.statistics)

    def goes_on() -> set[str]:
        log = uniform_log(400)
        learning.learned(4, "feed", log, other.learn(log), other.statistics)
        return {name for name, _ in samples(metrics) if "_policy_" in name or "ranked_first" in name}

    assert goes_on() >= {"groundswell_policy_version", "groundswell_policy_value"}
    learning.drop(3, ["feed"], ["feed"])
    assert goes_on() == set()
    assert any(name == "groundswell_reward_state_rate" for name, _ in samples(metrics))


def test_what_is_learned_counts_by_segment_where_one_is_configured() -> None:
    metrics, log = Metrics(), uniform_log(500)
    segments = {"feed": SegmentSettings(feature="user", values=("u0", "u1"))}
    learning, learner = LearningMetrics(metrics, segments), learner_for(worker_settings().models["feed"])
    learning.follow(3, "feed", learner.statistics)
    learning.learned(3, "feed", log, learner.learn(log), learner.statistics)
    counted: Counter[str] = Counter()
    for (name, labels), value in samples(metrics).items():
        if name == "groundswell_segment_signal_states_total":
            counted[dict(labels)["segment"]] += int(value)
    users = Counter(str(one.impression.context["user"]) for one in log)
    assert counted == {"u0": users["u0"], "u1": users["u1"], "other": users["u2"]}


def test_what_signals_are_worth_is_told_where_it_is_known_and_withdrawn_where_it_no_longer_is() -> None:
    metrics = Metrics()
    learning = LearningMetrics(metrics)

    def row(signal: str, segment: str | None, log_odds: float | None, high: float | None) -> Worth:
        low = None if log_odds is None else log_odds - 1
        return Worth(signal=signal, segment=segment, log_odds=log_odds, low=low, high=high, plays=50.0, share=0.1)

    def told(*rows: Worth) -> dict[tuple[str, str, str], float]:
        learning.worth(WorthTable(model="feed", interactions=1, feature="platform", rows=list(rows)))
        return {
            (labels["segment"], labels["signal"], labels["estimate"]): value
            for (name, pairs), value in samples(metrics).items()
            if name == "groundswell_signal_worth_log_odds" and (labels := dict(pairs))
        }

    assert told(row("like", None, 2.0, None), row("like", "ios", 1.0, 2.0), row("dislike", None, None, None)) == {
        ("", "like", "estimate"): 2.0,
        ("", "like", "low"): 1.0,
        ("ios", "like", "estimate"): 1.0,
        ("ios", "like", "low"): 0.0,
        ("ios", "like", "high"): 2.0,
    }
    assert told(row("like", None, None, None)) == {}
    many = told(*(row(f"s{number}", None, 0.0, 1.0) for number in range(200)))
    assert len({signal for _, signal, _ in many}) <= MAX_SIGNALS


def test_a_policy_has_the_age_it_had_before_the_restart() -> None:
    metrics = Metrics()
    LearningMetrics(metrics).restored("feed", 500, 1_700_000_000.0)
    LearningMetrics(metrics).restored("mail", 500, None)
    ages = {labels: value for (name, labels), value in samples(metrics).items() if "policy_published" in name}
    assert ages == {frozenset({("model", "feed")}): 1_700_000_000.0}


def test_every_metric_says_what_it_means_and_is_named_once() -> None:
    declared = Metrics().declared()
    assert len({one.name for one in declared}) == len(declared)
    assert all(one.name.startswith("groundswell_") and len(one.meaning) > 10 for one in declared)
    bounded = {"topic", "reason", "outcome", "partition", "model", "state", "signal", "segment", "estimate", "setting",
               "left_out", "assumption", "what"}  # fmt: skip
    bounded |= {"condition", "subject", "severity"}  # subjects are topics and models
    assert {label for one in declared for label in one.labels} <= bounded


def test_what_data_cannot_tell_is_counted_as_unknown_and_as_nothing_else() -> None:
    metrics = Metrics()
    learning = LearningMetrics(metrics, {"feed": SegmentSettings(feature="user")})
    learning.follow(3, "feed", Statistics())
    states = {"-1": 0, "0": 0, "1": 1, "unknown": 3}
    rewards = in_columns([reward("like", 1), *[reward("like", None)] * 3])
    learning.learned(
        3, "feed", [interaction(i) for i in range(4)], rewards, Statistics(learned=4, states=states, weights=4.0)
    )
    counted = samples(metrics)
    of_feed = {("model", "feed")}

    def count(name: str, **labels: str) -> float:
        return counted[f"groundswell_{name}", frozenset(of_feed | labels.items())]

    assert (count("rewards_total", state="unknown"), count("rewards_total", state="1")) == (3, 1)
    assert count("signal_states_total", signal="like", state="unknown") == 3
    assert count("segment_signal_states_total", segment="ann", signal="like", state="unknown") == 3
    assert count("reward_state_rate", state="unknown") == pytest.approx(0.75)
    assert count("extreme_total") == 1
    metrics.drop_model("feed")
    assert not any(name == "groundswell_reward_state_rate" for name, _ in samples(metrics))


def test_what_a_rule_takes_for_granted_is_1_while_it_fails_and_gone_with_the_model() -> None:
    metrics = Metrics()
    learning = LearningMetrics(metrics)
    learning.follow(3, "feed", Statistics())
    learning.assumed("feed", {"definite_signal": True, "indifference": False})
    learning.assumed("feed", {"definite_signal": True, "indifference": True})
    learning.assumed("feed", {"definite_signal": False, "indifference": True})
    found = {
        dict(labels)["assumption"]: value
        for (name, labels), value in samples(metrics).items()
        if name == "groundswell_assumption_violated"
    }
    assert found == {"definite_signal": 0, "indifference": 1}
    learning.drop(3, ["feed"], [])
    assert not any(name == "groundswell_assumption_violated" for name, _ in samples(metrics))
