"""What the checks find: the index that is missing, broken or forgetful, the rate of failures, and whom it is about."""

import asyncio
from collections.abc import Sequence

import numpy as np
import psycopg
import pytest
from psycopg import sql

from embedding_assets.domain.backoff import Retry
from embedding_assets.domain.health import Finding
from embedding_assets.domain.models import Distance
from embedding_assets.pipeline.stored_checks import examine
from embedding_assets.store import vector_index
from embedding_assets.store.database import Database
from embedding_assets.store.vector_index import IndexOptions
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import prepared, publish, store
from embedding_assets_tests.support.failed import fail_documents
from embedding_assets_tests.support.queue import at, change

INDEX, RECALL, RATE = "index_is_valid", "index_finds_what_exact_search_finds", "few_documents_fail"


async def _publish_random(db: Database, docs: MadeCollection, count: int) -> None:
    """So many documents of one chunk each, with vectors in no order."""
    dimensions = docs.table.model.dimensions
    rows = np.random.default_rng(7).normal(size=(count, dimensions)).astype(np.float32)
    documents = [prepared(f"document-{number:04}", [f"text {number}"]) for number in range(count)]
    async with db.transaction() as tx:
        await publish(tx, docs, *documents)
        texts: dict[str, Sequence[float]] = {f"text {n}": row.tolist() for n, row in enumerate(rows)}
        await store(tx, docs, texts)


async def _build(db: Database, docs: MadeCollection, options: IndexOptions) -> None:
    async with db.autocommit() as connection:
        assert await vector_index.ensure_index(connection, docs.table, options, concurrently=False)


async def _find(db: Database, name: str, *, at_least_rows: int = 100) -> Finding:
    return (await examine(db, "docs", {name}, at_least_rows=at_least_rows))[name]


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize("distance", list(Distance))
@on_database
async def test_a_good_index_finds_what_exact_search_finds(db: Database, storage: str, distance: Distance) -> None:
    docs = await make_collection(db, dimensions=16, storage=storage, distance=distance)
    await _publish_random(db, docs, 200)
    assert (await _find(db, INDEX)).passed is False
    await _build(db, docs, IndexOptions())
    assert (await _find(db, INDEX)) == Finding(True, {"rows": 200})
    found = await _find(db, RECALL)
    assert (found.passed, found.numbers["neighbours"], found.state) == (True, 200, "")
    assert found.numbers["recall_at_10"] > 0.95


@on_database
async def test_an_index_that_forgets_its_neighbours_is_found_out_with_examples(db: Database) -> None:
    docs = await make_collection(db, dimensions=96)
    await _publish_random(db, docs, 3000)
    await _build(db, docs, IndexOptions(m=2, ef_construction=4))
    found = await _find(db, RECALL)
    assert not found.passed
    assert 0 < found.numbers["recall_at_10"] < 0.9
    assert len(found.examples) == 5
    assert all(key.startswith("document-") for key in found.examples)


@on_database
async def test_below_the_threshold_and_without_an_index_recall_is_not_judged_and_says_why(db: Database) -> None:
    docs = await make_collection(db, dimensions=16)
    await _publish_random(db, docs, 120)
    assert (await _find(db, RECALL, at_least_rows=121)).state == "not judged: search is exact below 121 vectors"
    assert (await _find(db, RECALL)).state == "not judged: there is no valid index, and search is exact"
    assert (await _find(db, INDEX, at_least_rows=121)).passed


@on_database
async def test_the_rest_of_an_interrupted_build_is_found(db: Database) -> None:
    docs = await make_collection(db, dimensions=16)
    await _publish_random(db, docs, 120)
    await _build(db, docs, IndexOptions())
    async with db.transaction() as tx:
        query = sql.SQL("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass({})")
        await tx.execute(query.format(f"embedding_assets.{docs.table.index_name}"))
    found = await _find(db, INDEX)
    assert (found.passed, "is not valid" in found.state) == (False, True)


@on_database
async def test_while_a_load_is_under_way_a_missing_index_is_no_fault(db: Database) -> None:
    docs = await make_collection(db, dimensions=16)
    await _publish_random(db, docs, 120)
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO embedding_assets.work_items (collection_id, document_key, lane, first_enqueued_at, generation,"
            " available_at) SELECT %s, 'new-' || n, 'backfill', now(), n, now() FROM generate_series(1, 30) AS n",
            [docs.id],
        )
    assert (await _find(db, INDEX)).state == "it is built when the load is over"


@on_database
async def test_an_index_that_is_being_built_is_no_fault(db: Database) -> None:
    docs = await make_collection(db, dimensions=16)
    await _publish_random(db, docs, 120)
    async with await psycopg.AsyncConnection.connect(db.url) as other:
        # A build waits for whoever writes the table, and is seen meanwhile.
        table = sql.Identifier("embedding_assets", docs.table.name)
        await other.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(table))
        async with db.autocommit() as connection:
            build = vector_index.ensure_index(connection, docs.table, IndexOptions(), concurrently=True)
            building = asyncio.create_task(build)
            while (found := await _find(db, INDEX)).state != f"{docs.table.index_name} is being built":
                assert not building.done()
            assert found.passed
            await other.rollback()
            assert await building


@on_database
async def test_a_rate_of_failures_above_a_thousandth_is_told_with_examples(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, *(prepared(f"document-{number}", ["text"]) for number in range(10)))
        await store(tx, docs, {"text": [1, 0, 0, 0]})
        await fail_documents(tx, docs, *(f"old-{number}" for number in range(3)), minutes=0)
    assert (await _find(db, RATE)).numbers == {"failed": 0, "processed": 10, "failure_rate": 0.0}
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.failed_attempts SET failed_at = clock_timestamp()")
        await fail_documents(tx, docs, "old-1", "document-3", decision=Retry(300))
        await tx.execute("UPDATE embedding_assets.failed_attempts SET failed_at = clock_timestamp()")
    found = await _find(db, RATE)
    assert (found.passed, found.numbers["failed"], found.numbers["processed"]) == (False, 4, 13)
    assert list(found.examples) == ["document-3", "old-0", "old-1", "old-2"]


@on_database
async def test_each_count_that_is_not_0_names_the_documents_it_is_about(db: Database) -> None:
    docs = await make_collection(db, tracked_since=at(-60))
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("zeroed", ["zero"]), prepared("lost", ["good", "missing"]))
        await publish(tx, docs, prepared("orphaned", ["good"]))
        await store(tx, docs, {"good": [1, 0, 0, 0], "zero": [0, 0, 0, 0]})
        await tx.execute("DELETE FROM embedding_assets.publications WHERE document_key = 'orphaned'")
        for number in range(7):
            await change(tx, docs, f"late-{number}", when=at(-number))
        await fail_documents(tx, docs, "given up")
    names = {
        "vectors_are_finite_and_not_zero": ["zeroed"],
        "every_input_has_its_vector": ["lost"],
        "no_orphaned_chunks": ["orphaned"],
        "nothing_is_overdue": [f"late-{number}" for number in (6, 5, 4, 3, 2)],
        "nothing_is_escalated": ["given up"],
        "vectors_have_the_models_dimension": [],
    }
    findings = await examine(db, "docs", names)
    assert {name: list(finding.examples) for name, finding in findings.items()} == names
    assert [name for name, finding in findings.items() if finding.passed] == ["vectors_have_the_models_dimension"]
    assert findings["nothing_is_overdue"].numbers == {"found": 7}
