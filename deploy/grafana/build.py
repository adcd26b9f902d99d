"""Writes the dashboards' JSON: `python -m deploy.grafana.build`; with `--check`, only says which are stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.learning_health import learning_health
from deploy.grafana.pipeline import pipeline
from deploy.grafana.reward_states import reward_states
from deploy.grafana.serving import serving

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {
    "reward-states.json": reward_states,
    "learning-health.json": learning_health,
    "pipeline.json": pipeline,
    "serving.json": serving,
}


def rendered() -> dict[str, str]:
    """Return the content of every file in deploy/grafana/dashboards, by name."""
    return {name: _json(build().build()) for name, build in DASHBOARDS.items()}


def stale() -> list[str]:
    """Return the names of the files that are missing, differ from what is built, or are built no more."""
    wanted = rendered()
    present = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted | present if wanted.get(name) != present.get(name))


def _json(dashboard: Dashboard) -> str:
    # Links to a panel name it by its number.
    for number, panel in enumerate(dashboard.panels or [], start=1):
        panel.id_val = number
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main(check: Annotated[bool, typer.Option(help="write nothing; fail if anything is stale")] = False) -> None:
    """Write the dashboards."""
    if check:
        if names := stale():
            typer.echo(f"stale: {', '.join(names)}; run python -m deploy.grafana.build", err=True)
            raise typer.Exit(1)
        return
    for name, content in rendered().items():
        (FOLDER / name).write_text(content)


if __name__ == "__main__":
    typer.run(main)
