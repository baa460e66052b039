"""What a run leaves in the ledger: each document, chunk, request and promise once, whatever went wrong on the way."""

from pathlib import Path

from embedding_assets.domain.counts import Counts, Series
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reprocessing import requeue_due
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import ledger
from embedding_assets.telemetry.durable import (
    API_REQUEST_DURATION,
    DOCUMENT_DURATION,
    FRESHNESS_LAG,
    QUEUE_WAIT,
    STAGE_DURATION,
)
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, sync_and_run, write_documents

MODEL = "openai/simulated"


async def entered(bench: Workbench) -> Counts:
    """Everything in the ledger, once nothing is held any more."""
    await bench.ledger.end(bench.db)
    assert not bench.ledger.held
    async with bench.db.transaction() as tx:
        return await ledger.read(tx)


def of(counts: Counts, name: str) -> dict[tuple[str, ...], float]:
    """One counter by its labels."""
    return {labels: value for (counter, labels), value in counts.counters.items() if counter == name}


def observed(counts: Counts, series: Series) -> int:
    """How many observations a histogram has."""
    return sum(counts.histograms[series].counts) if series in counts.histograms else 0


def test_a_run_counts_documents_chunks_requests_and_times(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 12)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        counts = await entered(bench)
        assert of(counts, "embedding_documents_processed_total") == {("docs", "success"): 12}
        assert of(counts, "embedding_document_attempts_total") == {("docs", "success"): 12}
        assert of(counts, "embedding_arrivals_total") == {("docs", "backfill"): 12}
        assert of(counts, "embedding_chunks_processed_total") == {("docs",): 36}
        assert of(counts, "embedding_chunks_reused_total") == {}
        sent = provider.counters().requests
        assert of(counts, "embedding_api_requests_total") == {(MODEL, "200"): sent}
        assert of(counts, "embedding_tokens_total")[MODEL,] > 0
        assert of(counts, "embedding_cost_usd_total")[MODEL,] > 0
        assert observed(counts, (API_REQUEST_DURATION.name, (MODEL,))) == sent
        assert observed(counts, (QUEUE_WAIT.name, ("backfill",))) == 12
        for stage in ("fetching", "chunking", "embedding", "storage"):
            assert (stage, observed(counts, (STAGE_DURATION.name, (stage,)))) == (stage, 12)
        for waiting in ("included", "excluded"):
            assert observed(counts, (DOCUMENT_DURATION.name, ("docs", waiting))) == 12
        # Neither a promise nor a change: it is the initial load.
        assert of(counts, "embedding_changes_total") == {}
        assert of(counts, "embedding_freshness_sla_documents_total") == {}
        assert observed(counts, (FRESHNESS_LAG.name, ("docs",))) == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_changes_deletions_and_what_did_not_change_are_told_apart(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-000.md").write_text("It says something else now.", encoding="utf-8")
        (tmp_path / "document-001.md").unlink()
        (tmp_path / "document-002.md").touch()
        await sync_and_run(bench)
        counts = await entered(bench)
        expected = {("docs", "success"): 5, ("docs", "deleted"): 1, ("docs", "unchanged"): 1}
        assert of(counts, "embedding_documents_processed_total") == expected
        assert of(counts, "embedding_changes_total") == {("docs", "success"): 1}
        assert of(counts, "embedding_freshness_sla_documents_total") == {("docs", "met"): 3}
        assert observed(counts, (FRESHNESS_LAG.name, ("docs",))) == 3
        assert counts.latest["embedding_source_last_change_timestamp_seconds", ("docs",)] > 1.7e9

    on_bench(database_url, tmp_path, body)


def test_a_change_that_fails_twice_and_then_passes_is_one_bad_change_and_no_good_one(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        changed = tmp_path / "document-000.md"
        for content in (b"\xff\xfe broken \xff", b"\xff\xfe still broken, and longer \xff"):
            changed.write_bytes(content)
            await sync_and_run(bench)
        changed.write_text("It can be read again, and is longer than ever before.", encoding="utf-8")
        await sync_and_run(bench)
        counts = await entered(bench)
        assert of(counts, "embedding_changes_total") == {("docs", "failure"): 1}
        assert of(counts, "embedding_document_attempts_total") == {("docs", "success"): 4, ("docs", "failure"): 2}
        assert of(counts, "embedding_errors_total") == {("docs", "fetching", "undecodable"): 2}

    on_bench(database_url, tmp_path, body)


def test_a_document_that_goes_through_the_ladder_fails_once_and_escalates_once(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe broken \xff")

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        await _come_due(bench)
        await EmbeddingIngestionPipeline(bench).run()
        counts = await entered(bench)
        assert of(counts, "embedding_documents_processed_total") == {("docs", "failure"): 1}
        assert of(counts, "embedding_document_attempts_total") == {("docs", "failure"): 2}
        assert of(counts, "embedding_documents_escalated_total") == {("docs",): 1}

    on_bench(database_url, tmp_path, body)


async def _come_due(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.failed_documents SET next_retry_at = clock_timestamp()")
    assert await requeue_due(bench) == 1


def test_a_reply_that_is_tried_again_is_an_error_of_nobody_and_every_answer_is_a_request(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=500, times=1)
        await sync_and_run(bench)
        counts = await entered(bench)
        assert of(counts, "embedding_errors_total") == {("docs", "embedding", "provider_unavailable"): 1}
        assert of(counts, "embedding_api_requests_total") == {
            (MODEL, "200"): provider.counters().requests - 1,
            (MODEL, "500"): 1,
        }
        assert of(counts, "embedding_documents_processed_total") == {("docs", "success"): 2}

    on_bench_and_provider(database_url, tmp_path, body)
