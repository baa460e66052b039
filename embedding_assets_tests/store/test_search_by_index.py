"""Search through the HNSW index: as good as the exact order on clustered vectors, and never shorter."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from psycopg import Connection

from embedding_assets.store import vector_index
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.search import SearchResult, search
from embedding_assets.store.vector_index import IndexOptions
from embedding_assets_tests.support.clusters import CLUSTERS, DIMENSIONS, clustered_vectors, fill_clusters
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, run
from embedding_assets_tests.support.server import fresh_database

ROWS = 12_000
K = 10
GIVEN = clustered_vectors(ROWS)


@pytest.fixture(scope="module")
def database_url(administration: Connection, server_url: str) -> Iterator[str]:
    """One database for this file, only read: 12,000 indexed documents in the collection `docs`."""

    async def fill(db: Database) -> None:
        docs = await make_collection(db, dimensions=DIMENSIONS)
        await fill_clusters(db, docs, GIVEN)
        async with db.autocommit() as connection:
            assert await vector_index.ensure_index(connection, docs.table, IndexOptions(), concurrently=False)

    with fresh_database(administration, server_url) as url:
        run(url, fill)
        yield url


def _nearest(query: int, among: range, k: int = K) -> list[str]:
    """Keys of the k documents nearest to document `query`, computed here."""
    unit = GIVEN / np.linalg.norm(GIVEN, axis=1, keepdims=True)
    order = np.argsort(-(unit[among] @ unit[query]), kind="stable")[:k]
    return [f"d{among[place]}" for place in order]


def _keys(found: list[SearchResult]) -> list[str]:
    return [result.document_key for result in found]


async def _index_scans(tx: Tx) -> int:
    """How often this transaction scanned the HNSW index."""
    scans = "SELECT pg_stat_get_xact_numscans('embedding_assets.embeddings_1_1_hnsw'::regclass)"
    row = await (await tx.execute(scans)).fetchone()
    return row[0] if row else 0


@on_database
async def test_the_index_finds_what_the_exact_order_finds(db: Database) -> None:
    found = 0
    async with db.transaction() as tx:
        for query in range(20):
            results = await search(tx, "docs", GIVEN[query], k=K)
            found += len({*_keys(results)} & {*_nearest(query, range(ROWS))})
            assert len(results) == K
            assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)
        assert await _index_scans(tx) == 20
    assert found / (20 * K) >= 0.98


@on_database
async def test_the_index_finds_k_that_pass_a_filter(db: Database) -> None:
    async with db.transaction() as tx:
        results = await search(tx, "docs", GIVEN[1], k=K, filter={"half": 0}, exact_below=1000)
        assert await _index_scans(tx) == 1
    assert set(_keys(results)) <= {f"d{n}" for n in range(0, ROWS, 2)}
    assert len({*_keys(results)} & {*_nearest(1, range(0, ROWS, 2))}) >= K - 1


@on_database
async def test_the_index_goes_on_until_k_pass_a_filter_that_few_do(db: Database) -> None:
    async with db.transaction() as tx:
        scan = """
            SELECT count(*) FROM embedding_assets.nearest_by_index('embedding_assets.embeddings_1_1', '<=>', %s,
                embedding_assets.searchable_where(1, 1, '{"cluster": 7}'), 10)
        """
        assert await (await tx.execute(scan, [str(GIVEN[1].tolist())])).fetchone() == (10,)


@on_database
async def test_a_filter_that_starves_the_index_is_answered_exactly(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL hnsw.max_scan_tuples = 200")
        results = await search(tx, "docs", GIVEN[1], k=K, filter={"cluster": 7}, exact_below=50)
        assert await _index_scans(tx) == 1
    assert _keys(results) == _nearest(1, range(7, ROWS, CLUSTERS))


@on_database
async def test_little_to_search_is_searched_exactly(db: Database) -> None:
    async with db.transaction() as tx:
        results = await search(tx, "docs", GIVEN[1], k=K, filter={"cluster": 7})
        everything = await search(tx, "docs", GIVEN[1], k=K, exact_below=ROWS + 1)
        assert await _index_scans(tx) == 0
    assert _keys(results) == _nearest(1, range(7, ROWS, CLUSTERS))
    assert _keys(everything) == _nearest(1, range(ROWS))


@on_database
async def test_more_than_the_index_keeps_in_view_are_found_too(db: Database) -> None:
    async with db.transaction() as tx:
        results = await search(tx, "docs", GIVEN[1], k=300)
        assert await _index_scans(tx) == 1
    assert len({*_keys(results)} & {*_nearest(1, range(ROWS), 300)}) >= 285


@on_database
async def test_fewer_than_k_are_all_there_are(db: Database) -> None:
    async with db.transaction() as tx:
        results = await search(tx, "docs", GIVEN[1], k=500, filter={"cluster": 7}, exact_below=1)
    assert _keys(results) == _nearest(1, range(7, ROWS, CLUSTERS), 500)
    assert len(results) == ROWS / CLUSTERS


@on_database
async def test_a_search_leaves_the_sessions_settings_as_they_were(db: Database) -> None:
    async with db.transaction() as tx:
        await search(tx, "docs", GIVEN[1], k=300)
        settings = "SELECT current_setting('enable_sort'), current_setting('hnsw.ef_search')"
        assert await (await tx.execute(settings)).fetchone() == ("on", "40")


@on_database
async def test_the_order_comes_from_the_index_and_from_no_sort(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL enable_sort = off")
        for condition in ("{}", '{"half": 0}'):
            query = await _query_by_index(tx, condition)
            row = await (await tx.execute(f"EXPLAIN (FORMAT JSON) {query}".encode())).fetchone()
            assert row is not None
            plan = json.dumps(row[0])
            assert '"Index Name": "embeddings_1_1_hnsw"' in plan
            assert '"Node Type": "Sort"' not in plan


async def _query_by_index(tx: Tx, condition: str) -> str:
    """The query that `nearest_by_index` executes, taken from its own text."""
    source = "SELECT prosrc FROM pg_proc WHERE oid = 'embedding_assets.nearest_by_index'::regproc"
    row = await (await tx.execute(source)).fetchone()
    assert row is not None
    template = row[0].split("$q$")[1]
    made = """
        SELECT format(%s, 'embedding_assets.embeddings_1_1'::regclass, '<=>', %s::text,
                      embedding_assets.searchable_where(1, 1, %s::jsonb), 10)
    """
    row = await (await tx.execute(made, [template, str(GIVEN[1].tolist()), condition])).fetchone()
    assert row is not None
    return row[0]
