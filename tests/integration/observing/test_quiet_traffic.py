"""Where nothing is wrong no alarm goes off, from the first hour of a model's life on, with the windows as they are."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from experiments.people.quiet_traffic import QuietTraffic
from experiments.servers.kafka_distribution import PROJECT
from experiments.servers.prometheus_server import PrometheusServer, Series

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus"),
]

STEP = 60
RULES: list[dict[str, Any]] = [
    rule
    for name in ("reward_states", "learning_alerts")
    for group in yaml.safe_load((PROJECT / f"deploy/prometheus/rules/{name}.yml").read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"]: rule for rule in RULES if "record" in rule}
ALERTS = [rule for rule in RULES if "alert" in rule]


def rank(name: str) -> int:
    """How many recordings have to be made one after the other before this one can be."""
    needed = [other for other in RECORDED if other != name and asks_for(RECORDED[name]["expr"], other)]
    return 1 + max(map(rank, needed), default=0)


def asks_for(query: str, name: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", query) is not None


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(
    scope="module",
    params=[(12, 1.0, 0.2), (12, 2.0, 0.05), (24, 0.4, 0.2)],
    ids=["", "few dislikes", "little traffic"],
)
def quiet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[QuietTraffic, PrometheusServer]]:
    directory = tmp_path_factory.mktemp("quiet")
    hours, rate, p_dislike = request.param
    begin = round(time.time()) // 3600 * 3600 - hours * 3600
    traffic = QuietTraffic(begin, hours, rate, p_dislike, seed=0)
    traffic.write(directory / "metrics.om")
    series = str(directory / "series")
    promtool("tsdb", "create-blocks-from", "openmetrics", str(directory / "metrics.om"), series)
    configuration, rules = directory / "prometheus.yml", directory / "rules.yml"
    configuration.write_text("global: {}\n")
    for number in range(1, 1 + max(map(rank, RECORDED))):
        due = [rule for name, rule in RECORDED.items() if rank(name) == number]
        rules.write_text(yaml.safe_dump({"groups": [{"name": "recorded", "rules": due}]}))
        with PrometheusServer(directory, configuration) as prometheus:
            promtool(
                "tsdb", "create-blocks-from", "rules", f"--start={traffic.begin}", f"--end={traffic.end}",
                f"--eval-interval={STEP}s", f"--url=http://{prometheus.address}", f"--output-dir={series}", str(rules),
            )  # fmt: skip
    with PrometheusServer(directory, configuration) as prometheus:
        yield traffic, prometheus


def longest(found: list[Series]) -> int:
    """The most seconds that a condition held without a break."""
    most = 0
    for series in found:
        held, before = 0, None
        for at, _ in series.points:
            held = held + STEP if before is not None and at - before <= STEP else 0
            most, before = max(most, held), at
    return most


@pytest.mark.timeout(600)
def test_no_alert_would_have_fired(quiet: tuple[QuietTraffic, PrometheusServer]) -> None:
    traffic, prometheus = quiet
    learned = prometheus.course("sum(groundswell_rewards_total)", traffic.end - STEP, traffic.end)[0].points[-1][1]
    assert learned > 0.9 * (traffic.hours * 3600 - 700) * traffic.rate
    for name in RECORDED:
        if any(asks_for(rule["expr"], name) for rule in ALERTS):
            assert prometheus.course(name, traffic.begin, traffic.end, STEP), f"{name} says nothing at all"
    near = {
        rule["alert"]: longest(prometheus.course(rule["expr"], traffic.begin, traffic.end, STEP)) / 60
        for rule in ALERTS
    }
    print({alert: f"{minutes:.0f} min" for alert, minutes in near.items() if minutes})
    assert {alert for alert, minutes in near.items() if minutes >= _minutes(alert)} == set()


def _minutes(alert: str) -> int:
    (rule,) = [one for one in ALERTS if one["alert"] == alert]
    return int(rule["for"].removesuffix("m"))
