"""The few kinds of panel that the dashboards are made of, and their colours.

The colours are Okabe and Ito's, told apart with every common kind of colour blindness. Every series has its
name and newest value in the legend, and what it is compared with is dashed: colour never stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeValueMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#999999"

WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True)
class Series:
    """One query and how what it returns is shown.

    `name` stands in the legend and may hold labels (`{{topic}}`); a query that returns several series leaves
    the `colour` to Grafana. `dashed` is for what another series is compared with.
    """

    query: str
    name: str
    colour: str | None = None
    dashed: bool = False

    def target(self, letter: str, *, instant: bool = False) -> prometheus.Dataquery:
        """Return the query as Grafana's panels hold it; `letter` tells the queries of a panel apart."""
        query = prometheus.Dataquery().expr(self.query).legend_format(self.name).ref_id(letter).datasource(SOURCE)
        return query.instant() if instant else query.range()

    def looks(self) -> list[DynamicConfigValue]:
        """Return what overrides the look of this series."""
        looks: list[DynamicConfigValue] = []
        if self.colour is not None:
            looks.append(DynamicConfigValue("color", {"mode": "fixed", "fixedColor": self.colour}))
        if self.dashed:
            looks.append(DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}))
        return looks


def curves(
    title: str,
    meaning: str,
    series: Sequence[Series],
    *,
    unit: str,
    width: int = WIDTH // 2,
    stacked: bool = False,
    lowest: float | None = None,
    highest: float | None = None,
) -> timeseries.Panel:
    """Return curves over time; `unit` is one of Grafana's unit names, `meaning` its tool tip."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(8)
        .line_width(2)
        .fill_opacity(70 if stacked else 0)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .calcs(["lastNotNull"])
        )
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
    )
    if lowest is not None:
        panel = panel.min(lowest)
    if highest is not None:
        panel = panel.max(highest)
    for letter, each in zip("ABCDEFGHIJKL", series, strict=False):
        panel = panel.with_target(each.target(letter)).override_by_query(letter, each.looks())
    return panel


def figure(
    title: str, meaning: str, series: Series, *, unit: str, decimals: int | None = None, width: int = WIDTH // 6
) -> stat.Panel:
    """Return one number, large, with its recent course behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .graph_mode(BigValueGraphMode.AREA)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(series.colour or GREY))
        .with_target(series.target("A"))
    )
    return panel if decimals is None else panel.decimals(decimals)


def bars_from_bad_to_good(title: str, meaning: str, series: Series, *, width: int = WIDTH // 2) -> bargauge.Panel:
    """Return one bar per series between -1 and 1, coloured by the reward state that it is nearest to."""
    thresholds = (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(None, VERMILLION), Threshold(-1 / 3, GREY), Threshold(1 / 3, BLUE)])
    )
    return (
        bargauge.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit("none")
        .decimals(2)
        .min(-1)
        .max(1)
        .span(width)
        .height(8)
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .thresholds(thresholds)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .with_target(series.target("A", instant=True))
    )
