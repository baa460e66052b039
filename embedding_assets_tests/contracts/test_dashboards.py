"""Grafana's pages: as generated, whole after Grafana's own schema read them, about metrics that exist, and laid out to be read."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from dashboards_source.rules import ALERTS, rule_files
from embedding_assets_tests.support.promql import mistakes

_SDK = pytest.importorskip("grafana_foundation_sdk", reason="Grafana's SDK needs Python 3.11")

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402 - after the skip
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402

from dashboards_source.grafana.__main__ import ROOT, generated  # noqa: E402
from embedding_assets_tests.support.panels import PAGES, expressions, filled_in, panels, panels_of  # noqa: E402

_RECORDED = {
    str(rule["record"])
    for groups in rule_files().values()
    for group in groups
    for rule in group["rules"]  # type: ignore[attr-defined]
    if "record" in rule
}
_EVERY = [(page, panel["title"]) for page in PAGES for panel in panels(page)]
# What the mission wants to be seen, by words of the titles that show it.
_WANTED = (
    "Throughput against capacity",
    "Queue depth",
    "Stages, p95",
    "Errors by type",
    "Freshness compliance",
    "Ages in the reprocessing queue",
    "Error budget left",
    "Error budget burn",
    "our use against our ceiling",
    "Cost",
    "Tokens",
    "Forecast of arrivals against capacity",
    "Vector indexes",
    "Tables",
    "Failed documents by status and attempt",
    "p95, against 30 s",
)


@pytest.mark.parametrize("path", generated())
def test_a_page_is_committed_as_it_is_generated(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generated()[path], "make dashboards"


@pytest.mark.parametrize("page", PAGES)
def test_grafanas_schema_reads_a_page_and_keeps_every_key_of_it(page: str) -> None:
    text = (ROOT / "dashboards" / f"{page}.json").read_text(encoding="utf-8")
    again = JSONEncoder(sort_keys=True, indent=2).encode(Dashboard.from_json(json.loads(text)))
    assert json.loads(again) == json.loads(text)


@pytest.mark.parametrize("page", PAGES)
def test_queries_read_metrics_of_the_catalogue_by_labels_and_values_that_they_have(page: str) -> None:
    wrong = {text: mistakes(filled_in(text), recorded=_RECORDED) for text in expressions(page)}
    assert {text: found for text, found in wrong.items() if found} == {}


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_set_and_each_is_used_once(page: str) -> None:
    ids = [panel["id"] for panel in panels_of(page)]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("page", PAGES)
def test_panels_lie_beside_and_below_each_other_and_never_on_one_another(page: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels_of(page):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken.get((x, y)))
                taken[x, y] = panel["title"]
    tops = [panel["gridPos"]["y"] for panel in panels_of(page)]
    assert all(above <= below for above, below in pairwise(tops))


@pytest.mark.parametrize(("page", "title"), _EVERY)
def test_a_panel_says_its_unit_and_what_it_means(page: str, title: str) -> None:
    [panel] = [one for one in panels(page) if one["title"] == title]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["calcs"] == ["lastNotNull", "max"]
        assert all(target["legendFormat"] != "__auto" for target in panel["targets"])


@pytest.mark.parametrize("page", PAGES)
def test_every_query_goes_to_the_datasource_that_the_reader_chooses(page: str) -> None:
    sources = {json.dumps(target["datasource"]) for panel in panels(page) for target in panel["targets"]}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    variables = {one["name"]: one["type"] for one in _page(page)["templating"]["list"]}
    assert variables == {"datasource": "datasource", "collection": "query", "dagster": "textbox", "runbook": "textbox"}


@pytest.mark.parametrize("page", PAGES)
def test_links_to_the_runbook_name_alerts_that_there_are(page: str) -> None:
    text = (ROOT / "dashboards" / f"{page}.json").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{runbook\}#(\w+)", text))
    assert named <= {alert.name.lower() for alert in ALERTS}
    assert named


@pytest.mark.parametrize("page", PAGES)
def test_alerts_and_runs_are_marked_on_every_graph(page: str) -> None:
    marked = {one["name"]: one["expr"] for one in _page(page)["annotations"]["list"]}
    assert set(marked) == {"Alerts", "Runs of upkeep", "Exporter away"}
    assert [mistakes(filled_in(text)) for name, text in marked.items() if name != "Alerts"] == [[], []]


@pytest.mark.parametrize("words", _WANTED)
def test_what_an_operator_needs_to_see_has_its_panel(words: str) -> None:
    assert any(words in title for _, title in _EVERY)


def test_the_overview_begins_with_the_objectives() -> None:
    first = [panel["title"] for panel in panels("overview")][:5]
    assert first[:3] == ["Freshness: 99.0% promised", "Success: 99.9% promised", "Latency: 95.0% promised"]
    assert "Error budget" in first[3]
    assert "burn" in first[4]


def _page(page: str) -> dict[str, Any]:
    return json.loads((ROOT / "dashboards" / f"{page}.json").read_text(encoding="utf-8"))
