"""Collections as applied: what every worker agrees on."""

from dataclasses import replace

import pytest

from embedding_assets.domain.failures import StoreError
from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.store import collections
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import collection_settings, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.documents import prepared, publish

MODEL = EmbeddingModel("openai/some", 8, "halfvec", Distance.L2, "{title}: {content}", normalized=True)


@on_database
async def test_what_was_applied_is_found_with_its_model(db: Database) -> None:
    settings = replace(collection_settings("docs", MODEL), owner="team", limit_name="vertex", paused=True)
    async with db.transaction() as tx:
        model_id = await collections.apply(tx, settings)
        found = await collections.find(tx, "docs")
        assert await collections.find(tx, "others") is None
    assert found is not None
    assert (found.name, found.owner, found.limit_name, found.paused) == ("docs", "team", "vertex", True)
    assert (found.source, found.chunking) == (settings.source, settings.chunking)
    assert (found.chunker_fingerprint, found.active.wire_format) == (settings.chunker_fingerprint, None)
    assert (found.model_id, found.model, found.active.fingerprint) == (model_id, MODEL, MODEL.fingerprint)
    assert (found.tracked_since, found.last_poll_at) == (None, None)


@on_database
async def test_applying_again_changes_the_same_collection_and_keeps_its_tracking(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.collections SET tracked_since = now()")
        before = await collections.find(tx, "docs")
        await collections.apply(tx, collection_settings("docs", docs.table.model, chunker="chunker-2"))
        after = await collections.find(tx, "docs")
    assert before is not None
    assert after == replace(before, chunker_fingerprint="chunker-2")


@on_database
async def test_collections_of_one_model_share_it_and_another_fingerprint_is_another_model(db: Database) -> None:
    async with db.transaction() as tx:
        first = await collections.apply(tx, collection_settings("a", MODEL))
        same = await collections.apply(tx, collection_settings("b", MODEL))
        other = await collections.apply(tx, collection_settings("c", replace(MODEL, input_template="{content}")))
        assert (first == same, first == other) == (True, False)
        assert await collections.names(tx) == ["a", "b", "c"]


@on_database
async def test_a_collection_knows_whether_anything_is_published(db: Database) -> None:
    docs = await make_collection(db)
    await make_collection(db, "others")
    async with db.transaction() as tx:
        assert not await collections.has_publications(tx, "docs")
        await publish(tx, docs, prepared("a", []))
        assert await collections.has_publications(tx, "docs")
        assert not await collections.has_publications(tx, "others")


@on_database
async def test_what_the_provider_speaks_is_remembered(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await collections.remember_wire_format(tx, docs.model_id, "float")
        found = await collections.find(tx, "docs")
    assert found is not None
    assert found.active.wire_format == "float"


@pytest.mark.parametrize("name", ["Docs", "1st", "do-cs", "", "d" * 42, "docs; DROP TABLE"])
@on_database
async def test_a_name_that_could_not_name_a_table_is_refused(db: Database, name: str) -> None:
    with pytest.raises(StoreError, match="collections_name_check"):
        async with db.transaction() as tx:
            await collections.apply(tx, collection_settings(name, MODEL))
