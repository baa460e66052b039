"""The HNSW index of a vector table: built once, by one builder at a time, with the collection's own options."""

import pytest

from embedding_assets.domain.models import MAX_INDEXED_DIMENSIONS, Distance
from embedding_assets.store import vector_index, vectors
from embedding_assets.store.database import Database
from embedding_assets.store.vector_index import IndexOptions
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import store


async def _build(db: Database, docs: MadeCollection, *, concurrently: bool = False) -> bool:
    async with db.autocommit() as connection:
        return await vector_index.ensure_index(connection, docs.table, IndexOptions(), concurrently=concurrently)


async def _is_valid(db: Database, docs: MadeCollection) -> bool | None:
    async with db.transaction() as tx:
        return (await vectors.table_facts(tx, docs.table)).index_valid


@pytest.mark.parametrize("concurrently", [False, True])
@on_database
async def test_the_index_is_built_once(db: Database, *, concurrently: bool) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await store(tx, docs, {str(n): [1, n, 0, 0] for n in range(20)})
    assert await _is_valid(db, docs) is None
    assert await _build(db, docs, concurrently=concurrently) is True
    assert await _is_valid(db, docs) is True
    assert await _build(db, docs, concurrently=concurrently) is False


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize("distance", list(Distance))
@on_database
async def test_every_storage_and_distance_has_its_operators(db: Database, storage: str, distance: Distance) -> None:
    docs = await make_collection(db, storage=storage, distance=distance)
    options = IndexOptions(m=7, ef_construction=33)
    async with db.autocommit() as connection:
        assert await vector_index.ensure_index(connection, docs.table, options, concurrently=False)
    async with db.transaction() as tx:
        definition = "SELECT pg_get_indexdef(to_regclass(%s))"
        row = await (await tx.execute(definition, [f"embedding_assets.{docs.table.index_name}"])).fetchone()
    expected = f"USING hnsw (embedding {storage}_{distance.value}_ops) WITH (m='7', ef_construction='33')"
    assert row is not None
    assert expected in row[0]


@pytest.mark.parametrize(("storage", "dimensions"), MAX_INDEXED_DIMENSIONS.items())
@on_database
async def test_as_many_dimensions_as_we_say_can_be_indexed(db: Database, storage: str, dimensions: int) -> None:
    assert await _build(db, await make_collection(db, storage=storage, dimensions=dimensions)) is True


@on_database
async def test_while_one_worker_builds_another_goes_on(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.autocommit() as building:
        await vector_index.ensure_index(building, docs.table, IndexOptions(), concurrently=True)
        async with db.transaction() as tx:
            await tx.execute("DROP INDEX embedding_assets.embeddings_1_1_hnsw")
        assert await _build(db, docs) is False
        assert await _build(db, others) is True
    assert await _build(db, docs) is True


@on_database
async def test_an_invalid_leftover_of_a_killed_build_is_replaced(db: Database) -> None:
    docs = await make_collection(db)
    await _build(db, docs)
    async with db.transaction() as tx:
        index = f"embedding_assets.{docs.table.index_name}"
        await tx.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", [index])
    assert await _is_valid(db, docs) is False
    assert await _build(db, docs, concurrently=True) is True
    assert await _is_valid(db, docs) is True
