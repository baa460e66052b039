"""Where one document is, how collections do, and what must not be in the store."""

import numpy as np
import pytest

from embedding_assets.store import inspection, source_listings, vectors
from embedding_assets.store.database import Database
from embedding_assets.store.inspection import StoredProblems
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import prepared, publish, store
from embedding_assets_tests.support.listings import compared, listed
from embedding_assets_tests.support.queue import NOON, arrive, at, change, claim, put


@on_database
async def test_a_key_that_nobody_knows_is_in_no_state(db: Database) -> None:
    await make_collection(db)
    async with db.transaction() as tx:
        state = await inspection.document_state(tx, "docs", "nowhere")
        assert await inspection.document_state(tx, "no_such_collection", "a") is None
    assert state is not None
    assert (state.listed, state.arrived, state.version, state.published_at, state.lane) == (
        False,
        False,
        None,
        None,
        None,
    )
    assert (state.due_from, state.status) == (None, None)


@on_database
async def test_every_state_of_a_document_is_told_at_once(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await compared(tx, docs.id, listed("a"))
        await source_listings.remember(tx, docs.id, polled_at=NOON)
        await publish(tx, docs, prepared("a", ["One. ", "Two."], version=3, title="A", uri="a:"), chunker="chunker-0")
        await change(tx, docs, "a", when=at(1))
        await claim(tx, docs, now=at(1), owner="run-1")
        await arrive(tx, docs, "a")
        state = await inspection.document_state(tx, "docs", "a")
    assert state is not None
    assert (state.listed, state.arrived, state.version, state.title, state.uri) == (True, True, 3, "A", "a:")
    assert (state.characters, state.chunks, state.stale, state.deleted_at) == (9, 2, True, None)
    assert (state.lane, state.lease_owner, state.available_at, state.lease_expired) == ("live", "run-1", at(2), True)
    assert (state.due_from, state.deadline, state.overdue) == (at(1), at(61), True)


@on_database
async def test_a_key_half_remembered_is_suggested(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await compared(tx, docs.id, listed("guide/Install.md", "guide/reinstall.md", "100%.md", "README.md"))
        await source_listings.remember(tx, docs.id, polled_at=NOON)
        assert await inspection.similar_keys(tx, "docs", "install") == ["guide/Install.md", "guide/reinstall.md"]
        assert await inspection.similar_keys(tx, "docs", "%") == ["100%.md"]


@on_database
async def test_collections_are_seen_at_a_glance(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    await make_collection(db, "empty")
    async with db.transaction() as tx:
        await compared(tx, docs.id, listed("a", "b", "c"))
        await source_listings.remember(tx, docs.id, polled_at=at(5))
        await publish(tx, docs, prepared("a", ["One."]))
        await change(tx, docs, "b", when=at(1))
        seen, empty = await inspection.freshness(tx)
    assert (seen.collection, seen.listed, seen.published, seen.open_promises, seen.overdue) == ("docs", 3, 1, 1, 1)
    assert (seen.tracked_since, seen.last_poll_at, seen.dimensions) == (NOON, at(5), 4)
    assert seen.oldest_change_seconds is not None
    assert (empty.collection, empty.listed, empty.open_promises, empty.oldest_change_seconds) == ("empty", 0, 0, None)


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@on_database
async def test_what_must_not_be_stored_is_counted(db: Database, storage: str) -> None:
    docs = await make_collection(db, storage=storage)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["good", "zero", "missing", "missing"]))
        await store(tx, docs, {"good": [1, 0, 0, 0], "zero": [0, 0, 0, 0]})
        await put(tx, docs, "b")
        assert await inspection.stored_problems(tx, docs.table) == StoredProblems(
            wrong_dimension=0,
            not_finite_or_zero=1,
            inputs_without_vector=1,
            orphaned_chunks=0,
            overdue=0,
            escalated=0,
        )
        await tx.execute("UPDATE embedding_assets.publications SET version = 2")
        assert (await inspection.stored_problems(tx, docs.table)).orphaned_chunks == 4


@on_database
async def test_a_table_full_of_good_vectors_has_no_problem(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, [bytes([n]) * 32 for n in range(4)], np.eye(4, dtype=np.float32))
        assert await inspection.stored_problems(tx, docs.table) == StoredProblems(0, 0, 0, 0, 0, 0)


@on_database
async def test_the_server_is_described_and_its_owner_lacks_no_right(db: Database) -> None:
    async with db.transaction() as tx:
        facts = await inspection.server_facts(tx)
        assert await inspection.missing_rights(tx) == []
        await tx.execute("CREATE ROLE without_insert")
        await tx.execute("GRANT USAGE ON SCHEMA embedding_assets TO without_insert")
        await tx.execute("GRANT ALL ON ALL TABLES IN SCHEMA embedding_assets TO without_insert")
        await tx.execute("REVOKE INSERT ON embedding_assets.documents FROM without_insert")
        await tx.execute("SET LOCAL ROLE without_insert")
        assert await inspection.missing_rights(tx) == ["documents"]
        await tx.execute("RESET ROLE")
        await tx.execute("DROP OWNED BY without_insert")
        await tx.execute("DROP ROLE without_insert")
    assert facts.vector_version is not None
    assert facts.connections >= 1
