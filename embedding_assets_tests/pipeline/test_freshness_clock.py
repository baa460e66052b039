"""When the hour's promise begins, whichever way a change reaches us: with the change, never before the last look without it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from embedding_assets.domain.work import Lane, Tally
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.tracking import retrack
from embedding_assets.store import work_queue
from embedding_assets_tests.support.ways import WAYS, YEAR_AGO, Stage, staged

Body = Callable[[Stage], Awaitable[None]]


def on_stage(database_url: str, folder: Path, way: str, body: Body) -> None:
    """Run an async test body over documents 1, 2 and 3 in this way."""

    async def run() -> None:
        async with staged(database_url, folder, way) as stage:
            for number in (1, 2, 3):
                stage.corpus.write(number, f"Document {number} as it was at first.")
            await body(stage)

    asyncio.run(run())


async def promises(stage: Stage) -> dict[str, datetime]:
    """Open ones, and since when, once everything that arrived is folded in."""
    async with stage.bench.db.transaction() as tx:
        await work_queue.fold(tx, stage.bench.target.collection_id)
        cursor = await tx.execute("SELECT document_key, due_from FROM embedding_assets.obligations")
        return dict(await cursor.fetchall())


async def processed(stage: Stage) -> Tally:
    """What a run did."""
    return (await EmbeddingIngestionPipeline(stage.bench).run()).total


async def polled_ago(stage: Stage, **ago: float) -> datetime:
    """Make the last poll and listing as old as that, and the beginning of tracking ten days."""
    then = datetime.now(timezone.utc) - timedelta(**ago)
    async with stage.bench.db.transaction() as tx:
        await tx.execute(
            "UPDATE embedding_assets.collections SET last_poll_at = %s, last_listed_at = %s, tracked_since = %s",
            [then, then, then - timedelta(days=10)],
        )
    return then


@pytest.mark.parametrize("way", WAYS)
def test_the_initial_load_promises_nothing(database_url: str, tmp_path: Path, way: str) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        assert await promises(stage) == {}
        tally = await processed(stage)
        assert (tally.published, tally.freshness_met, tally.freshness_missed) == (3, 0, 0)

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", WAYS)
def test_a_live_change_during_the_initial_load_starts_the_clock(database_url: str, tmp_path: Path, way: str) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        async with stage.bench.db.transaction() as tx:
            began = await (await tx.execute("SELECT last_poll_at FROM embedding_assets.collections")).fetchone()
        stage.corpus.write(2, "Document 2 changed while the others were still loaded.")
        await stage.noticed(2)
        open_promises = await promises(stage)
        assert list(open_promises) == [stage.corpus.key(2)]
        assert began is not None
        assert open_promises[stage.corpus.key(2)] >= began[0]
        tally = await processed(stage)
        assert (tally.published, tally.freshness_met) == (3, 1)

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", WAYS)
def test_a_time_of_a_year_ago_burns_no_more_than_the_time_since_the_last_poll(
    database_url: str, tmp_path: Path, way: str
) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        await processed(stage)
        polled = await polled_ago(stage, minutes=4)
        stage.corpus.write(4, "A new document that says it is a year old.")
        stage.corpus.write(1, "An old document changed, with the time it had.")
        await stage.noticed(1, 4)
        open_promises = await promises(stage)
        assert sorted(open_promises) == sorted([stage.corpus.key(1), stage.corpus.key(4)])
        assert all(due_from >= polled for due_from in open_promises.values())
        tally = await processed(stage)
        assert (tally.published, tally.freshness_met, tally.freshness_missed) == (2, 2, 0)

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", ["folder told", "table told", "table tracked"])
def test_what_was_told_and_published_is_not_found_again_by_a_later_poll(
    database_url: str, tmp_path: Path, way: str
) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        await processed(stage)
        # A nightly listing: what it found as changed would count from yesterday, and as missed at once.
        await polled_ago(stage, hours=23)
        stage.corpus.write(1, "Changed and told.")
        stage.corpus.write(4, "New and told.")
        stage.corpus.remove(2)
        await stage.noticed(1, 2, 4)
        if way != "table tracked":
            # Told with times of a year ago, they count from the last poll. That is the application's own word.
            await processed(stage)
        else:
            tally = await processed(stage)
            assert (tally.published, tally.deleted, tally.freshness_met, tally.freshness_missed) == (2, 1, 3, 0)
        assert await stage.poll() == 0
        assert await promises(stage) == {}

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", ["folder told", "table tracked"])
def test_a_change_after_a_fetch_counts_from_that_fetch_when_only_a_poll_finds_it(
    database_url: str, tmp_path: Path, way: str
) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        await processed(stage)
        await polled_ago(stage, hours=23)
        before = datetime.now(timezone.utc)
        stage.corpus.write(1, "Changed and told.")
        await stage.noticed(1)
        await processed(stage)
        async with stage.bench.db.transaction() as tx:
            await tx.execute("SET LOCAL session_replication_role = replica")
            if way == "table tracked":
                await tx.execute("UPDATE articles SET body = 'changed unheard' WHERE id = 1")
            else:
                stage.corpus.write(1, "changed unheard")
        assert await stage.poll() == 1
        [due_from] = (await promises(stage)).values()
        assert due_from > before

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", WAYS)
def test_work_that_is_nobodys_change_promises_nothing(database_url: str, tmp_path: Path, way: str) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        await processed(stage)
        await retrack(stage.bench, range(16))
        async with stage.bench.db.transaction() as tx:
            await work_queue.enqueue(
                tx, stage.bench.target.collection_id, [(stage.corpus.key(1), None)], lane=Lane.LIVE
            )
        assert await promises(stage) == {}
        assert (await processed(stage)).unchanged == 3

    on_stage(database_url, tmp_path, way, body)


@pytest.mark.parametrize("way", WAYS)
def test_a_document_that_goes_is_promised_to_go(database_url: str, tmp_path: Path, way: str) -> None:
    async def body(stage: Stage) -> None:
        await stage.poll()
        await processed(stage)
        polled = await polled_ago(stage, minutes=4)
        stage.corpus.remove(2)
        await stage.noticed(2)
        [due_from] = (await promises(stage)).values()
        assert due_from >= polled > YEAR_AGO
        tally = await processed(stage)
        assert (tally.deleted, tally.freshness_met) == (1, 1)

    on_stage(database_url, tmp_path, way, body)
