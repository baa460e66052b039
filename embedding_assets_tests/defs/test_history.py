"""The nightly purge of Dagster's memory: what is old goes, what shows the newest state stays, what is not ours is not touched."""

from datetime import datetime, timedelta, timezone

import dagster as dg

from embedding_assets.defs.checks import refusal_check_key
from embedding_assets.defs.history import JOB, purge_runs
from embedding_assets_tests.support.code_location import ALL, CodeLocation

_LATER = datetime.now(timezone.utc) + timedelta(days=1)


@dg.op
def somebody_elses() -> None: ...


@dg.job
def theirs() -> None:
    somebody_elses()


def _runs(location: CodeLocation) -> set[str]:
    return {record.dagster_run.run_id for record in location.instance.get_run_records()}


def test_old_runs_go_but_for_the_newest_of_each_job_partition_and_check(published: CodeLocation) -> None:
    first = {record.dagster_run.run_id for record in published.instance.get_run_records()}
    # Of the partitions only 00 and 01 are recorded anew; the others' newest state is in the first run.
    again = published.embed(
        *ALL, tags={"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "01"}
    )
    polls = [published.sync().run_id for _ in range(3)]
    theirs.execute_in_process(instance=published.instance)
    before = _runs(published)
    deleted = purge_runs(published.instance, ["docs"], _LATER)
    assert deleted == len(before) - len(_runs(published)) > 0
    left = _runs(published)
    assert {again.run_id, polls[-1]} <= left
    assert not left & set(polls[:-1])
    assert "theirs" in {run.job_name for run in published.instance.get_runs()}
    for key in ALL:
        states = published.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        assert len(states) > 2
    assert published.instance.get_latest_asset_check_evaluation_record(refusal_check_key("docs"))
    assert first & left
    assert purge_runs(published.instance, ["docs"], _LATER) == 0


def test_what_is_young_or_in_progress_stays(published: CodeLocation) -> None:
    for _ in range(3):
        published.sync()
    waiting = dg.DagsterInstance.create_run_for_job(
        published.instance, published.defs.resolve_job_def("docs__sync_sources"), status=dg.DagsterRunStatus.STARTED
    )
    before = _runs(published)
    assert purge_runs(published.instance, ["docs"], datetime.now(timezone.utc) - timedelta(days=7)) == 0
    assert _runs(published) == before
    purge_runs(published.instance, ["docs"], _LATER)
    assert waiting.run_id in _runs(published)


def test_the_job_takes_its_age_from_the_settings(published: CodeLocation) -> None:
    for _ in range(2):
        published.sync()
    before = len(_runs(published))
    assert published.run_job(JOB).success
    assert len(_runs(published)) == before + 1
