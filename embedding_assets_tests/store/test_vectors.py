"""Vectors by the hash of their input: stored exactly, once, and only in the model's own dimension."""

import anyio
import numpy as np
import pytest

from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.domain.models import EmbeddingModel, input_hash
from embedding_assets.store import vectors
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.vectors import VectorTable
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.documents import matrix, prepared, publish, store
from embedding_assets_tests.support.queue import ALL_SHARDS


async def _stored(tx: Tx, collection: MadeCollection) -> dict[bytes, list[float]]:
    query = f"SELECT input_hash, embedding::real[] FROM embedding_assets.{collection.table.name}"
    rows = await tx.execute(query.encode())
    return {row[0]: row[1] for row in await rows.fetchall()}


@pytest.mark.parametrize("dimensions", [1, 3, 1536, 2100])
@on_database
async def test_float32_comes_back_bit_by_bit(db: Database, dimensions: int) -> None:
    docs = await make_collection(db, dimensions=dimensions)
    given = np.random.default_rng(7).standard_normal((5, dimensions)).astype(np.float32)
    given[0, 0] = np.float32(1e-42)
    hashes = [input_hash(str(n)) for n in range(5)]
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, hashes, given)
        stored = await _stored(tx, docs)
    for key, vector in zip(hashes, given, strict=True):
        assert np.array(stored[key], dtype=np.float32).tobytes() == vector.tobytes()


@on_database
async def test_halfvec_is_rounded_as_postgresql_itself_rounds(db: Database) -> None:
    docs = await make_collection(db, dimensions=600, storage="halfvec")
    given = (np.random.default_rng(7).standard_normal((3, 600)) * 10).astype(np.float32)
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, [input_hash(str(n)) for n in range(3)], given)
        stored = await _stored(tx, docs)
        for number, vector in enumerate(given):
            row = await (await tx.execute("SELECT %s::real[]::vector::halfvec::real[]", [vector.tolist()])).fetchone()
            assert row == (stored[input_hash(str(number))],)


@on_database
async def test_a_hash_of_any_bytes_is_kept_whole(db: Database) -> None:
    docs = await make_collection(db)
    hashes = [bytes(32), b"\xff" * 32, b"\x00\n\\." * 8, bytes(31) + b"\x01"]
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, hashes, np.eye(4, dtype=np.float32))
        stored = await _stored(tx, docs)
    assert [stored[key] for key in hashes] == np.eye(4).tolist()


@on_database
async def test_an_input_given_twice_is_stored_once_and_what_is_there_stays(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await store(tx, docs, {"kept": [1, 0, 0, 0]})
    async with db.transaction() as tx:
        hashes = [input_hash("kept"), input_hash("new"), input_hash("new")]
        await vectors.store_vectors(tx, docs.table, hashes, matrix([9, 9, 9, 9], [0, 1, 0, 0], [0, 1, 0, 0]))
        assert await _stored(tx, docs) == {input_hash("kept"): [1, 0, 0, 0], input_hash("new"): [0, 1, 0, 0]}
        assert await vectors.count_vectors(tx, docs.table) == 2


@on_database
async def test_storing_nothing_is_nothing(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, [], np.zeros((0, 4), dtype=np.float32))
        assert await _stored(tx, docs) == {}


@on_database
async def test_several_batches_of_one_transaction_are_all_stored(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        for text in ("a", "b", "c"):
            await store(tx, docs, {text: [1, 2, 3, 4]})
        assert len(await _stored(tx, docs)) == 3


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@on_database
async def test_another_dimension_is_refused_by_the_columns_type(db: Database, storage: str) -> None:
    docs = await make_collection(db, storage=storage)
    longer = VectorTable(docs.id, docs.model_id, EmbeddingModel("longer", 5, storage))
    with pytest.raises(StoreError) as caught:
        async with db.transaction() as tx:
            await vectors.store_vectors(tx, longer, [input_hash("a")], matrix([1, 2, 3, 4, 5]))
    assert caught.value.error_type is ErrorType.INVALID_DATA


@pytest.mark.parametrize("shape", [(2, 1), (1, 4), (2, 5), (3, 4)])
@on_database
async def test_vectors_of_another_shape_than_told_are_not_stretched_to_fit(
    db: Database, shape: tuple[int, int]
) -> None:
    docs = await make_collection(db)
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        async with db.transaction() as tx:
            await vectors.store_vectors(
                tx, docs.table, [input_hash("a"), input_hash("b")], np.ones(shape, dtype=np.float32)
            )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@on_database
async def test_what_is_not_finite_is_refused(db: Database, bad: float) -> None:
    docs = await make_collection(db)
    with pytest.raises(StoreError) as caught:
        async with db.transaction() as tx:
            await store(tx, docs, {"a": [1, bad, 0, 0]})
    assert caught.value.error_type is ErrorType.INVALID_DATA


@on_database
async def test_overlapping_stores_in_opposite_order_do_not_deadlock(db: Database) -> None:
    docs = await make_collection(db)
    first, last = sorted(["a", "b"], key=input_hash)

    async def store_backwards() -> None:
        async with db.transaction() as tx:
            await store(tx, docs, {last: [1, 0, 0, 0], first: [1, 0, 0, 0]})

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        await store(tx, docs, {first: [1, 0, 0, 0]})
        tasks.start_soon(store_backwards)
        await waiting_for_a_lock(db)
        # Had the other stored `last` first, each would now wait for the other.
        await store(tx, docs, {last: [1, 0, 0, 0]})
    async with db.transaction() as tx:
        assert await vectors.count_vectors(tx, docs.table) == 2


@on_database
async def test_missing_inputs_are_those_without_a_vector(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await store(tx, docs, {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0]})
        asked = [input_hash(text) for text in ("a", "b", "c", "d")]
        assert await vectors.missing_inputs(tx, docs.table, asked) == {input_hash("c"), input_hash("d")}
        assert await vectors.missing_inputs(tx, docs.table, []) == set()


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@on_database
async def test_a_published_input_without_a_usable_vector_is_found_and_a_zero_one_removed(
    db: Database, storage: str
) -> None:
    docs = await make_collection(db, storage=storage)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("doc", ["good", "zero", "missing"], title="Title"))
        await store(tx, docs, {"good": [1, 0, 0, 0], "zero": [0, 0, 0, 0], "unpublished": [0, 0, 0, 0]})
        found = await vectors.inputs_without_vectors(tx, docs.table, ALL_SHARDS, inputs=9)
        assert {(one.content, one.title, one.tokens) for one in found} == {
            ("zero", "Title", 4),
            ("missing", "Title", 7),
        }
        named = [input_hash(text) for text in ("good", "zero", "missing")]
        await vectors.delete_zero_vectors(tx, docs.table, named)
        assert set(await _stored(tx, docs)) == {input_hash("good"), input_hash("unpublished")}


@on_database
async def test_inputs_without_vectors_are_of_the_shards_asked_for_and_come_by_their_hash(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["first", "second"]), prepared("b", ["third"]))
        others = [shard for shard in ALL_SHARDS if shard not in {shard_of("a"), shard_of("b")}]
        by_hash = sorted(["first", "second", "third"], key=input_hash)
        found = await vectors.inputs_without_vectors(tx, docs.table, ALL_SHARDS, inputs=2)
        assert [one.content for one in found] == by_hash[:2]
        rest = await vectors.inputs_without_vectors(tx, docs.table, ALL_SHARDS, inputs=2, after=found[-1].input_hash)
        assert [one.content for one in rest] == by_hash[2:]
        assert await vectors.inputs_without_vectors(tx, docs.table, others, inputs=9) == []
