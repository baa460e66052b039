"""The hourly report in Dagster: real Dagster, real counts, a picture."""

import base64
from typing import Any

import dagster as dg

from embedding_assets_tests.support.code_location import CodeLocation

_KEY = dg.AssetKey(["docs", "slo_report"])


def _report(location: CodeLocation) -> dict[str, Any]:
    assert location.run_job("docs__slo_report").success
    event = location.instance.get_latest_materialization_event(_KEY)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_a_report_has_the_numbers_of_every_objective_and_draws_the_budgets(published: CodeLocation) -> None:
    told = _report(published)
    documents = len(list(published.corpus.iterdir()))
    assert (told["latency_events"], told["latency_bad"], told["latency_budget_left_percent"]) == (documents, 0, 100)
    # An initial load promises nothing.
    assert (told["freshness_events"], told["success_events"]) == (0, 0)
    assert "| latency | 95.0% |" in told["objectives"]
    picture = base64.b64decode(told["error_budgets"].partition("base64,")[2].rstrip(")"))
    assert picture.startswith(b"\x89PNG")
    # A row of the event log, every hour.
    assert len(told["error_budgets"]) < 100_000


def test_it_runs_every_hour_unless_somebody_stops_it(published: CodeLocation) -> None:
    schedule = published.defs.get_repository_def().get_schedule_def("docs__hourly_objectives")
    assert (schedule.job_name, schedule.cron_schedule) == ("docs__slo_report", "7 * * * *")
    assert schedule.default_status.value == "RUNNING"
