"""The job that brings up to date what is stale, and when its schedule starts it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from embedding_assets import runtime
from embedding_assets.defs.reembedding import LONGEST_RUN
from embedding_assets.defs.ticks import Tick, reembed_tick
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.code_location import EMBEDDINGS, CodeLocation, build_location

JOB = "docs__reembed_stale_documents"
ACTIVE = "SELECT active_model_id, building_model_id FROM embedding_assets.collections"
QUEUED = "SELECT count(DISTINCT document_key), min(lane::text) FROM embedding_assets.work_arrivals"
PRICED = ", usd_per_million_tokens = 4.0"


def edit(location: CodeLocation, right: str, wrong: str) -> None:
    """Replace a piece of the collections file and apply it."""
    file = location.settings.collections_file
    before = file.read_text(encoding="utf-8")
    assert right in before
    file.write_text(before.replace(right, wrong), encoding="utf-8")
    asyncio.run(runtime.apply_collections(location.settings, runtime.collections_file(location.settings)))


def change_chunking(location: CodeLocation) -> None:
    edit(location, "size = 120", "size = 60")


def change_model(location: CodeLocation, price: str = PRICED) -> None:
    edit(location, "normalized = true", f'normalized = true, input_template = "{{title}}: {{content}}"{price}')


def reembed(location: CodeLocation, **config: object) -> dict[str, object]:
    """Run the job; the numbers it recorded."""
    run_config = {"ops": {"docs__reembed": {"config": config}}}
    result = location.run_job(JOB, run_config=run_config, raise_on_error=False)
    assert result.success == (not result.get_failed_step_keys())
    events = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_OUTPUT]
    [event] = events
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def tick(location: CodeLocation) -> Tick:
    return reembed_tick(location.instance, location.workbenches, "docs", LONGEST_RUN)


def reason(tick: Tick) -> str:
    assert isinstance(tick, dg.SkipReason)
    assert tick.skip_message
    return tick.skip_message


def test_without_approval_what_costs_money_is_counted_and_not_sent(published: CodeLocation) -> None:
    change_model(published)
    found = reembed(published)
    assert (found["decision"], found["documents_not_built"], found["inputs_to_send"]) == ("needs_approval", 12, 36)
    assert published.rows(ACTIVE) == [(1, 2)]


def test_with_approval_the_model_is_built_and_search_goes_over(published: CodeLocation) -> None:
    change_model(published)
    assert reembed(published, approve=True, max_usd=0.0000001)["decision"] == "too_dear"
    done = reembed(published, approve=True)
    assert (done["built"], done["cut_over"], done["tokens_sent"] == 0) == (12, 1, False)
    assert published.rows(ACTIVE) == [(2, None)]


def test_what_another_chunker_cut_is_queued_and_the_queues_schedule_takes_it(published: CodeLocation) -> None:
    change_chunking(published)
    assert reembed(published)["queued"] == 12
    assert published.rows(QUEUED) == [(12, "backfill")]
    published.embed(retrack=False)
    assert published.rows("SELECT count(DISTINCT chunker_fingerprint) FROM embedding_assets.publications") == [(1,)]


def test_embeddings_alone_build_the_model_that_is_to_be_built(published: CodeLocation) -> None:
    change_model(published)
    published.embed(EMBEDDINGS)
    assert published.rows(ACTIVE) == [(2, None)]


def test_the_schedule_starts_nothing_while_nothing_is_stale(published: CodeLocation) -> None:
    assert reason(tick(published)) == "nothing is stale"


@pytest.mark.parametrize("change", [change_chunking, change_model])
def test_the_schedule_looks_into_what_is_stale_and_counts_no_further_than_it_may_spend(
    published: CodeLocation, change: Callable[[CodeLocation], None]
) -> None:
    change(published)
    request = tick(published)
    assert isinstance(request, dg.RunRequest)
    assert request.run_config == {"ops": {"docs__reembed": {"config": {"in_full": False}}}}


def test_the_schedule_goes_on_as_soon_as_a_check_found_bad_vectors_and_stops_when_it_finds_none(
    published: CodeLocation,
) -> None:
    published.rows("DELETE FROM embedding_assets.embeddings_1_1 WHERE get_byte(input_hash, 0) < 128")
    assert reason(tick(published)) == "nothing is stale"
    published.run_job("docs__check_stored_data", raise_on_error=False)
    request = tick(published)
    assert isinstance(request, dg.RunRequest)
    assert reembed(published, in_full=False)["repaired"] > 0  # pyright: ignore[reportOperatorIssue]
    published.run_job("docs__check_stored_data", raise_on_error=False)
    assert reason(tick(published)) == "nothing is stale"


def test_the_schedule_waits_for_a_run_that_is_at_it_and_for_a_paused_collection(published: CodeLocation) -> None:
    change_chunking(published)
    job = published.defs.resolve_job_def(JOB)
    run = published.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert reason(tick(published)) == f"run {run.run_id[:8]} is at it"
    published.age_run(run.run_id, hours=LONGEST_RUN / timedelta(hours=1) + 1)
    assert isinstance(tick(published), dg.RunRequest)
    edit(published, 'owner = "team:search"', 'owner = "team:search"\npaused = true')
    assert "is paused" in reason(tick(published))


def test_a_build_may_take_a_day(published: CodeLocation) -> None:
    repository = published.defs.get_repository_def()
    schedule = repository.get_schedule_def("docs__hourly_reembedding")
    assert (schedule.job_name, schedule.cron_schedule) == (JOB, "47 * * * *")
    assert published.defs.resolve_job_def(JOB).tags["dagster/max_runtime"] == "86400"


def test_a_build_whose_model_refuses_a_document_fails_its_run_and_says_why(
    published: CodeLocation, instance: dg.DagsterInstance
) -> None:
    with Simulator() as provider:
        provider.fault(FaultKind.NAN, marker=paragraph(7, 1)[:40])
        url, key = published.settings.database_url.get_secret_value(), SecretStr("a-key")
        location = build_location(url, published.corpus, instance, api_base=provider.api_base, api_key=key)
        edit(location, '"local/wordllama-256", dimensions = 256', '"openai/new", dimensions = 8')
        run_config = {"ops": {"docs__reembed": {"config": {"approve": True}}}}
        result = location.run_job(JOB, run_config=run_config, raise_on_error=False)
    failed = result.failure_data_for_node("docs__reembed")
    assert failed is not None
    assert failed.error is not None
    assert "1 documents not built (the new model refused inputs: 1 non_finite)" in failed.error.message
    [(active, building)] = location.rows(ACTIVE)
    assert (active, building is None) == (1, False)
