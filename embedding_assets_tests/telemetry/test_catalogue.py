"""The catalogue: names as Prometheus wants them, labels that cannot grow, and buckets that hold the objectives' bounds."""

import re

import pytest

from embedding_assets.telemetry.catalogue import CATALOGUE
from embedding_assets.telemetry.durable import (
    DOCUMENT_DURATION,
    DOCUMENTS_PROCESSED,
    DURABLE,
    ERRORS,
    FRESHNESS_LAG,
)
from embedding_assets.telemetry.gauges import GAUGES
from embedding_assets.telemetry.metric import Kind


def test_every_metric_is_declared_once_under_a_name_of_ours() -> None:
    assert len(CATALOGUE) == len(DURABLE) + len(GAUGES)
    assert all(re.fullmatch(r"embedding_[a-z0-9_]+", name) for name in CATALOGUE)


def test_only_counters_end_in_total_and_what_has_a_base_unit_ends_in_it() -> None:
    for metric in CATALOGUE.values():
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        if metric.unit in {"seconds", "bytes"}:
            assert metric.name.removesuffix("_total").endswith(f"_{metric.unit}"), metric.name


def test_durable_metrics_are_counters_and_histograms_and_the_others_are_not() -> None:
    assert {metric.kind for metric in DURABLE} == {Kind.COUNTER, Kind.HISTOGRAM}
    assert {metric.kind for metric in GAUGES} == {Kind.GAUGE, Kind.GAUGE_HISTOGRAM}


def test_no_label_names_a_document_or_a_run() -> None:
    names = {label.name for metric in CATALOGUE.values() for label in metric.labels}
    assert not names & {"document", "document_key", "key", "run", "run_id", "le"}


def test_the_bounds_of_the_objectives_are_buckets() -> None:
    assert 30.0 in DOCUMENT_DURATION.buckets
    assert 3600.0 in FRESHNESS_LAG.buckets
    assert all(list(metric.buckets) == sorted(set(metric.buckets)) for metric in CATALOGUE.values())


def test_the_legal_label_sets_are_the_product_of_what_is_closed_and_what_is_known() -> None:
    assert len(DOCUMENTS_PROCESSED.label_sets(collection=["docs", "wiki"])) == 8
    assert ("docs", "storage", "worker_lost") in ERRORS.label_sets(collection=["docs"])


@pytest.mark.parametrize("values", [("docs",), ("docs", "perhaps"), ("docs", "success", "more")])
def test_label_values_outside_the_catalogue_are_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="embedding_documents_processed_total"):
        DOCUMENTS_PROCESSED.checked(values)
