"""capacity, called as a person would."""

import pytest

from embedding_assets_tests.cli.conftest import Project
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.history import write_history


def test_on_the_first_day_it_says_what_is_missing(applied: Project) -> None:
    told = applied.call("capacity")
    assert told.code == 0
    assert "no forecast: 0 days of history are known, and 14 are needed" in told.out
    assert "no collection has a limit" in told.out
    assert "database_disk_gigabytes" in told.out


def test_after_weeks_it_says_when_the_disk_is_full(
    applied: Project, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database_url,
        lambda db: write_history(db, "handbook", days=60, documents_a_day=500, model="local/wordllama-256"),
    )
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_DISK_GIGABYTES", "4.2")
    told = applied.call("capacity", "--json").json()
    assert told["history_days"] == 60
    assert told["arrivals_per_day"]["backtest"]["forecasts"] > 0
    arrivals = told["arrivals_per_day"]["30d"]
    assert arrivals["low"] < arrivals["estimate"] < arrivals["high"]
    resources = {one["resource"]: one for one in told["resources"]}
    assert resources["disk"]["capacity"] == 4.2e9
    assert resources["disk"]["earliest"] <= resources["disk"]["runs_out"]
    assert resources["connections"]["runs_out"] is None


@pytest.mark.parametrize("value", ["0", "-3", "much", "inf"])
def test_a_disk_of_no_size_is_refused_by_name(applied: Project, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_DISK_GIGABYTES", value)
    told = applied.call("capacity")
    assert told.code == 1
    assert f"EMBEDDING_ASSETS_DATABASE_DISK_GIGABYTES is '{value}'; allowed: gigabytes above 0" in told.err
