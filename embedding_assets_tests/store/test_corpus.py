"""What is published: the new version whole and the old one gone, and what may be garbage marked."""

from typing import Any

import pytest

from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import PublishedState
from embedding_assets.store import corpus, source_listings
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import CHUNKER, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import prepared, publish
from embedding_assets_tests.support.listings import compared, listed
from embedding_assets_tests.support.queue import ALL_SHARDS, NOON


async def _all(tx: Tx, query: str) -> list[tuple[Any, ...]]:
    return await (await tx.execute(query.encode())).fetchall()


async def _garbage(tx: Tx) -> set[bytes]:
    return {row[0] for row in await _all(tx, "SELECT input_hash FROM embedding_assets.vector_garbage")}


@on_database
async def test_a_published_document_is_stored_as_it_was_fetched(db: Database) -> None:
    docs = await make_collection(db)
    document = prepared(
        "guide/a.md",
        ["One. ", "Two."],
        version=41,
        title="A “guide”",
        uri="file:///guide/a.md",
        metadata={"tags": ["x", None], "n": 1.5, "who": {"name": "Zoë"}},
        source_updated_at=NOON,
    )
    async with db.transaction() as tx:
        await publish(tx, docs, document)
        [stored] = await _all(
            tx,
            """SELECT document_key, shard, version, content, content_hash, title, uri, metadata, source_updated_at,
                      deleted_at FROM embedding_assets.documents""",
        )
        [shown] = await _all(tx, "SELECT version, chunker_fingerprint, chunks FROM embedding_assets.publications")
    assert stored == (
        "guide/a.md",
        shard_of("guide/a.md"),
        41,
        "One. Two.",
        document.content_hash,
        "A “guide”",
        "file:///guide/a.md",
        {"tags": ["x", None], "n": 1.5, "who": {"name": "Zoë"}},
        NOON,
        None,
    )
    assert shown == (41, CHUNKER, 2)


@on_database
async def test_the_chunks_of_a_published_document_are_searchable_in_its_version_only(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["One. ", "Two."], version=1))
        await publish(tx, docs, prepared("a", ["One. ", "2."], version=2))
        shown = "SELECT version, ordinal, content, start_char, end_char, input_hash FROM embedding_assets.{} ORDER BY 2"
        expected = [(2, 0, "One. ", 0, 5, input_hash("One. ")), (2, 1, "2.", 5, 7, input_hash("2."))]
        assert await _all(tx, shown.format("searchable_chunks")) == expected
        assert await _all(tx, shown.format("chunks")) == expected


@on_database
async def test_chunks_of_another_version_or_of_a_deleted_document_are_not_searchable(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["One."], version=1), prepared("b", ["Two."], version=1))
        await tx.execute("UPDATE embedding_assets.documents SET version = 2 WHERE document_key = 'a'")
        assert await _all(tx, "SELECT document_key FROM embedding_assets.searchable_chunks") == [("b",)]
        await tx.execute("UPDATE embedding_assets.documents SET deleted_at = now() WHERE document_key = 'b'")
        assert await _all(tx, "SELECT document_key FROM embedding_assets.searchable_chunks") == []


@on_database
async def test_only_inputs_no_longer_held_in_the_batch_are_marked_as_garbage(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["kept", "moved", "gone", "gone"]), prepared("b", ["b"]))
        assert await _garbage(tx) == set()
        await publish(tx, docs, prepared("a", ["kept", "new"], version=2), prepared("b", ["moved"], version=2))
        assert await _garbage(tx) == {input_hash("gone"), input_hash("b")}


@on_database
async def test_what_is_garbage_already_keeps_the_time_it_was_marked(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["gone"]))
        await publish(tx, docs, prepared("a", [], version=2))
        since = await _all(tx, "SELECT since FROM embedding_assets.vector_garbage")
        await publish(tx, docs, prepared("a", ["gone"], version=3))
        await publish(tx, docs, prepared("a", [], version=4))
        assert await _all(tx, "SELECT since FROM embedding_assets.vector_garbage") == since


@on_database
async def test_an_erased_document_leaves_its_row_without_its_content(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        for collection in (docs, others):
            await publish(tx, collection, prepared("a", ["secret"], title="T", uri="u", metadata={"m": 1}))
        await corpus.erase(tx, docs.id, ["a", "never seen"])
        [row] = await _all(
            tx,
            "SELECT content, title, uri, metadata, content_hash, deleted_at IS NOT NULL"
            f" FROM embedding_assets.documents WHERE collection_id = {docs.id}",
        )
        assert row == ("", "", "", {}, input_hash(""), True)
        assert await _all(tx, "SELECT collection_id FROM embedding_assets.searchable_chunks") == [(others.id,)]
        assert await _all(tx, "SELECT collection_id FROM embedding_assets.publications") == [(others.id,)]
        assert await _garbage(tx) == {input_hash("secret")}


@on_database
async def test_a_document_that_comes_back_is_no_longer_deleted(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["One."]))
        await corpus.erase(tx, docs.id, ["a"])
        assert await corpus.published_state(tx, docs.id, docs.model_id, ["a"]) == {}
        await publish(tx, docs, prepared("a", ["Two."], version=2))
        assert list(await corpus.published_state(tx, docs.id, docs.model_id, ["a"])) == ["a"]


@on_database
async def test_the_published_state_is_that_of_the_model_asked_for(db: Database) -> None:
    docs = await make_collection(db)
    document = prepared("a", ["One."])
    async with db.transaction() as tx:
        await publish(tx, docs, document, prepared("b", ["Two."]))
        state = await corpus.published_state(tx, docs.id, docs.model_id, ["a", "never seen"])
        assert state == {"a": PublishedState(document.content_hash, CHUNKER)}
        assert await corpus.published_state(tx, docs.id, docs.model_id + 1, ["a"]) == {}
        assert await corpus.content_hashes(tx, docs.id, ["a", "never seen"]) == {"a": document.content_hash}


@on_database
async def test_known_keys_are_stored_or_listed_and_in_the_shards_asked_for(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("stored", ["One."]), prepared("erased", ["Two."]))
        await corpus.erase(tx, docs.id, ["erased"])
        await compared(tx, docs.id, listed("listed", "stored"))
        await source_listings.remember(tx, docs.id, polled_at=NOON)
        assert await corpus.known_keys(tx, docs.id, ALL_SHARDS) == ["listed", "stored"]
        assert await corpus.known_keys(tx, docs.id, [shard_of("listed")]) == ["listed"]


@on_database
async def test_a_document_published_under_another_chunker_is_stale(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("current", ["One."]))
        await publish(tx, docs, prepared("old", ["Two."]), chunker="chunker-0")
        assert await corpus.stale_keys(tx, docs.id, ALL_SHARDS) == ["old"]
        assert await corpus.stale_keys(tx, docs.id, [shard_of("old") ^ 1]) == []


@on_database
async def test_documents_and_chunks_are_counted_by_model(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        assert await corpus.corpus_counts(tx, docs.id, docs.model_id) == (0, 0)
        await publish(tx, docs, prepared("a", ["One.", "Two."]), prepared("b", []))
        assert await corpus.corpus_counts(tx, docs.id, docs.model_id) == (2, 2)


@pytest.mark.parametrize(
    "document",
    [
        prepared("a", ["NUL \0"]),
        prepared("a", ["fine"], title="NUL \0"),
        prepared("a", ["fine"], title="half a pair \ud800"),
        prepared("a", ["fine"], metadata={"n": "NUL \0"}),
        prepared("a", ["fine"], metadata={"n": "half a pair \ud800"}),
        prepared("a", ["fine"], metadata={"n": float("nan")}),
    ],
    ids=["content", "title", "surrogate title", "metadata", "surrogate metadata", "NaN"],
)
@on_database
async def test_data_that_postgresql_refuses_is_named_invalid_and_publishes_nothing(db: Database, document: Any) -> None:
    docs = await make_collection(db)
    with pytest.raises(StoreError) as caught:
        async with db.transaction() as tx:
            await publish(tx, docs, prepared("neighbour", ["One."]), document)
    assert caught.value.error_type is ErrorType.INVALID_DATA
    async with db.transaction() as tx:
        assert await corpus.corpus_counts(tx, docs.id, docs.model_id) == (0, 0)
