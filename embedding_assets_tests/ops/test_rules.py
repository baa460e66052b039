"""Rules are those of the descriptions, read metrics that exist, and every alert is tried, told apart and explained."""

from pathlib import Path

import pytest

from dashboards_source.__main__ import ROOT, generated
from dashboards_source.alert import Severity
from dashboards_source.durations import rendered, shorter
from dashboards_source.rules import ALERTS, Rule, rule_files
from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.slo import OBJECTIVES
from embedding_assets_tests.ops.rule_cases import CASES
from embedding_assets_tests.support.promql import metric_of, mistakes, selected

_RULES: list[Rule] = [rule for groups in rule_files().values() for group in groups for rule in group["rules"]]  # type: ignore[attr-defined]
_RECORDED = {str(rule["record"]) for rule in _RULES if "record" in rule}
_NAMES = {alert.name for alert in ALERTS}


@pytest.mark.parametrize("path", generated())
def test_generated_files_are_committed_as_they_are_generated(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generated()[path], "make dashboards"


def test_every_rule_reads_metrics_of_the_catalogue_by_labels_and_values_that_they_have() -> None:
    wrong = {str(rule["expr"]): mistakes(str(rule["expr"]), recorded=_RECORDED) for rule in _RULES}
    assert {expression: found for expression, found in wrong.items() if found} == {}


def test_a_wrong_metric_label_value_or_bucket_would_be_found() -> None:
    assert mistakes("sum(embedding_queue_document)") == ["no metric is called embedding_queue_document"]
    assert mistakes('embedding_queue_documents{queue="a"}') == ["embedding_queue_documents has no label queue"]
    assert mistakes('embedding_queue_documents{lane=~"live|urgent"}') == [
        "embedding_queue_documents: lane is never urgent"
    ]
    assert mistakes('embedding_queue_wait_seconds_bucket{le="31.0"}') == [
        "embedding_queue_wait_seconds_bucket has no bucket 31.0"
    ]
    assert mistakes("sum by (model) (embedding_queue_documents)") == ["nothing in it has the label model"]
    assert mistakes("embedding_queue_wait_seconds") == ["no metric is called embedding_queue_wait_seconds"]
    assert metric_of("embedding_failed_document_age_seconds_count") is None


def test_every_alert_has_a_history_it_fires_on_and_one_it_does_not() -> None:
    fired = {name.partition(" ")[0] for case in CASES for name in case.fires}
    spared = {case.about for case in CASES if case.about not in {name.partition(" ")[0] for name in case.fires}}
    assert fired == spared == _NAMES


def test_every_burn_policy_of_every_severity_fires_in_some_history() -> None:
    names = {name for case in CASES for name in case.fires if " " in name}
    assert {name.partition(" ")[2] for name in names} == {"page 1h", "page 6h", "ticket 1d", "ticket 3d"}
    assert len({name.partition(" ")[0] for name in names}) == len(OBJECTIVES)


def test_an_alert_hides_only_what_exists_and_no_ticket_hides_a_page() -> None:
    for alert in ALERTS:
        assert set(alert.hides) <= _NAMES - {alert.name}, alert.name
        pages = {one.name for one in ALERTS if one.severity is Severity.PAGE}
        assert alert.severity is Severity.PAGE or not pages & set(alert.hides), alert.name


def test_no_two_alerts_hide_each_other() -> None:
    pairs = {(alert.name, hidden) for alert in ALERTS for hidden in alert.hides}
    assert {pair for pair in pairs if pair[::-1] in pairs} == set()


def test_every_rule_says_who_is_called_why_at_that_threshold_and_what_to_do() -> None:
    for alert in ALERTS:
        assert len(alert.threshold.split()) >= 8, alert.name
        assert alert.runbook_url == f"docs/runbook.md#{alert.name.lower()}"


def test_reasons_of_circuits_in_rules_are_error_types() -> None:
    known = {error.value for error in ErrorType}
    matchers = [m for rule in _RULES for one in selected(str(rule["expr"])) for m in one.matchers if m[0] == "reason"]
    assert matchers
    assert {part for _, _, value in matchers for part in value.split("|")} <= known


def test_a_faster_clock_shortens_ranges_and_compared_seconds_and_no_name() -> None:
    expression = "rate(a[10m]) > 0.5 and slo:sli_error:ratio_rate5m > 2 and b offset 1h > <15m>"
    assert rendered(expression).endswith("b offset 1h > 900")
    faster = "rate(a[10000ms]) > 0.5 and slo:sli_error:ratio_rate5m > 2 and b offset 60000ms > 15"
    assert rendered(expression, 60) == faster
    assert (shorter("1m", 1), shorter("1m", 60)) == ("1m", "1000ms")


def test_rules_are_where_a_deployment_looks_for_them() -> None:
    assert {path.name for path in Path(ROOT / "dashboards" / "rules").iterdir()} == {"failures.yaml", "objectives.yaml"}
