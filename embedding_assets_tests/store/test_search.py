"""Search in exact order: the nearest published inputs, each once, with every place that holds it."""

import anyio
import numpy as np
import pytest

from embedding_assets.domain.failures import StoreError
from embedding_assets.domain.models import Distance
from embedding_assets.store import collections, corpus
from embedding_assets.store.database import Database
from embedding_assets.store.search import search
from embedding_assets_tests.support.collections import collection_settings, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import prepared, publish, store

EAST = np.array([1, 0, 0, 0], dtype=np.float32)


@on_database
async def test_the_nearest_come_first_with_everything_a_reader_needs(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(
            tx,
            docs,
            prepared(
                "a",
                ["East", "North"],
                version=7,
                title="A",
                uri="file:///a",
                metadata={"n": 1},
                headings=["A", "B, {C}"],
            ),
        )
        await store(tx, docs, {"East": [2, 0, 0, 0], "North": [1, 1, 0, 0]})
        first, second = await search(tx, "docs", EAST)
    assert (first.document_key, first.version, first.ordinal, first.content) == ("a", 7, 0, "East")
    assert (first.start_char, first.end_char, first.title, first.uri) == (0, 4, "A", "file:///a")
    assert (dict(first.metadata), list(first.locations)) == ({"n": 1}, [])
    assert list(first.headings) == ["A", "B, {C}"]
    assert (second.content, second.start_char, second.end_char) == ("North", 4, 9)
    assert (first.score, second.score) == pytest.approx((1.0, 0.5**0.5))


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize(
    ("distance", "order", "scores"),
    [
        (Distance.COSINE, ["far", "near", "back"], [1.0, 0.8, -1.0]),
        (Distance.INNER_PRODUCT, ["far", "near", "back"], [5.0, 0.8, -0.5]),
        (Distance.L2, ["near", "back", "far"], [-(0.4**0.5), -1.5, -4.0]),
    ],
)
@on_database
async def test_a_larger_score_is_nearer_under_every_distance(
    db: Database, storage: str, distance: Distance, order: list[str], scores: list[float]
) -> None:
    docs = await make_collection(db, storage=storage, distance=distance)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["far", "near", "back"]))
        await store(tx, docs, {"far": [5, 0, 0, 0], "near": [0.8, 0.6, 0, 0], "back": [-0.5, 0, 0, 0]})
        found = await search(tx, "docs", EAST)
    assert [result.content for result in found] == order
    assert [result.score for result in found] == pytest.approx(scores, abs=1e-3)


@on_database
async def test_an_input_in_several_places_is_one_result_that_lists_the_others(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        under = prepared("b", ["Own. ", "Same."], title="B", uri="b:", headings=["H"])
        await publish(tx, docs, under, prepared("a", ["Same.", "Same."]))
        await store(tx, docs, {"Same.": [1, 0, 0, 0], "Own. ": [0, 1, 0, 0]})
        first, second = await search(tx, "docs", EAST)
    assert (first.document_key, first.ordinal, second.content) == ("a", 0, "Own. ")
    assert list(first.locations) == [
        {"document_key": "a", "ordinal": 1, "start_char": 5, "end_char": 10, "title": "", "uri": "", "headings": []},
        {
            "document_key": "b",
            "ordinal": 1,
            "start_char": 5,
            "end_char": 10,
            "title": "B",
            "uri": "b:",
            "headings": ["H"],
        },
    ]


@on_database
async def test_only_what_is_published_now_is_found(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["old"], version=1), prepared("erased", ["gone"]))
        await publish(tx, docs, prepared("a", ["new"], version=2))
        await corpus.erase(tx, docs.id, ["erased"])
        await store(tx, docs, {text: [1, 0, 0, 0] for text in ("old", "new", "gone", "never published")})
        assert [result.content for result in await search(tx, "docs", EAST)] == ["new"]


@on_database
async def test_collections_do_not_find_each_others_documents(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        for collection in (docs, others):
            await publish(tx, collection, prepared(f"in {collection.name}", ["Same."]))
            await store(tx, collection, {"Same.": [1, 0, 0, 0]})
        [found] = await search(tx, "others", EAST)
    assert (found.document_key, list(found.locations)) == ("in others", [])


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ({}, ["a", "b", "c"]),
        ({"team": "it's 100% $1 \\ {x} $q$"}, ["a"]),
        ({"tags": ["x"]}, ["a", "b"]),
        ({"team": "other", "tags": ["x"]}, ["b"]),
        ({"team": "nobody"}, []),
        ({"team": "' OR true --"}, []),
    ],
)
@on_database
async def test_a_filter_is_contained_in_the_documents_metadata(
    db: Database, condition: dict[str, object], keys: list[str]
) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(
            tx,
            docs,
            prepared("a", ["1"], metadata={"team": "it's 100% $1 \\ {x} $q$", "tags": ["x", "y"]}),
            prepared("b", ["2"], metadata={"team": "other", "tags": ["x"]}),
            prepared("c", ["3"]),
        )
        await store(tx, docs, {"1": [1, 0, 0, 0], "2": [1, 0, 0, 0.1], "3": [1, 0, 0, 0.2]})
        assert [result.document_key for result in await search(tx, "docs", EAST, filter=condition)] == keys


@on_database
async def test_a_filter_leaves_places_out_as_well(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["Same."]), prepared("b", ["Same."], metadata={"team": "x"}))
        await store(tx, docs, {"Same.": [1, 0, 0, 0]})
        [found] = await search(tx, "docs", EAST, filter={"team": "x"})
    assert (found.document_key, list(found.locations)) == ("b", [])


@pytest.mark.parametrize(("k", "rows"), [(0, 0), (1, 1), (3, 3), (50, 3)])
@on_database
async def test_there_are_k_results_or_as_many_as_match(db: Database, k: int, rows: int) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["1", "2", "3", "without a vector"]))
        await store(tx, docs, {"1": [1, 0, 0, 0], "2": [0, 1, 0, 0], "3": [0, 0, 1, 0]})
        assert len(await search(tx, "docs", EAST, k=k)) == rows


@on_database
async def test_a_collection_that_never_ran_has_no_results(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await collections.apply(tx, collection_settings("fresh", docs.table.model))
        assert await search(tx, "fresh", EAST) == []
        assert await search(tx, "docs", EAST) == []


@pytest.mark.parametrize(
    ("collection", "query", "message"),
    [
        ("dcos", [1, 0, 0, 0], "there is no collection 'dcos'"),
        ("docs", [1, 0, 0], "the query has 3 dimensions and the model of collection docs has 4"),
        ("docs", [0, 0, 0, 0], "the query vector is zero"),
        ("docs", [1, 0, 0, float("nan")], "NaN not allowed"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    database_url: str, collection: str, query: list[float], message: str
) -> None:
    async def body() -> None:
        async with Database(database_url) as db:
            await make_collection(db)
            with pytest.raises(StoreError, match=message):
                async with db.transaction() as tx:
                    await search(tx, collection, np.array(query, dtype=np.float32))

    anyio.run(body)


@on_database
async def test_a_zero_query_is_answered_where_length_matters(db: Database) -> None:
    docs = await make_collection(db, distance=Distance.L2)
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a", ["1"]))
        await store(tx, docs, {"1": [3, 4, 0, 0]})
        [found] = await search(tx, "docs", np.zeros(4, dtype=np.float32))
    assert found.score == pytest.approx(-5.0)
