"""New content of a failed document starts afresh, whatever becomes of a claim of its older content."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reprocessing import dismiss, requeue_due
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.tracking import retrack
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import triage
from embedding_assets.store.triage import FailureFilter
from embedding_assets_tests.support.benches import on_bench, write_documents
from embedding_assets_tests.support.failed import (
    KEY,
    FailedRow,
    edit,
    escalate,
    fail_once,
    failed_rows,
    fold,
    history,
    make_due,
)
from embedding_assets_tests.support.published import queue_is_empty

Act = Callable[[Workbench], Awaitable[object]]


async def _queue_again(bench: Workbench) -> None:
    await fail_once(bench)
    await make_due(bench)
    await requeue_due(bench)


async def _dismiss(bench: Workbench) -> None:
    await fail_once(bench)
    async with bench.db.transaction() as tx:
        found = await triage.find(tx, FailureFilter())
    assert await dismiss(bench.db, found) == 1


async def _only(bench: Workbench) -> FailedRow:
    [row] = await failed_rows(bench)
    return row


@pytest.mark.parametrize("make", [fail_once, _queue_again, escalate, _dismiss])
def test_new_content_is_processed_at_once_and_ends_the_failure(database_url: str, tmp_path: Path, make: Act) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await make(bench)
        before = await history(bench)
        await edit(bench, tmp_path)
        await fold(bench)
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode, row.retry_in_seconds) == ("queued", 0, 2, None)
        assert await requeue_due(bench) == 0
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert (outcome.total.published, (await _only(bench)).status) == (1, "resolved")
        assert await history(bench) == before
        assert await queue_is_empty(bench)

    on_bench(database_url, tmp_path, body)


@pytest.mark.parametrize("make", [fail_once, escalate, _dismiss])
def test_new_content_that_fails_too_has_the_whole_ladder_before_it(
    database_url: str, tmp_path: Path, make: Act
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await make(bench)
        before = await history(bench)
        await edit(bench, tmp_path)
        await fail_once(bench, ErrorType.UNDECODABLE)
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode) == ("retrying", 1, 2)
        assert await history(bench) == [*before, (2, 1)]

    on_bench(database_url, tmp_path, body)


def test_a_second_look_at_an_escalated_document_is_no_new_content(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await escalate(bench)
        await retrack(bench, range(16), [KEY])
        await fold(bench)
        assert (await _only(bench)).status == "escalated"

    on_bench(database_url, tmp_path, body)


def test_a_dismissed_document_that_is_looked_at_again_and_fails_stays_dismissed(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await _dismiss(bench)
        await retrack(bench, range(16), [KEY])
        await fail_once(bench)
        row = await _only(bench)
        assert (row.status, row.attempts, row.retry_in_seconds) == ("dismissed", 1, None)
        assert await history(bench) == [(1, 1), (1, 2)]
        await retrack(bench, range(16), [KEY])
        await EmbeddingIngestionPipeline(bench).run()
        assert (await _only(bench)).status == "resolved"

    on_bench(database_url, tmp_path, body)
