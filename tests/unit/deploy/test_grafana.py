"""The dashboards: committed as built, asking only for what exists, readable without colour."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana import build
from experiments.servers.kafka_distribution import PROJECT
from tests.unit.deploy.promtools import accepted, each_promtool

GRAFANA = PROJECT / "deploy" / "grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in sorted(build.FOLDER.glob("*.json"))
}
PANELS: list[dict[str, Any]] = [
    panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"] if panel["type"] != "row"
]
each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def queries(panel: dict[str, Any]) -> Iterator[str]:
    for target in panel["targets"]:
        yield target["expr"].replace("$model", "feed").replace("$segment", ".*").replace("$partition", ".*")


def test_the_committed_files_are_what_the_code_builds() -> None:
    assert build.stale() == [], "run python -m deploy.grafana.build"


def test_a_changed_a_missing_and_a_forgotten_file_are_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert build.stale() == sorted(DASHBOARDS)
    build.main()
    assert build.stale() == []
    (tmp_path / "reward-states.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    assert build.stale() == ["old.json", "reward-states.json"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_offers_the_variables_that_it_uses_and_no_others(name: str) -> None:
    board = DASHBOARDS[name]
    offered = [one["name"] for one in board["templating"]["list"]]
    used = set(re.findall(r"\$(?!__)(\w+)", json.dumps(board["panels"])))
    assert used == set(offered)
    for number, one in enumerate(board["templating"]["list"]):
        assert set(re.findall(r"\$(\w+)", one["query"])) <= set(offered[:number])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_marks_when_workers_started(name: str) -> None:
    found = {one["name"]: one for one in marks(DASHBOARDS[name])}
    assert found["Starts of workers"]["useValueForTime"]
    assert ("Policies" in found) == ("model" in [one["name"] for one in DASHBOARDS[name]["templating"]["list"]])


def marks(board: dict[str, Any]) -> list[dict[str, Any]]:
    return list(board["annotations"]["list"])


@each_panel
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])
    assert len({target["legendFormat"] for target in panel["targets"]}) == len(panel["targets"])


@each_panel
def test_recorded_series_that_a_panel_asks_for_are_recorded(panel: dict[str, Any]) -> None:
    recorded = {
        rule["record"]
        for path in (PROJECT / "deploy" / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    for query in queries(panel):
        assert set(re.findall(r"\w+(?::\w+)+", query)) <= recorded


@each_promtool
def test_prometheus_can_parse_every_query(promtool: str, tmp_path: Path) -> None:
    asked = [query for panel in PANELS for query in queries(panel)]
    asked += [one["expr"].replace("$model", "feed") for board in DASHBOARDS.values() for one in marks(board)]
    rules = [{"record": f"query:number_{number}", "expr": query} for number, query in enumerate(asked)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    accepted(promtool, "check", "rules", str(path))


def test_the_three_states_have_their_colours_everywhere() -> None:
    seen = {
        (name, look)
        for panel in PANELS
        for target in panel["targets"]
        if (name := target["legendFormat"]) in STATE_COLOURS and (look := colour(panel, target["refId"]))
    }
    assert seen == set(STATE_COLOURS.items())


STATE_COLOURS = {"+1 enjoyed": "#0072B2", "0 indifferent": "#999999", "-1 hated": "#D55E00"}


def colour(panel: dict[str, Any], query: str) -> str:
    """The fixed colour of one query's series: its own, or the panel's."""
    field = panel["fieldConfig"]
    looks = [
        look["value"]["fixedColor"]
        for override in field.get("overrides", [])
        for look in override["properties"]
        if override["matcher"]["options"] == query and look["id"] == "color"
    ]
    return str(looks[0] if looks else field["defaults"]["color"]["fixedColor"])


def test_grafana_is_pointed_at_the_data_source_and_the_folder() -> None:
    provisioning = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "groundswell.yml").read_text())["providers"]
    grafana = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["grafana"]
    used = {
        panel["datasource"]["uid"] for board in DASHBOARDS.values() for panel in board["panels"] if "targets" in panel
    }
    assert used == {source["uid"]}
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert home.name in DASHBOARDS
