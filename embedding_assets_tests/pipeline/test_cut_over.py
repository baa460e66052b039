"""The cut-over beside settles, runs and searches, on connections of their own: nothing is lost, nothing is mixed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import psycopg
import pytest

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Delete, Outcome, PreparedDocument, Publish, total
from embedding_assets.pipeline.claims import Admitted, Claims
from embedding_assets.pipeline.copying import Copier
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.model_build import build_model
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.retiring import retire_model
from embedding_assets.pipeline.search import search_text
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.switching import cut_over
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import model_builds, vectors
from embedding_assets.store.database import Tx
from embedding_assets.store.model_builds import Models
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.database import waiting_for_a_lock
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.model_changes import ALL_SHARDS, NEW, Changing, asked, shown

T = TypeVar("T")

EDITED = "document-003.md"
_LEASES = "SELECT lease_owner, lost_claims FROM embedding_assets.work_items"
_MARK = "INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash) VALUES (%s, %s, %s)"


async def claimed_edit(docs: Changing, bench: Workbench) -> tuple[Claims, list[Outcome]]:
    """An edit, claimed and embedded under the active model, about to be settled."""
    (docs.folder / EDITED).write_text("Words of today.", encoding="utf-8")
    await sync_source(bench)
    claims = Claims(bench, list(ALL_SHARDS))
    [claimed] = await claims.take(Admitted(10, 10))
    read = read_document(bench, claimed.item, claimed.published, force=False)
    assert isinstance(read, PreparedDocument)
    hashes = [chunk.input_hash for chunk in read.chunks]
    async with bench.db.transaction() as tx:
        await vectors.store_vectors(tx, bench.target.table, hashes, np.ones((len(hashes), 8), np.float32))
    return claims, [Publish(read, embedded=len(hashes))]


async def copy_everything(bench: Workbench) -> None:
    """All that a build does before the cut-over."""
    assert bench.building is not None
    target = bench.building.target
    models = Models(target.collection_id, bench.target.model_id, target.model_id)
    async with bench.db.transaction() as tx:
        await vectors.create_table(tx, target.table)
    await Copier(bench.building, None).copy_lacking(models, ALL_SHARDS)
    async with bench.db.transaction() as tx:
        assert not await model_builds.lacks_any(tx, models)


def test_a_settle_that_waited_for_the_cut_over_publishes_nothing_and_its_claims_go_back_unspent(
    published: Changing,
) -> None:
    step = published.apply(NEW)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        claims, outcomes = await claimed_edit(published, bench)
        await copy_everything(bench)
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def held(work: Callable[[Tx], Awaitable[T]]) -> T:
            async with bench.db.transaction() as tx:
                done = await work(tx)
                reached.set()
                await go_on.wait()
                return done

        going_over = asyncio.create_task(cut_over(bench.building, atomically=held))
        await reached.wait()
        settling = asyncio.create_task(settle(bench, outcomes))
        await waiting_for_a_lock(bench.db)
        go_on.set()
        assert await going_over
        with pytest.raises(ClassifiedError, match="got another model since this run began") as caught:
            await settling
        assert caught.value.error_type is ErrorType.MODEL_REPLACED
        assert (await shown(bench.db)).texts[EDITED] == [paragraph(3, part) for part in range(3)]
        await claims.release_all()
        assert await failed_rows(bench) == []

    published.on_bench(body)
    assert published.rows(_LEASES) == [(None, 0)]
    assert published.run().total.published == 1
    assert step.applied.building is not None
    assert published.published_under(step.applied.building.id)[EDITED] == ["Words of today."]


def test_a_cut_over_that_waited_for_a_settle_sees_what_it_published_and_does_not_happen(published: Changing) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        _, outcomes = await claimed_edit(published, bench)
        await copy_everything(bench)
        # The settle waits for it when it marks what its document no longer holds: behind the lock, before its end.
        marked = input_hash(paragraph(3, 0))
        async with await psycopg.AsyncConnection.connect(bench.db.url) as third:
            await third.execute(_MARK, [bench.target.collection_id, bench.target.model_id, marked])
            settling = asyncio.create_task(settle(bench, outcomes))
            await waiting_for_a_lock(bench.db)
            going_over = asyncio.create_task(cut_over(bench.building))
            await waiting_for_a_lock(bench.db, transactions=2)
            await third.rollback()
            assert total((await settling).values()).published == 1
            assert not await going_over
        assert (await shown(bench.db)).model_id == bench.target.model_id
        assert (await build_model(bench.building, ALL_SHARDS)).cut_over
        now = await shown(bench.db)
        assert (now.model_id, now.texts[EDITED]) == (bench.building.target.model_id, ["Words of today."])

    published.on_bench(body)


def test_a_document_is_not_copied_while_a_settle_deletes_it(published: Changing) -> None:
    step = published.apply(NEW)
    assert step.applied.building is not None

    async def body(bench: Workbench) -> None:
        (published.folder / EDITED).unlink()
        await sync_source(bench)
        [claimed] = await Claims(bench, list(ALL_SHARDS)).take(Admitted(10, 10))
        async with await psycopg.AsyncConnection.connect(bench.db.url) as third:
            values = [bench.target.collection_id, bench.target.model_id, input_hash(paragraph(3, 0))]
            await third.execute(_MARK, values)
            settling = asyncio.create_task(settle(bench, [Delete(claimed.item)]))
            await waiting_for_a_lock(bench.db)
            copying = asyncio.create_task(copy_everything(bench))
            await waiting_for_a_lock(bench.db, transactions=2)
            await third.rollback()
            await settling
            await copying

    published.on_bench(body)
    assert EDITED not in published.published_under(step.applied.building.id)
    assert published.rows("SELECT count(*) FROM embedding_assets.chunks WHERE document_key = %s", EDITED) == [(0,)]


@pytest.mark.parametrize("retired", [False, True])
def test_a_run_that_meets_the_cut_over_gives_everything_back_and_says_why(
    published: Changing,
    provider: Simulator,
    retired: bool,  # noqa: FBT001 - a case of the same
) -> None:
    published.apply(NEW)
    provider.fault(FaultKind.DELAY, seconds=1.0, marker="Words of today")

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        (published.folder / EDITED).write_text("Words of today.", encoding="utf-8")
        (published.folder / "document-004.md").unlink()
        await sync_source(bench)
        run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
        await asked(provider, inputs=1)
        assert (await build_model(bench.building, ALL_SHARDS)).cut_over
        if retired:
            await retire_model(bench.db, "docs", bench.target.model_id)
        with pytest.raises(ClassifiedError, match="got another model since this run began, so its settings are old"):
            await run
        assert await failed_rows(bench) == []

    published.on_bench(body)
    assert published.rows(_LEASES) == [(None, 0)]
    assert published.rows("SELECT count(*) FROM embedding_assets.shard_leases WHERE owner IS NOT NULL") == [(0,)]
    assert published.run().total.published == 1


def test_a_workbench_opened_before_the_cut_over_answers_after_it_under_the_new_model(published: Changing) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        under_old, under_new = paragraph(3, 1), f"new: document-003: {paragraph(3, 1)}"
        [best] = await search_text(bench, under_old, k=1)
        assert (best.content, round(best.score, 4)) == (under_old, 1.0)
        await build_model(bench.building, ALL_SHARDS)
        [best] = await search_text(bench, under_new, k=1)
        assert (best.content, round(best.score, 4)) == (under_old, 1.0)

    published.on_bench(body)


def test_a_search_that_meets_the_cut_over_asks_again_under_the_new_model(
    published: Changing, provider: Simulator
) -> None:
    published.apply(NEW)
    provider.fault(FaultKind.DELAY, seconds=1.0, marker="slow query", times=1)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        searching = asyncio.create_task(search_text(bench, "slow query", k=100))
        await asked(provider, inputs=1)
        await build_model(bench.building, ALL_SHARDS)
        assert len(await searching) == 30

    published.on_bench(body)
    # The question twice, and the thirty inputs of the build.
    assert provider.counters().inputs == 32
    assert provider.arrivals().rows[-1].model == "new"


def test_a_workbench_that_does_not_know_the_new_model_is_told_to_be_opened_again(published: Changing) -> None:
    async def body(old: Workbench) -> None:
        await published.apply_now(NEW)
        async with published.open() as bench:
            assert bench.building is not None
            await build_model(bench.building, ALL_SHARDS)
        with pytest.raises(ClassifiedError, match="got another model since this workbench was opened"):
            await search_text(old, "anything")

    published.on_bench(body)
