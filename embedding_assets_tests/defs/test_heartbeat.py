"""An idle collection is recorded as fresh only when everything known is published and the source was looked at."""

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from embedding_assets.defs.heartbeat import heartbeat_every, record_heartbeat
from embedding_assets.pipeline.collection_state import Readiness
from embedding_assets_tests.support.code_location import ALL

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HOUR = 3600.0


def test_an_idle_collection_gets_one_for_each_asset(instance: dg.DagsterInstance) -> None:
    assert record_heartbeat(instance, "docs", idle(), HOUR)
    assert all(heartbeat_of(instance, key) for key in ALL)


def test_it_comes_once_in_fifteen_minutes(instance: dg.DagsterInstance) -> None:
    assert record_heartbeat(instance, "docs", idle(), HOUR)
    assert not record_heartbeat(instance, "docs", idle(), HOUR)


@pytest.mark.parametrize(("promise", "minutes"), [(3600, 15), (7200, 15), (600, 2.5), (80, 1 / 3)])
def test_a_promise_shorter_than_an_hour_has_its_heartbeats_oftener(promise: float, minutes: float) -> None:
    assert heartbeat_every(promise) == timedelta(minutes=minutes)


def test_a_run_that_recorded_something_just_now_makes_it_needless(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(ALL[2], partition="03"))
    assert not record_heartbeat(instance, "docs", idle(), HOUR)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"ready": True}, id="work waits"),
        pytest.param({"overdue": 1}, id="a change is overdue"),
        pytest.param({"last_poll_at": None}, id="never polled"),
        pytest.param({"last_poll_at": NOW - timedelta(hours=1)}, id="polled longer ago than the promise"),
    ],
)
def test_there_is_none_while_it_would_not_be_true(instance: dg.DagsterInstance, state: dict[str, object]) -> None:
    assert not record_heartbeat(instance, "docs", idle(**state), HOUR)
    assert not any(heartbeat_of(instance, key) for key in ALL)


def idle(**but: object) -> Readiness:
    facts: dict[str, object] = {
        "now": NOW,
        "paused": False,
        "ready": False,
        "due_retries": 0,
        "overdue": 0,
        "last_poll_at": NOW - timedelta(minutes=5),
    }
    return Readiness(**{**facts, **but})  # pyright: ignore[reportArgumentType]


def heartbeat_of(instance: dg.DagsterInstance, key: dg.AssetKey) -> bool:
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return False
    return event.asset_materialization.metadata["heartbeat"].value is True
