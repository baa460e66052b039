"""Live changes beside a backfill in one run: they overtake it at every step, and the run stays awake for them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
from typing_extensions import LiteralString

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.admission import Admission
from embedding_assets.pipeline.claims import Claims
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import rate_limiter, work_queue
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, write_documents

_ALL = list(range(16))
_PUBLISHED = "SELECT count(*) FROM embedding_assets.publications"
_LEASED = "SELECT count(lease_owner) FROM embedding_assets.work_items"
_COMMITTING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' "
    "AND query = 'COMMIT'"
)
_NOBODY_COMMITS = (
    "SELECT (count(*) = 0)::integer FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
)


def _one_by_one(bench: Workbench, *, requests: int | None = None) -> Workbench:
    """One input a request; with `requests` a minute, under the limit `key`, which is ours alone."""
    limit = None if requests is None else LimitName("key", "us", requests)
    return replace(bench, target=replace(bench.target, caps=PackingCaps(1, 100_000), limit=limit))


async def _limit(bench: Workbench, requests: int, *, backfill: int = 0, live: int = 0) -> None:
    """So many requests a minute, of which each lane has used some; live work is known of."""
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, LimitSettings("key", "us", 1.0, requests, None, None, "own", 0))
        await tx.execute("UPDATE embedding_assets.rate_limit_consumers SET last_live_at = clock_timestamp()")
        for lane, used in (("backfill", backfill), ("live", live)):
            await tx.execute(
                "INSERT INTO embedding_assets.rate_limit_slots "
                "VALUES ('key', floor(extract(epoch FROM clock_timestamp()) * 10 - 100), 'us', %s, %s, %s, 1)",
                [lane, used, used],
            )


async def _queue(bench: Workbench, keys: list[str], lane: Lane) -> None:
    async with bench.db.transaction() as tx:
        await work_queue.enqueue(tx, bench.target.collection_id, [(key, None) for key in keys], lane=lane)


async def _count(bench: Workbench, query: LiteralString) -> int:
    async with bench.db.transaction() as tx:
        row = await (await tx.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def _until(bench: Workbench, query: LiteralString, least: int = 1) -> None:
    """Until so many are counted."""
    with anyio.fail_after(60):
        while await _count(bench, query) < least:  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.01)


async def _stop(run: "asyncio.Task[RunOutcome]") -> None:
    run.cancel()
    await asyncio.wait([run])


def test_a_live_change_overtakes_the_backfill_that_was_claimed_before_it(database_url: str, tmp_path: Path) -> None:
    *backfill, live = sorted(write_documents(tmp_path, 41, paragraphs=1))

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.DELAY, seconds=0.05)
        slow = _one_by_one(replace(bench, pace=replace(bench.pace, requests_at_once=1, settle_documents=1)))
        await _queue(bench, backfill, Lane.BACKFILL)
        run = asyncio.create_task(EmbeddingIngestionPipeline(slow).run())
        await _until(bench, _PUBLISHED)
        assert await _count(bench, _LEASED) > 30
        await _queue(bench, [live], Lane.LIVE)
        assert (await run).total.published == 41
        assert (await _in_order_of_publication(bench)).index(live) < 30

    on_bench_and_provider(database_url, tmp_path, body)


def test_backfill_that_waits_for_the_limit_holds_no_live_change_up(database_url: str, tmp_path: Path) -> None:
    *backfill, live = sorted(write_documents(tmp_path, 31, paragraphs=1))

    async def body(bench: Workbench, _: Simulator) -> None:
        limited = _one_by_one(bench, requests=30)
        await _limit(bench, 30)
        await _queue(bench, backfill, Lane.BACKFILL)
        run = asyncio.create_task(EmbeddingIngestionPipeline(limited).run())
        # One a second passes: all four that may be under way wait for it.
        await _until(bench, _PUBLISHED)
        await _queue(bench, [live], Lane.LIVE)
        await _until(bench, "SELECT count(*) FROM embedding_assets.publications WHERE document_key = 'document-030.md'")
        assert await _count(bench, _PUBLISHED) < 10
        await _stop(run)

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_whose_backfill_waits_for_lives_part_of_the_limit_stays_awake_for_live_changes(
    database_url: str, tmp_path: Path
) -> None:
    *backfill, live = sorted(write_documents(tmp_path, 5, paragraphs=1))

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = _one_by_one(bench, requests=100)
        await _limit(bench, 100, backfill=80)
        await _queue(bench, backfill, Lane.BACKFILL)
        run = asyncio.create_task(EmbeddingIngestionPipeline(limited).run())
        await _until(bench, "SELECT count(*) FROM embedding_assets.work_items WHERE lane = 'backfill'")
        await asyncio.sleep(0.2)
        assert (run.done(), await _count(bench, _LEASED), provider.counters().requests) == (False, 0, 0)
        await _queue(bench, [live], Lane.LIVE)
        await _until(bench, _PUBLISHED)
        async with bench.db.transaction() as tx:
            await tx.execute("DELETE FROM embedding_assets.rate_limit_slots")
        assert (await run).total.published == 5
        assert (await _in_order_of_publication(bench))[0] == live

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_sees_no_room_says_that_live_work_waits_and_of_backfill_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async def body(bench: Workbench) -> None:
        limited = _one_by_one(bench, requests=100)
        await _limit(bench, 100, live=100)
        claims = Claims(limited, _ALL)
        admission = Admission(limited, Requester(limited), claims, inputs_per_document=1.0)
        for lane, waiting in ((Lane.BACKFILL, 0), (Lane.LIVE, 1)):
            await _queue(bench, [lane.value], lane)
            assert isinstance(await admission.admitted(claims.room(10)), LimitWait)
            assert await _count(bench, "SELECT count(*) FROM embedding_assets.rate_limit_waiting") == waiting

    on_bench(database_url, tmp_path, body)


def test_under_a_limit_a_run_claims_two_rounds_of_backfill_and_of_live_what_there_is_room_for(
    database_url: str, tmp_path: Path
) -> None:
    async def body(bench: Workbench) -> None:
        limited = _one_by_one(bench, requests=100)
        await _limit(bench, 100)
        await _queue(bench, [f"b{number}" for number in range(50)], Lane.BACKFILL)
        claims = Claims(limited, _ALL)
        admission = Admission(limited, Requester(limited), claims, inputs_per_document=1.0)
        for backfill in (8, 0):
            admitted = await admission.admitted(claims.room(1000))
            assert isinstance(admitted, Admitted)
            assert (admitted.documents, admitted.backfill) == (100, backfill)
            assert len(await claims.take(admitted)) == backfill

    on_bench(database_url, tmp_path, body)


def test_backfill_is_claimed_up_to_twice_a_claim_and_live_changes_beside_it(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        small = replace(bench, pace=replace(bench.pace, claim_documents=4))
        await _queue(bench, [f"b{number}" for number in range(20)], Lane.BACKFILL)
        claims = Claims(small, _ALL)
        assert [len(await claims.take(claims.room(100))) for _ in range(3)] == [4, 4, 0]
        await _queue(bench, [f"l{number}" for number in range(20)], Lane.LIVE)
        assert [len(await claims.take(claims.room(100))) for _ in range(3)] == [4, 4, 0]
        assert {item.lane for item in claims.held.values()} == set(Lane)

    on_bench(database_url, tmp_path, body)


def test_a_change_of_a_document_that_was_claimed_as_backfill_is_claimed_as_live_unless_it_was_begun(
    database_url: str, tmp_path: Path
) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, ["begun", "waiting", "unchanged"], Lane.BACKFILL)
        claims = Claims(bench, _ALL)
        old = {one.item.document_key: one.item for one in await claims.take(Admitted(10, 10))}
        assert claims.begin(old["begun"])
        await _queue(bench, ["begun", "waiting"], Lane.LIVE)
        [again] = await claims.take(Admitted(10, 10))
        assert (again.item.document_key, again.item.lane) == ("waiting", Lane.LIVE)
        assert again.item.fence > old["waiting"].fence
        assert not claims.begin(old["waiting"])
        claims.settled([old["waiting"]])
        assert claims.held["waiting"] is again.item
        assert claims.begin(again.item)
        assert claims.begin(old["unchanged"])

    on_bench(database_url, tmp_path, body)


def test_a_claim_that_is_committing_when_its_run_is_stopped_is_given_back(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        async with bench.db.transaction() as tx:
            await tx.execute(
                """
                CREATE FUNCTION public.commit_when_cancelled() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(10);
                    RETURN NULL;
                EXCEPTION WHEN query_canceled THEN
                    -- The cancellation comes too late: this commits.
                    RETURN NULL;
                END $$
                """
            )
            await tx.execute(
                """
                CREATE CONSTRAINT TRIGGER commit_when_cancelled AFTER UPDATE ON embedding_assets.work_items
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (old.lease_owner IS NULL AND new.lease_owner IS NOT NULL)
                EXECUTE FUNCTION public.commit_when_cancelled()
                """
            )
        await _queue(bench, ["document"], Lane.LIVE)
        run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
        await _until(bench, _COMMITTING)
        await _stop(run)
        await _until(bench, _NOBODY_COMMITS)
        assert await _count(bench, _LEASED) == 0

    on_bench(database_url, tmp_path, body)


async def _in_order_of_publication(bench: Workbench) -> list[str]:
    async with bench.db.transaction() as tx:
        cursor = await tx.execute("SELECT document_key FROM embedding_assets.publications ORDER BY published_at")
        return [row[0] for row in await cursor.fetchall()]
