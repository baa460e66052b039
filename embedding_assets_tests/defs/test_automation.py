"""What ticks of schedules and sensors start, and the reasons they give for starting nothing."""

from pathlib import Path

import dagster as dg
import pytest

from embedding_assets.defs.ticks import EmbedTick, Tick, embed_tick, retry_tick, source_tick
from embedding_assets_tests.support.code_location import CodeLocation, build_location

GROUP = {"embedding_assets/run_group": "docs"}
ALL_PARTITIONS = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "15"}


def test_ready_work_starts_a_scheduled_run_over_all_partitions(location: CodeLocation) -> None:
    location.sync()
    request = only(every_minute(location))
    assert request.tags.items() >= ALL_PARTITIONS.items()
    assert request.run_config == {"ops": {"docs__documents": {"config": {"retrack": False}}}}
    assert request.run_key is None


def test_the_requested_run_publishes(location: CodeLocation) -> None:
    location.sync()
    request = only(every_minute(location))
    location.run_job("docs__embed_documents", run_config=request.run_config, tags=request.tags)
    assert location.rows("SELECT count(*) FROM embedding_assets.publications") == [(12,)]


def test_dagster_evaluates_the_schedule_and_the_sensors_with_our_resource(
    location: CodeLocation, tmp_path: Path
) -> None:
    repository = location.defs.get_repository_def()
    location.sync()
    overrides = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as kept:
        with dg.build_schedule_context(instance=kept, resources=location.defs.resources) as context:
            tick = repository.get_schedule_def("docs__every_minute").evaluate_tick(context)
        assert [request.tags.items() >= ALL_PARTITIONS.items() for request in tick.run_requests or []] == [True]
        with dg.build_sensor_context(instance=kept, resources=location.defs.resources) as context:
            tick = repository.get_sensor_def("docs__due_retries").evaluate_tick(context)
        assert tick.skip_message == "no failed document is due"


def test_nothing_ready_starts_nothing(published: CodeLocation) -> None:
    assert reason(every_minute(published)).startswith("nothing is ready")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_run_in_progress_of_the_collection_is_not_doubled(
    location: CodeLocation, status: dg.DagsterRunStatus
) -> None:
    location.sync()
    location.instance.create_run_for_job(job(location, "docs__embed_documents"), tags=GROUP, status=status)
    assert reason(every_minute(location)).endswith("is in progress")


def test_a_finished_run_and_another_collections_run_hold_nothing_up(location: CodeLocation) -> None:
    location.sync()
    embed = job(location, "docs__embed_documents")
    location.instance.create_run_for_job(embed, tags=GROUP, status=dg.DagsterRunStatus.FAILURE)
    other = {"embedding_assets/run_group": "tickets"}
    location.instance.create_run_for_job(embed, tags=other, status=dg.DagsterRunStatus.STARTED)
    assert only(every_minute(location))


def test_a_run_in_progress_past_its_time_limit_is_stuck_and_holds_nothing_up(location: CodeLocation) -> None:
    location.sync()
    embed = job(location, "docs__embed_documents")
    stuck = location.instance.create_run_for_job(embed, tags=GROUP, status=dg.DagsterRunStatus.STARTED)
    location.age_run(stuck.run_id, hours=1)
    assert only(every_minute(location))


def test_each_range_of_shards_with_work_gets_a_run_of_its_own(location: CodeLocation) -> None:
    location.sync()
    tick = every_minute(location, run_groups=4)
    assert isinstance(tick, list)
    ranges = [
        (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"]) for run in tick
    ]
    assert ranges == [("00", "03"), ("04", "07"), ("08", "11"), ("12", "15")]
    assert [run.tags["embedding_assets/run_group"] for run in tick] == [
        f"docs/{first}-{last}" for first, last in ranges
    ]


def test_a_range_whose_run_is_in_progress_is_left_out_and_the_others_start(location: CodeLocation) -> None:
    location.sync()
    busy = {"embedding_assets/run_group": "docs/00-07"}
    embed = job(location, "docs__embed_documents")
    location.instance.create_run_for_job(embed, tags=busy, status=dg.DagsterRunStatus.STARTED)
    request = only(every_minute(location, run_groups=2))
    assert request.tags["embedding_assets/run_group"] == "docs/08-15"


def test_runs_over_ranges_side_by_side_publish_everything_once(location: CodeLocation) -> None:
    location.sync()
    tick = every_minute(location, run_groups=3)
    assert isinstance(tick, list)
    for request in tick:
        location.run_job("docs__embed_documents", run_config=request.run_config, tags=request.tags)
    assert location.rows("SELECT count(*) FROM embedding_assets.publications") == [(12,)]


def test_a_run_that_holds_no_shard_any_more_is_hung_and_holds_nothing_up(location: CodeLocation) -> None:
    location.sync()
    embed = job(location, "docs__embed_documents")
    hung = location.instance.create_run_for_job(embed, tags=GROUP, status=dg.DagsterRunStatus.STARTED)
    location.start_run_ago(hung.run_id, minutes=10)
    assert only(every_minute(location))
    location.rows(
        "INSERT INTO embedding_assets.shard_leases (collection_id, shard, owner, expires_at) "
        "SELECT id, 3, %s, now() + interval '1 minute' FROM embedding_assets.collections",
        hung.run_id,
    )
    assert reason(every_minute(location)).endswith("is in progress")


def test_a_budget_that_is_used_up_starts_nothing_and_says_until_when(location: CodeLocation) -> None:
    location.sync()
    location.rows("UPDATE embedding_assets.collections SET budgets = '{\"max_tokens_per_day\": 0.5}'")
    told = reason(every_minute(location))
    assert told.startswith("documents wait, but budget max_tokens_per_day of collection docs is used up, for ")


def test_a_provider_that_asked_to_be_left_alone_is_not_asked_by_a_new_run(location: CodeLocation) -> None:
    location.sync()
    location.rows(
        "INSERT INTO embedding_assets.rate_limits (name, requests_per_minute, blocked_until) "
        "VALUES ('key', 10, now() + interval '9 minutes')"
    )
    location.rows("UPDATE embedding_assets.collections SET limit_name = 'key'")
    assert "the provider asked to be left alone" in reason(every_minute(location))
    location.rows("UPDATE embedding_assets.rate_limits SET blocked_until = now() + interval '20 seconds'")
    assert only(every_minute(location))


def test_a_paused_collection_starts_nothing(database_url: str, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    paused = build_location(database_url, tmp_path, instance, more="paused = true")
    assert "is paused" in reason(every_minute(paused))
    assert "is paused" in reason(source_changes(paused))
    assert "is paused" in reason(due_retries(paused))
    paused.rows("UPDATE embedding_assets.collections SET paused = false, paused_since = now()")
    for tick in (every_minute, source_changes, due_retries):
        assert "is paused by hand: embedding-assets collections resume docs" in reason(tick(paused))


def test_a_collection_that_is_not_applied_starts_nothing_and_says_what_to_run(location: CodeLocation) -> None:
    location.rows("DELETE FROM embedding_assets.collections")
    assert "run `embedding-assets collections apply`" in reason(every_minute(location))


def test_a_database_that_is_away_fails_the_tick_with_one_sentence(location: CodeLocation) -> None:
    away = location.without_database()
    with pytest.raises(dg.Failure, match="cannot reach the database") as caught:
        every_minute(away)
    assert caught.value.description is not None
    assert "\n" not in caught.value.description


def test_a_source_never_polled_is_polled(location: CodeLocation) -> None:
    assert isinstance(source_changes(location), dg.RunRequest)


def test_a_source_polled_within_the_interval_by_whomever_is_left_alone(location: CodeLocation) -> None:
    location.rows("UPDATE embedding_assets.collections SET last_poll_at = now()")
    assert "of 300 s" in reason(source_changes(location))


def test_a_source_polled_longer_ago_is_polled_again(published: CodeLocation) -> None:
    published.rows("UPDATE embedding_assets.collections SET last_poll_at = now() - interval '301 seconds'")
    for run in published.instance.get_runs():
        published.age_run(run.run_id, hours=1)
    assert isinstance(source_changes(published), dg.RunRequest)


def test_a_failed_poll_is_not_repeated_before_the_interval(location: CodeLocation) -> None:
    sync = job(location, "docs__sync_sources")
    location.instance.create_run_for_job(sync, status=dg.DagsterRunStatus.FAILURE)
    assert "of 300 s" in reason(source_changes(location))


def test_a_poll_in_progress_is_not_doubled(location: CodeLocation) -> None:
    sync = job(location, "docs__sync_sources")
    location.instance.create_run_for_job(sync, status=dg.DagsterRunStatus.STARTED)
    assert reason(source_changes(location)).endswith("polls the source")


def test_a_retry_that_is_due_is_requeued_by_the_requested_run(published: CodeLocation) -> None:
    (published.corpus / "document-003.md").write_bytes(b"\xff\xfe\xff not text")
    published.sync()
    published.embed(retrack=False)
    assert reason(due_retries(published)) == "no failed document is due"
    published.rows("UPDATE embedding_assets.failed_documents SET next_retry_at = now()")
    assert isinstance(due_retries(published), dg.RunRequest)
    published.run_job("docs__reprocess_failed_documents")
    assert published.rows("SELECT document_key FROM embedding_assets.work_arrivals") == [("document-003.md",)]
    assert reason(due_retries(published)) == "no failed document is due"


def every_minute(location: CodeLocation, *, run_groups: int = 1) -> EmbedTick:
    return embed_tick(location.instance, location.workbenches, "docs", run_groups)


def only(tick: EmbedTick) -> dg.RunRequest:
    """The one run that was asked for."""
    assert isinstance(tick, list)
    [request] = tick
    return request


def source_changes(location: CodeLocation) -> Tick:
    return source_tick(location.instance, location.workbenches, "docs")


def due_retries(location: CodeLocation) -> Tick:
    return retry_tick(location.instance, location.workbenches, "docs")


def reason(tick: "Tick | EmbedTick") -> str:
    assert isinstance(tick, dg.SkipReason)
    return tick.skip_message or ""


def job(location: CodeLocation, name: str) -> dg.JobDefinition:
    return location.defs.resolve_job_def(name)
