"""What all dashboards have in common: variables, marks on the time axis, links to each other, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.panels import PURPLE, SOURCE, VERMILLION

Panels = Sequence[timeseries.Panel | stat.Panel | bargauge.Panel]

MODEL = 'model="$model"'
SEGMENT = 'model="$model", segment=~"$segment"'
PARTITION = 'partition=~"$partition"'

VARIABLES = {
    "model": ("Model", "label_values(groundswell_rewards_total, model)"),
    "segment": ("Segment", f"label_values(groundswell_segment_signal_states_total{{{MODEL}}}, segment)"),
    "partition": ("Partition", "label_values(groundswell_consumer_lag, partition)"),
}
"""By name: the label on the page, and where the values come from. All but the model may be several."""


@dataclass(frozen=True)
class Mark(Builder[AnnotationQuery]):
    """Marks the moments that a query returns (as milliseconds since 1970), one a minute at most."""

    name: str
    query: str
    colour: str

    def build(self) -> AnnotationQuery:
        """Return it as Grafana's dashboards hold it."""
        return _MomentsOfValues(
            name=self.name, datasource=SOURCE, icon_color=self.colour, expr=self.query, built_in=None, hide=None
        )


class _MomentsOfValues(AnnotationQuery):
    """An annotation of Grafana's Prometheus data source whose moments are values: the SDK has no fields for it."""

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "useValueForTime": True, "step": "60s", "titleFormat": self.name}


PUBLICATIONS = Mark("Policies", f"1000 * max(groundswell_policy_published_timestamp_seconds{{{MODEL}}})", colour=PURPLE)
RESTARTS = Mark("Starts of workers", "1000 * groundswell_started_timestamp_seconds", colour=VERMILLION)


def board(
    title: str, meaning: str, variables: Sequence[str], marks: Sequence[Mark], rows: Mapping[str, Panels]
) -> dashboard.Dashboard:
    """Return a dashboard of these rows, top to bottom; `variables` are names of `VARIABLES`."""
    made = (
        dashboard.Dashboard(title)
        .uid(f"groundswell-{title.lower().replace(' ', '-')}")
        .description(meaning)
        .tags(["groundswell"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("5s")
        .time("now-30m", "now")
        .timezone("browser")
        .link(
            dashboard.DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["groundswell"])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for name in variables:
        made = made.with_variable(_variable(name))
    for mark in marks:
        made = made.annotation(mark)
    for row, panels in rows.items():
        made = made.with_row(dashboard.Row(row))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def _variable(name: str) -> dashboard.QueryVariable:
    label, values = VARIABLES[name]
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(values)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NUMERICAL_ASC if name == "partition" else VariableSort.ALPHABETICAL_ASC)
    )
    if name == "model":
        return variable
    everything = VariableOption(selected=True, text="All", value="$__all")
    return variable.multi(True).include_all(True).all_value(".*").current(everything)
