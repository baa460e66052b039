"""A document's way through the real pipeline, from its first failure to its end; days are passed by moving rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_assets.domain.backoff import JITTER, LADDER_SECONDS
from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.promises import count_missed
from embedding_assets.pipeline.reprocessing import dismiss, requeue_due, retry
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import inspection, ledger, triage
from embedding_assets.store.triage import FailureFilter
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.failed import FailedRow, claim_all, failed_rows, failure, history, make_due

_MARK = "document 1 says"
MET, MISSED = ("docs", "met"), ("docs", "missed")


async def _run(bench: Workbench) -> FailedRow:
    """A run of one try a request; the one failed document afterwards."""
    hurried = replace(bench, pace=replace(bench.pace, request_tries=1))
    await EmbeddingIngestionPipeline(hurried).run()
    [row] = await failed_rows(bench)
    return row


async def _let_its_time_come(bench: Workbench) -> None:
    await make_due(bench)
    assert await requeue_due(bench) == 1


async def _promises(bench: Workbench) -> dict[tuple[str, ...], float]:
    async with bench.db.transaction() as tx:
        return await ledger.totals(tx, FRESHNESS_SLA_DOCUMENTS.name)


async def _let_promises_pass(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute(
            "UPDATE embedding_assets.obligations SET due_from = due_from - interval '2 hours',"
            " deadline = deadline - interval '2 hours'"
        )


async def _retry_all(bench: Workbench) -> int:
    async with bench.db.transaction() as tx:
        found = await triage.find(tx, FailureFilter())
    return await retry(bench.db, found)


def test_a_document_that_fails_for_ever_climbs_the_whole_ladder_and_is_escalated(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=500, marker=_MARK)
        await sync_source(bench)
        for attempt, rung in enumerate(LADDER_SECONDS, start=1):
            row = await _run(bench)
            assert (row.document_key, row.status, row.attempts) == ("document-001.md", "retrying", attempt)
            assert row.retry_in_seconds is not None
            assert rung <= row.retry_in_seconds <= rung * (1 + JITTER)
            await _let_its_time_come(bench)
        row = await _run(bench)
        assert (row.status, row.attempts, row.retry_in_seconds) == ("escalated", 5, None)
        await make_due(bench)
        assert await requeue_due(bench) == 0
        assert await history(bench) == [(1, attempt) for attempt in range(1, 6)]

        provider.reset()
        assert (await _retry_all(bench), await _retry_all(bench)) == (1, 0)
        row = await _run(bench)
        assert (row.status, row.episode) == ("resolved", 2)
        assert await history(bench) == [(1, attempt) for attempt in range(1, 6)]

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_document_that_comes_through_on_its_third_try_is_resolved_and_keeps_its_history(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=500, marker=_MARK)
        await sync_source(bench)
        for _ in range(2):
            assert (await _run(bench)).status == "retrying"
            await _let_its_time_come(bench)
        provider.reset()
        assert (await _run(bench)).status == "resolved"
        async with bench.db.transaction() as tx:
            attempts = await inspection.attempts(tx, "docs", "document-001.md")
        assert [(one.episode, one.attempt, one.provider_status) for one in attempts] == [(1, 1, 500), (1, 2, 500)]
        assert all(one.seconds is not None and one.seconds > 0 for one in attempts)
        assert {one.run_id for one in attempts} == {"test-run"}

    on_bench_and_provider(database_url, tmp_path, body)


def test_an_escalated_document_stays_counted_as_missed_and_is_never_counted_twice(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").write_text("Other words.", encoding="utf-8")
        await sync_source(bench)
        await settle(bench, [failure(item, ErrorType.UNDECODABLE) for item in await claim_all(bench)])
        await _let_its_time_come(bench)
        await settle(bench, [failure(item, ErrorType.UNDECODABLE) for item in await claim_all(bench)])
        assert [row.status for row in await failed_rows(bench)] == ["escalated"]
        assert await _promises(bench) == {}

        await _let_promises_pass(bench)
        assert (await count_missed(bench.db), await count_missed(bench.db)) == (1, 0)
        assert await _promises(bench) == {MISSED: 1}
        assert await _retry_all(bench) == 1
        await EmbeddingIngestionPipeline(bench).run()
        assert [row.status for row in await failed_rows(bench)] == ["resolved"]
        await count_missed(bench.db)
        assert await _promises(bench) == {MISSED: 1}

    on_bench(database_url, tmp_path, body)


def test_a_run_counts_what_was_missed_even_when_it_fails(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").write_text("Other words.", encoding="utf-8")
        await sync_source(bench)
        await claim_all(bench)
        await _let_promises_pass(bench)
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.work_items SET available_at = clock_timestamp()")
        provider.fault(FaultKind.STATUS, status=401)
        with pytest.raises(Exception, match="credentials"):
            await EmbeddingIngestionPipeline(bench).run()
        assert await _promises(bench) == {MISSED: 1}
        provider.reset()
        await EmbeddingIngestionPipeline(bench).run(probe_now=True)
        assert await _promises(bench) == {MISSED: 1}

    on_bench_and_provider(database_url, tmp_path, body)


def test_promises_that_were_kept_and_missed_are_counted_at_publication(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        assert await _promises(bench) == {}
        for number in range(3):
            (tmp_path / f"document-00{number}.md").write_text("Other words.", encoding="utf-8")
        await sync_source(bench)
        tally = (await EmbeddingIngestionPipeline(bench).run()).total
        assert (tally.freshness_met, await _promises(bench)) == (3, {MET: 3})

    on_bench(database_url, tmp_path, body)


@pytest.mark.parametrize("counted_before", [True, False])
def test_the_promise_of_a_dismissed_document_ends_as_missed_once(
    database_url: str, tmp_path: Path, *, counted_before: bool
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").write_text("Other words.", encoding="utf-8")
        await sync_source(bench)
        await settle(bench, [failure(item) for item in await claim_all(bench)])
        if counted_before:
            await _let_promises_pass(bench)
            await count_missed(bench.db)
        async with bench.db.transaction() as tx:
            found = await triage.find(tx, FailureFilter())
        assert (await dismiss(bench.db, found), await dismiss(bench.db, found)) == (1, 0)
        assert await _promises(bench) == {MISSED: 1}
        async with bench.db.transaction() as tx:
            assert await inspection.count_overdue(tx, bench.target.collection_id) == 0
        await _let_promises_pass(bench)
        assert await count_missed(bench.db) == 0

        (tmp_path / "document-001.md").write_text("Words once more.", encoding="utf-8")
        await sync_source(bench)
        await EmbeddingIngestionPipeline(bench).run()
        assert await _promises(bench) == {MET: 1, MISSED: 1}

    on_bench(database_url, tmp_path, body)
