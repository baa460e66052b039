"""Two collections under one limit: the backfill of one, however long, does not hold up a live change of the other."""

import asyncio
import contextlib
from dataclasses import replace

from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import collections, rate_limiter, work_queue
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model
from embedding_assets_tests.support.collections import collection_settings
from embedding_assets_tests.support.generated import GeneratedSource, generated_keys

# A request a second: the backfill would take ten minutes.
_PER_MINUTE, _BACKFILL = 60, 600


async def _sharing(bench: Workbench) -> tuple[Workbench, Workbench]:
    """`docs` and another collection under one limit, each document one request; both were polled already."""
    limit = LimitSettings("key", "us", 1.0, _PER_MINUTE, None, None, "own", 0)
    target = replace(
        bench.target,
        limit=LimitName("key", "us", _PER_MINUTE),
        caps=replace(bench.target.caps, max_inputs=1),
    )
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, limit)
        await collections.apply(tx, collection_settings("others", target.model, chunker=target.chunking.fingerprint))
        others = await collections.find(tx, "others")
        assert others is not None
        await tx.execute(
            "UPDATE embedding_assets.collections SET tracked_since = clock_timestamp(), limit_name = 'key', limit_consumer = 'us'"
        )
    another = replace(target, name="others", collection_id=others.id, model_id=others.model_id)
    return replace(bench, target=target), replace(bench, target=another, run_id="others-run")


async def _enqueue(bench: Workbench, keys: list[str], lane: Lane) -> None:
    async with bench.db.transaction() as tx:
        now = await (await tx.execute("SELECT clock_timestamp()")).fetchone()
        assert now is not None
        changed_at = now[0] if lane is Lane.LIVE else None
        await work_queue.enqueue(tx, bench.target.collection_id, [(key, changed_at) for key in keys], lane=lane)


async def _published(bench: Workbench) -> int:
    async with bench.db.transaction() as tx:
        query = "SELECT count(*) FROM embedding_assets.publications WHERE collection_id = %s"
        row = await (await tx.execute(query, [bench.target.collection_id])).fetchone()
    return row[0] if row else 0


def test_a_live_change_is_published_while_the_backfill_of_another_collection_goes_on(database_url: str) -> None:
    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, GeneratedSource(_BACKFILL), simulated_model(provider)) as bench:
                docs, others = await _sharing(bench)
                await _enqueue(docs, generated_keys(_BACKFILL), Lane.BACKFILL)
                begun = asyncio.Event()
                backfill = asyncio.create_task(EmbeddingIngestionPipeline(docs, on_settled=lambda _: begun.set()).run())
                await begun.wait()
                await _enqueue(others, ["document-000001", "document-000002"], Lane.LIVE)
                outcome = await EmbeddingIngestionPipeline(others).run()
                assert (outcome.total.published, outcome.total.freshness_met) == (2, 2)
                assert not backfill.done()
                assert await _published(docs) < _BACKFILL / 2
                backfill.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await backfill

    asyncio.run(run())
