"""The daily forecast in Dagster: real Dagster, real tables, a picture."""

import base64
from dataclasses import replace
from typing import Any

import dagster as dg

from embedding_assets.definitions import build_defs
from embedding_assets_tests.support.code_location import CodeLocation
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.history import write_history

KEY = dg.AssetKey(["docs", "capacity_forecast"])


def forecast(location: CodeLocation) -> dict[str, Any]:
    """The metadata of one run."""
    assert location.run_job("docs__capacity_forecast").success
    event = location.instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_the_first_forecast_says_that_history_is_missing_and_draws_what_is_known(published: CodeLocation) -> None:
    told = forecast(published)
    assert told["history_days"] == 0
    assert "no forecast: 0 days of history are known" in told["arrivals"]
    assert "| workers |" in told["outlook"]
    picture = base64.b64decode(told["forecast"].partition("base64,")[2].rstrip(")"))
    assert picture.startswith(b"\x89PNG")


def test_after_weeks_it_records_numbers_that_dagster_plots_over_time(published: CodeLocation) -> None:
    url = published.settings.database_url.get_secret_value()
    run(url, lambda db: write_history(db, "docs", days=56, documents_a_day=900))
    settings = published.settings.model_copy(update={"database_disk_gigabytes": 4.5})
    told = forecast(replace(published, settings=settings, defs=build_defs(settings=settings)))
    assert told["history_days"] >= 55
    assert told["arrivals_per_day_in_30_days"] > 0
    assert told["backtest_error_percent"] < 30
    assert told["connections_used_percent"] > 0
    assert 0 < told["disk_days_left"] <= 90
    # A row of the event log, every day.
    assert len(told["forecast"]) < 150_000


def test_it_runs_at_the_end_of_each_day_of_utc_unless_somebody_stops_it(published: CodeLocation) -> None:
    schedule = published.defs.get_repository_def().get_schedule_def("docs__daily_forecast")
    assert (schedule.job_name, schedule.cron_schedule) == ("docs__capacity_forecast", "55 23 * * *")
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status.value == "RUNNING"
