"""When a collection's source is polled by itself: at its own interval, and all of it once a night."""

from pathlib import Path

import dagster as dg
import pytest

from embedding_assets.collections_file import CollectionsFileError, parse_collections
from embedding_assets.defs.ticks import Tick, reconcile_tick, source_tick
from embedding_assets_tests.support.code_location import CodeLocation

_FILE = """
[collections.docs]
{entry}
source = {{ type = "directory", path = "docs" }}
model = {{ name = "local/wordllama-256", dimensions = 256 }}
"""


def _reason(tick: Tick) -> str:
    assert isinstance(tick, dg.SkipReason)
    return tick.skip_message or ""


def _asked_for_changes(location: CodeLocation) -> None:
    location.rows("UPDATE embedding_assets.collections SET source_cursor = 'somewhere', last_poll_at = now()")


def test_a_collections_own_interval_goes_before_the_settings(location: CodeLocation) -> None:
    location.rows("UPDATE embedding_assets.collections SET last_poll_at = now() - interval '100 seconds'")
    assert "of 300 s" in _reason(source_tick(location.instance, location.workbenches, "docs"))
    assert "of 120 s" in _reason(source_tick(location.instance, location.workbenches, "docs", 120))
    assert isinstance(source_tick(location.instance, location.workbenches, "docs", 60), dg.RunRequest)


def test_the_interval_of_the_file_is_the_sensors(location: CodeLocation) -> None:
    assert parse_collections(_FILE.format(entry="poll_interval = 90")).collections["docs"].poll_interval == 90
    assert parse_collections(_FILE.format(entry="")).collections["docs"].poll_interval is None


@pytest.mark.parametrize("value", ["59", "86401", "nan", '"5m"', "true", "-1"])
def test_an_interval_out_of_bounds_is_named_with_what_is_allowed(value: str) -> None:
    with pytest.raises(CollectionsFileError, match=r"collections\.docs\.poll_interval is .*; allowed: "):
        parse_collections(_FILE.format(entry=f"poll_interval = {value}"))


def test_a_source_that_is_listed_at_each_poll_needs_no_reconcile(location: CodeLocation) -> None:
    assert _reason(reconcile_tick(location.instance, location.workbenches, "docs")).startswith("every poll")


def test_a_source_that_is_asked_for_changes_is_listed_whole_at_night(location: CodeLocation) -> None:
    _asked_for_changes(location)
    tick = reconcile_tick(location.instance, location.workbenches, "docs")
    assert isinstance(tick, dg.RunRequest)
    assert tick.run_config == {"ops": {"docs__poll_source": {"config": {"whole": True}}}}
    done = location.run_job("docs__sync_sources", run_config=tick.run_config)
    assert done.success
    [(listed_just_now,)] = location.rows(
        "SELECT last_listed_at > now() - interval '1 minute' FROM embedding_assets.collections"
    )
    assert listed_just_now


def test_a_reconcile_does_not_double_a_poll_in_progress(location: CodeLocation) -> None:
    _asked_for_changes(location)
    sync = location.defs.resolve_job_def("docs__sync_sources")
    location.instance.create_run_for_job(sync, status=dg.DagsterRunStatus.STARTED)
    assert "polls the source" in _reason(reconcile_tick(location.instance, location.workbenches, "docs"))


def test_dagster_evaluates_the_nightly_schedule_with_our_resource(location: CodeLocation, tmp_path: Path) -> None:
    repository = location.defs.get_repository_def()
    overrides = {"telemetry": {"enabled": False}}
    with (
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as kept,
        dg.build_schedule_context(instance=kept, resources=location.defs.resources) as context,
    ):
        tick = repository.get_schedule_def("docs__nightly_reconcile").evaluate_tick(context)
    assert (tick.skip_message or "").startswith("every poll of this source lists all of it")
