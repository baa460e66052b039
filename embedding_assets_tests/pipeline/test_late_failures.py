"""A claim of older content that fails when newer content, or a person, was quicker: history, and nothing scheduled."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ErrorType, FailureStatus
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reprocessing import dismiss, requeue_due, retry
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.tracking import retrack
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import triage, work_queue
from embedding_assets.store.triage import FailureFilter
from embedding_assets_tests.support.benches import on_bench, write_documents
from embedding_assets_tests.support.database import waiting_for_a_lock
from embedding_assets_tests.support.failed import (
    KEY,
    FailedRow,
    claim_all,
    edit,
    escalate,
    fail_once,
    failed_rows,
    failure,
    fold,
    history,
    make_due,
)

Act = Callable[[Workbench], Awaitable[object]]


async def _dismiss(bench: Workbench) -> None:
    await fail_once(bench)
    async with bench.db.transaction() as tx:
        found = await triage.find(tx, FailureFilter())
    assert await dismiss(bench.db, found) == 1


async def _retry(bench: Workbench) -> int:
    async with bench.db.transaction() as tx:
        return await retry(bench.db, await triage.find(tx, FailureFilter(tuple(FailureStatus))))


async def _only(bench: Workbench) -> FailedRow:
    [row] = await failed_rows(bench)
    return row


@pytest.mark.parametrize(
    ("make", "of_the_past"), [(None, (1, 1)), (fail_once, (1, 2)), (escalate, (1, 3)), (_dismiss, (1, 2))]
)
def test_a_claim_of_older_content_that_fails_afterwards_schedules_nothing(
    database_url: str, tmp_path: Path, make: Act | None, of_the_past: tuple[int, int]
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        if make:
            await make(bench)
            await retrack(bench, range(16), [KEY])
        [older] = await claim_all(bench)
        await edit(bench, tmp_path)
        await fold(bench)
        await settle(bench, [failure(older, ErrorType.UNDECODABLE)])
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode, row.retry_in_seconds) == ("queued", 0, 2, None)
        assert (await history(bench))[-1] == of_the_past
        await make_due(bench)
        assert await requeue_due(bench) == 0
        [newer] = await claim_all(bench)
        await settle(bench, [failure(newer, ErrorType.UNDECODABLE)])
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode) == ("retrying", 1, 2)

    on_bench(database_url, tmp_path, body)


def test_newer_content_during_a_claim_of_new_content_is_an_episode_of_its_own(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await escalate(bench)
        await edit(bench, tmp_path)
        [newer] = await claim_all(bench)
        for text in ("Newest words.", "The very newest words."):
            await edit(bench, tmp_path, text)
            await fold(bench)
        await settle(bench, [failure(newer)])
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode) == ("queued", 0, 3)
        assert (await history(bench))[2:] == [(2, 1)]

    on_bench(database_url, tmp_path, body)


def test_a_claim_at_work_when_a_person_retries_charges_the_new_episode_nothing(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await escalate(bench)
        await retrack(bench, range(16), [KEY])
        [older] = await claim_all(bench)
        assert await _retry(bench) == 1
        await settle(bench, [failure(older)])
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode) == ("queued", 0, 2)
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 1

    on_bench(database_url, tmp_path, body)


def test_a_retry_that_comes_in_while_the_document_is_claimed_is_not_scheduled_beside_the_queue(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await fail_once(bench)
        await retrack(bench, range(16), [KEY])
        [claimed] = await claim_all(bench)
        await make_due(bench)
        await requeue_due(bench)
        await fold(bench)
        await settle(bench, [failure(claimed)])
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode, row.retry_in_seconds) == ("queued", 2, 1, None)
        await fail_once(bench)
        assert ((await _only(bench)).status, await history(bench)) == ("retrying", [(1, 1), (1, 2), (1, 3)])

    on_bench(database_url, tmp_path, body)


def test_new_content_folded_while_the_failure_is_being_settled_waits_and_starts_afresh(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await fail_once(bench)
        await make_due(bench)
        await requeue_due(bench)
        [older] = await claim_all(bench)
        await edit(bench, tmp_path)
        async with bench.db.transaction() as blocker:
            # Settle takes the claim's row, then waits here for the failed document's; the fold waits for the claim's.
            await blocker.execute("SELECT FROM embedding_assets.failed_documents FOR UPDATE")
            settling = asyncio.create_task(settle(bench, [failure(older)]))
            await waiting_for_a_lock(bench.db)
            folding = asyncio.create_task(fold(bench))
            await waiting_for_a_lock(bench.db, transactions=2)
        await asyncio.gather(settling, folding)
        row = await _only(bench)
        assert (row.status, row.attempts, row.episode) == ("queued", 0, 2)
        assert await history(bench) == [(1, 1), (1, 2)]
        assert [item.document_key for item in await claim_all(bench)] == [KEY]

    on_bench(database_url, tmp_path, body)


def test_a_retry_moved_at_the_moment_of_the_fold_is_not_moved_twice(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await fail_once(bench)
        await make_due(bench)
        await edit(bench, tmp_path)
        async with bench.db.transaction() as folding:
            await work_queue.fold(folding, bench.target.collection_id)
            # The row is in the fold's hands: the mover leaves it to the next time, when nothing is due any more.
            assert await requeue_due(bench) == 0
        assert await requeue_due(bench) == 0
        assert (await _only(bench)).episode == 2

    on_bench(database_url, tmp_path, body)
