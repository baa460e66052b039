"""A page as Grafana's dashboard: places and ids of panels, variables, annotations, links. Not here: panels themselves.

Ids are set here because the SDK leaves them unset, and Grafana then stacks every row on the first.
"""

# pyright: reportArgumentType=false
# The SDK's enumerations are of Python 3.11's StrEnum, which is unknown where types are checked for 3.10.

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards_source.grafana.drawing import DATASOURCE, AnyPanel, drawn
from dashboards_source.grafana.panel import Page, Panel, Row

_COLUMNS = 24
_RUNBOOK = "docs/runbook.md"
_DAGSTER = "http://127.0.0.1:3000"
_TAG = "embedding-assets"


def as_json(page: Page) -> str:
    """The dashboard's text, as Grafana imports it and `make dashboards` writes it."""
    return JSONEncoder(sort_keys=True, indent=2).encode(built(page).build()) + "\n"


def built(page: Page) -> dashboard.Dashboard:
    """The dashboard."""
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .description(page.says)
        .tags(list(page.tags))
        .timezone("browser")
        .time(f"now-{page.hours}h", "now")
        .refresh("1m")
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .version(1)
    )
    for variable in _variables():
        made = made.with_variable(variable)
    for annotation in _annotations():
        made = made.annotation(annotation)
    for link in _links():
        made = made.link(link)
    for number, (place, what) in enumerate(_placed(page.rows), start=1):
        if isinstance(what, Row):
            made = made.with_row(dashboard.Row(what.title).id(number).grid_pos(place).collapsed(False))
        else:
            made = made.with_panel(_at(what, number, place))
    return made


def _at(panel: Panel, number: int, place: models.GridPos) -> AnyPanel:
    return drawn(panel, number, place)


def _placed(rows: Sequence[Row]) -> Iterator[tuple[models.GridPos, Row | Panel]]:
    top = 0
    for row in rows:
        yield models.GridPos(x=0, y=top, w=_COLUMNS, h=1), row
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            yield models.GridPos(x=left, y=top, w=panel.width, h=panel.height), panel
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _variables() -> list[object]:
    collection = (
        dashboard.QueryVariable("collection")
        .label("Collection")
        .datasource(DATASOURCE)
        .query("label_values(embedding_documents_tracked, collection)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    return [
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        collection,
        _address("dagster", "Dagster", _DAGSTER),
        _address("runbook", "Runbook", _RUNBOOK),
    ]


def _address(name: str, label: str, value: str) -> dashboard.TextBoxVariable:
    option = models.VariableOption(selected=True, text=value, value=value)
    return dashboard.TextBoxVariable(name).label(label).default_value(value).current(option)


def _annotations() -> list[dashboard.AnnotationQuery]:
    firing = 'max by (alertname, severity) (ALERTS{alertname=~"Embedding.*",alertstate="firing"})'
    upkeep = "sync_sources|reembed_stale_documents|maintain_index|capacity_forecast"
    runs = f'changes(embedding_run_last_success_timestamp_seconds{{job=~"{upkeep}",collection=~"$collection"}}[2m]) > 0'
    return [
        _annotation("Alerts", firing, "red", enabled=True),
        _annotation("Runs of upkeep", runs, "blue", enabled=False),
        # One replica, replaced and never doubled: a deployment shows as its absence.
        _annotation("Exporter away", "absent(embedding_exporter_database_up)", "purple", enabled=True),
    ]


def _annotation(name: str, expression: str, color: str, *, enabled: bool) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .expr(expression)
        .icon_color(color)
        .enable(enabled)
        .hide(False)
    )


def _links() -> list[dashboard.DashboardLink]:
    others = (
        dashboard.DashboardLink("Embedding Assets")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .as_dropdown(False)
        .keep_time(True)
        .include_vars(True)
    )
    return [others, _link("Dagster", "${dagster}"), _link("Runbook", "${runbook}")]


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .target_blank(True)
        .icon("external link")
    )
