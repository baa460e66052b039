"""What a model that is being built lacks: page by page, in the order of the keys."""

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from typing_extensions import LiteralString

from embedding_assets.domain.documents import SHARDS, shard_of
from embedding_assets.store import model_builds
from embedding_assets.store.database import Database
from embedding_assets.store.model_builds import Models
from embedding_assets.store.queries import load_queries
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database, run
from embedding_assets_tests.support.documents import prepared, publish

_ALL_SHARDS = range(SHARDS)


async def _two_models(db: Database) -> tuple[MadeCollection, Models]:
    docs = await make_collection(db)
    other = await make_collection(db, "others", dimensions=5)
    return docs, Models(docs.id, docs.model_id, other.model_id)


@on_database
async def test_pages_end_by_documents_and_by_chunks_and_hold_at_least_one_document(db: Database) -> None:
    docs, models = await _two_models(db)
    async with db.transaction() as tx:
        await publish(tx, docs, *(prepared(key, [f"{key} {n}" for n in range(3)]) for key in "abcde"))

        async def page(after: str, *, documents: int, chunks: int) -> str:
            found = await model_builds.lacking(tx, models, _ALL_SHARDS, after=after, documents=documents, chunks=chunks)
            return "".join(one.document_key for one in found)

        assert await page("", documents=2, chunks=100) == "ab"
        assert await page("b", documents=9, chunks=100) == "cde"
        assert await page("", documents=9, chunks=4) == "ab"
        assert await page("", documents=9, chunks=1) == "a"
        assert await page("e", documents=9, chunks=9) == ""


@on_database
async def test_only_the_shards_asked_for_are_in_a_page_and_all_are_counted(db: Database) -> None:
    docs, models = await _two_models(db)
    async with db.transaction() as tx:
        await publish(tx, docs, *(prepared(key, [key]) for key in "abcdefgh"))
        found = await model_builds.lacking(tx, models, [shard_of("c")], after="", documents=9, chunks=9)
        assert {one.document_key for one in found} == {key for key in "abcdefgh" if shard_of(key) == shard_of("c")}
        assert await model_builds.count_lacking(tx, models) == 8


@on_database
async def test_an_older_version_and_another_chunker_are_lacking_as_well_as_what_is_not_there(db: Database) -> None:
    docs, models = await _two_models(db)
    async with db.transaction() as tx:
        await publish(tx, docs, *(prepared(key, [key], version=2) for key in "abcd"))
        await tx.execute(
            """
            INSERT INTO embedding_assets.publications
                (collection_id, model_id, document_key, version, chunker_fingerprint, chunks)
            SELECT collection_id, %s, document_key, version, chunker_fingerprint, chunks FROM embedding_assets.publications
            """,
            [models.building],
        )
        changes = (
            "DELETE FROM {} WHERE",
            "UPDATE {} SET version = 1 WHERE",
            "UPDATE {} SET chunker_fingerprint = 'x' WHERE",
        )
        for change, key in zip(changes, "abc", strict=True):
            statement = change.format("embedding_assets.publications") + " model_id = %s AND document_key = %s"
            await tx.execute(statement, [models.building, key])
        found = await model_builds.lacking(tx, models, _ALL_SHARDS, after="", documents=9, chunks=9)
        assert "".join(one.document_key for one in found) == "abc"


_DOCUMENTS = 5000
_PUBLISH = """
    INSERT INTO embedding_assets.publications (collection_id, model_id, document_key, version, chunker_fingerprint, chunks)
    SELECT %(collection)s, %(model)s, 'document-' || n, n, 'x', 1 FROM generate_series(%(first)s, 5000) AS n;
    INSERT INTO embedding_assets.chunks
    SELECT %(collection)s, %(model)s, 'document-' || n, n, 0, 'text', 0, 4, 1, sha256(n::text::bytea)
    FROM generate_series(%(first)s, 5000) AS n
"""


@pytest.mark.parametrize("analyzed", [None, "before the build", "after it"])
def test_a_page_reads_its_own_rows_whatever_statistics_there_are(database_url: str, analyzed: str | None) -> None:
    models = run(database_url, _two_models)[1]
    keys, versions = [f"document-{n}" for n in range(1, 101)], list(range(1, 101))
    values = {
        "collection_id": models.collection_id, "active": models.active, "building": models.building,
        "model_id": models.building, "rows": 100, "after": "", "shards": list(_ALL_SHARDS), "documents": 100, "chunks": 100,
        "document_keys": keys, "versions": versions, "chunk_keys": keys,
        "ordinals": [0] * 100, "tokens": [1] * 100, "input_hashes": [bytes(32)] * 100, "headings": [None] * 100,
    }  # fmt: skip
    with psycopg.ClientCursor(psycopg.connect(database_url, autocommit=True)) as cursor:
        for model_id, first, state in ((models.active, 1, "before the build"), (models.building, 2501, "after it")):
            cursor.execute(_PUBLISH, {"collection": models.collection_id, "model": model_id, "first": first})
            if analyzed == state:
                cursor.execute("ANALYZE")
        for file, name in (
            ("model_builds", "lacking"),
            ("model_builds", "stored_chunks"),
            ("model_builds", "contents"),
            ("model_builds", "still_published"),
            ("model_builds", "drop_chunks"),
            ("model_builds", "copy_chunks"),
            ("model_builds", "copy_publications"),
            ("kept_models", "drop_documents"),
        ):
            assert (name, _rows_read(cursor, load_queries(file)[name], values) < _DOCUMENTS) == (name, True)


def _rows_read(cursor: psycopg.ClientCursor, query: LiteralString, values: Mapping[str, object]) -> float:
    """Rows of publications and chunks that the query reads, those it throws away included; its page is 100 documents."""
    cursor.execute("BEGIN")
    row = cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query, values).fetchone()
    cursor.execute("ROLLBACK")
    assert row is not None
    read = [node for node in _nodes(row[0][0]["Plan"]) if node.get("Relation Name") in {"publications", "chunks"}]
    return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read)


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in _nodes(child))]
