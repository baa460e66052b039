"""Every run of ours is in the metrics, well ended or not, and a metric that cannot be written fails no run."""

import pytest
from pydantic import SecretStr

from embedding_assets.defs.resources import METRICS_KEY, PrometheusMetrics
from embedding_assets.defs.ticks import retry_tick
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.health import Finding
from embedding_assets.telemetry.durable import RUN_DURATION
from embedding_assets.telemetry.gauges import RUN_LAST_SUCCESS, SCHEDULER_LAST_TICK, STORED_CHECK_BAD_ROWS
from embedding_assets_tests.support.code_location import CodeLocation

_RUNS = """
    SELECT labels[1], sum(c.n)::int FROM embedding_assets.metric_histograms, unnest(counts) AS c (n)
    WHERE name = %s GROUP BY 1
"""
_GAUGES = "SELECT labels, value FROM embedding_assets.metric_gauges WHERE name = %s ORDER BY 1"


def metrics_of(location: CodeLocation) -> PrometheusMetrics:
    resource = (location.defs.resources or {})[METRICS_KEY]
    assert isinstance(resource, PrometheusMetrics)
    return resource


def test_every_kind_of_run_leaves_its_time_and_when_it_last_succeeded(published: CodeLocation) -> None:
    for job in ("reprocess_failed_documents", "maintain_index", "check_stored_data", "reembed_stale_documents"):
        assert published.run_job(f"docs__{job}").success
    kinds = {
        "check_stored_data",
        "embed_documents",
        "maintain_index",
        "reembed_stale_documents",
        "reprocess_failed_documents",
        "sync_sources",
    }
    runs = dict(published.rows(_RUNS, RUN_DURATION.name))
    assert (set(runs), set(runs.values())) == (kinds, {1})
    succeeded = published.rows(_GAUGES, RUN_LAST_SUCCESS.name)
    assert {tuple(labels) for labels, _ in succeeded} == {(kind, "docs") for kind in kinds}


def test_the_checks_say_how_many_rows_are_bad(published: CodeLocation) -> None:
    published.rows(
        "DELETE FROM embedding_assets.embeddings_1_1 WHERE input_hash IN "
        "(SELECT input_hash FROM embedding_assets.embeddings_1_1 LIMIT 2) RETURNING 1"
    )
    assert published.run_job("docs__check_stored_data").success
    bad = {labels[1]: value for labels, value in published.rows(_GAUGES, STORED_CHECK_BAD_ROWS.name)}
    assert bad.pop("every_input_has_its_vector") == 2
    assert (len(bad), set(bad.values())) == (8, {0.0})


def test_a_run_that_fails_is_counted_by_what_ended_it_and_is_no_success(location: CodeLocation) -> None:
    metrics = metrics_of(location)
    with pytest.raises(SourceError), metrics.recorded("sync_sources", "docs"):
        raise SourceError(ErrorType.ROOT_UNAVAILABLE, "not mounted")
    assert dict(location.rows(_RUNS, RUN_DURATION.name)) == {"sync_sources": 1}
    errors = location.rows(
        "SELECT labels, value FROM embedding_assets.metric_counters WHERE name = 'embedding_errors_total'"
    )
    assert errors == [(["docs", "fetching", "root_unavailable"], 1.0)]
    assert location.rows(_GAUGES, RUN_LAST_SUCCESS.name) == []


def test_a_tick_says_that_schedules_are_looked_at(location: CodeLocation) -> None:
    retry_tick(location.instance, location.workbenches, "docs")
    [(labels, value)] = location.rows(_GAUGES, SCHEDULER_LAST_TICK.name)
    assert (labels, value > 1.7e9) == ([], True)


def test_a_run_whose_metrics_cannot_be_written_ends_as_it_would(
    location: CodeLocation, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1")
    metrics = PrometheusMetrics(location.settings.model_copy(update={"database_url": nowhere}))
    with metrics.recorded("sync_sources", "docs"):
        pass
    metrics.found("docs", {"nothing_is_overdue": Finding(True)})
    assert caplog.text.count("do not know of this run") == 2
