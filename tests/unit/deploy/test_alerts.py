"""Every alert is tested both ways, and has a section that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT

FOLDER = PROJECT / "deploy" / "prometheus"
RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in RUNBOOK.split("\n## ")[1:]}


def _alerts() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("rules/*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from ((path.name, rule) for rule in group["rules"] if "alert" in rule)


ALERTS = {rule["alert"]: (file, rule) for file, rule in _alerts()}
each_alert = pytest.mark.parametrize("name", ALERTS)


@each_alert
def test_it_is_seen_to_fire_and_not_to_fire(name: str) -> None:
    tests = yaml.safe_load((FOLDER / "tests" / ALERTS[name][0]).read_text())["tests"]
    fires = {
        bool(check["exp_alerts"])
        for test in tests
        for check in test.get("alert_rule_test", [])
        if check["alertname"] == name
    }
    assert fires == {True, False}


@each_alert
def test_it_leads_to_its_section(name: str) -> None:
    rule = ALERTS[name][1]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    section = SECTIONS[name]
    assert f"Severity: {rule['labels']['severity']}." in section
    assert "*Look at*" in section
    assert "*Do*" in section
    assert re.search(r"Within:\s\d+ minutes", section)


@each_alert
def test_what_it_comes_with_is_named_and_exists(name: str) -> None:
    (named,) = re.findall(r"Comes with:\s(.*?)\.\n", SECTIONS[name], flags=re.DOTALL)
    assert named == "nothing" or set(re.findall(r"`(\w+)`", named)) <= set(ALERTS) - {name}


def test_every_section_is_of_an_alert() -> None:
    assert set(SECTIONS) == set(ALERTS)
