"""Panels as Grafana's SDK builds them: one house style for axes, legends, thresholds and colours. Not here: what they ask."""

# pyright: reportArgumentType=false
# The SDK's enumerations are of Python 3.11's StrEnum, which is unknown where types are checked for 3.10.

from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from dashboards_source.grafana.panel import Color, Kind, Panel, Query, Step

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_DASH = {"fill": "dash", "dash": [10, 8]}
_SHOWN_IN_LEGEND = ["lastNotNull", "max"]

AnyPanel: TypeAlias = Any


def drawn(panel: Panel, number: int, place: models.GridPos) -> AnyPanel:
    """The panel at its place."""
    built = _BY_KIND[panel.kind](panel)
    built = built.id(number).grid_pos(place).title(panel.title).description(panel.says).datasource(DATASOURCE)
    built = built.unit(panel.unit).thresholds(_thresholds(panel.steps))
    if panel.least is not None:
        built = built.min(panel.least)
    if panel.most is not None:
        built = built.max(panel.most)
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    if panel.mappings:
        built = built.mappings([_mapping(panel)])
    if panel.alert:
        built = built.links([_runbook(panel.alert)])
    for place_of, query in enumerate(panel.queries):
        built = built.with_target(_target(query, chr(ord("A") + place_of)))
    return built


def _lines(panel: Panel) -> AnyPanel:
    style = common_models.GraphThresholdsStyleMode.DASHED if panel.steps else common_models.GraphThresholdsStyleMode.OFF
    built = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if panel.stacked else 8)
        .show_points(common_models.VisibilityMode.NEVER)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(_SHOWN_IN_LEGEND)
        )
    )
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if panel.dashed:
        limit = [
            models.DynamicConfigValue(id_val="custom.lineStyle", value=_DASH),
            models.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
            models.DynamicConfigValue(id_val="custom.stacking", value={"mode": "none", "group": "limits"}),
        ]
        built = built.override_by_regexp(panel.dashed, limit)
    return built


def _number(panel: Panel) -> AnyPanel:
    del panel
    return (
        stat.Panel()
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .graph_mode(common_models.BigValueGraphMode.AREA)
        .text_mode(common_models.BigValueTextMode.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _bars(panel: Panel) -> AnyPanel:
    del panel
    return (
        bargauge.Panel()
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        .show_unfilled(True)
        .value_mode(common_models.BarGaugeValueMode.TEXT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _heatmap(panel: Panel) -> AnyPanel:
    return (
        heatmap.Panel()
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .cell_gap(1)
        .show_legend()
    )


def _table(panel: Panel) -> AnyPanel:
    del panel
    hide = {"Time": True, "__name__": True, "instance": True, "job": True}
    organize = models.DataTransformerConfig(id_val="organize", options={"excludeByName": hide})
    merge = models.DataTransformerConfig(id_val="merge", options={})
    return table.Panel().show_header(True).transformations([merge, organize])


def _states(panel: Panel) -> AnyPanel:
    del panel
    return (
        statetimeline.Panel()
        .merge_values(True)
        .row_height(0.8)
        .show_value(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
    )


_BY_KIND = {
    Kind.LINES: _lines,
    Kind.NUMBER: _number,
    Kind.BARS: _bars,
    Kind.HEATMAP: _heatmap,
    Kind.TABLE: _table,
    Kind.STATES: _states,
}


def _target(query: Query, name: str) -> prometheus.Dataquery:
    built = prometheus.Dataquery().expr(query.expression).ref_id(name).datasource(DATASOURCE)
    built = built.editor_mode(prometheus_models.QueryEditorMode.CODE)
    built = built.instant() if query.now else built.range()
    built = built.legend_format(query.legend or "__auto")
    if query.buckets:
        return built.format(prometheus_models.PromQueryFormat.HEATMAP)
    return built.format(
        prometheus_models.PromQueryFormat.TABLE
        if query.now and not query.legend
        else prometheus_models.PromQueryFormat.TIME_SERIES
    )


def _thresholds(steps: tuple[Step, ...]) -> dashboard.ThresholdsConfig:
    whole = steps if steps and steps[0].value is None else (Step(None, Color.GREEN), *steps)
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=step.value, color=step.color.value) for step in whole])
    )


def _mapping(panel: Panel) -> models.ValueMap:
    results = {
        value: models.ValueMappingResult(text=text, color=color.value, index=place)
        for place, (value, text, color) in enumerate(panel.mappings)
    }
    return models.ValueMap(options=results)


def _runbook(alert: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(f"What to do: {alert}")
        .type(models.DashboardLinkType.LINK)
        .url(f"${{runbook}}#{alert.lower()}")
        .target_blank(True)
    )
