"""Runs that wait longer than their leases: nothing is claimed twice by one run, lost, or waited for without end."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.claims import Claims
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import shard_leases, work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.failed import attempts_recorded
from embedding_assets_tests.support.published import queue_is_empty


def test_a_document_that_outlasts_its_lease_in_the_stream_is_published_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 12)

    async def body(bench: Workbench, provider: Simulator) -> None:
        pace = replace(bench.pace, lease_seconds=0.3, max_claim_seconds=0.3, claim_documents=4, requests_at_once=1)
        caps = replace(bench.target.caps, max_inputs=3)
        provider.fault(FaultKind.DELAY, seconds=0.35)
        outcome = await sync_and_run(replace(bench, pace=pace, target=replace(bench.target, caps=caps)))
        assert (outcome.total.published, outcome.total.refused, outcome.total.failed) == (12, 0, 0)
        assert await queue_is_empty(bench)

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_provider_that_throttles_for_ever_gets_its_documents_given_back_unspent(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=429, retry_after="0.1")
        await sync_source(bench)
        pace = replace(bench.pace, max_run_seconds=0.5, finish_seconds=0.5)
        outcome = await EmbeddingIngestionPipeline(replace(bench, pace=pace)).run()
        assert (outcome.total.settled, outcome.total.released) == (0, 5)
        assert await attempts_recorded(bench) == 0
        provider.reset()
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 5

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_lost_its_shards_claims_nothing_more_from_them(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 8)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        slow = replace(bench, run_id="slow", pace=replace(bench.pace, lease_seconds=0.03))
        collection_id = bench.target.collection_id
        async with bench.db.transaction() as tx:
            for run_id, shards in (("slow", range(8)), ("quick", range(8, 16))):
                await shard_leases.lease_shards(tx, collection_id, shards, owner=run_id, lease_seconds=60)
        claims = Claims(slow, list(range(16)))
        beating = asyncio.create_task(claims.keep_alive())
        with anyio.fail_after(20):
            while len(claims.shards) == 16:  # noqa: ASYNC110 - the heartbeat has no event to wait for
                await asyncio.sleep(0.01)
        beating.cancel()
        claimed = {one.item.shard for one in await claims.take(Admitted(100, 100))}
        assert claims.shards == list(range(8))
        assert claimed < set(range(8))

    on_bench(database_url, tmp_path, body)


def test_a_live_change_behind_a_long_line_of_arrivals_is_claimed_at_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        collection_id = bench.target.collection_id
        async with bench.db.transaction() as tx:
            line = [(f"waiting-{number}", None) for number in range(10_000)]
            await work_queue.enqueue(tx, collection_id, line, lane=Lane.BACKFILL)
            await work_queue.enqueue(tx, collection_id, [("document-000.md", None)], lane=Lane.LIVE)
        [first] = await Claims(bench, list(range(16))).take(Admitted(1, 1))
        assert first.item.document_key == "document-000.md"

    on_bench(database_url, tmp_path, body)
