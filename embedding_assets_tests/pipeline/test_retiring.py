"""Dropping a model that is no longer used: all of it, in batches, and never one that is."""

import asyncio

import psycopg
import pytest

from embedding_assets.domain.models import input_hash
from embedding_assets.pipeline import retiring
from embedding_assets.pipeline.maintain import maintain
from embedding_assets.pipeline.model_build import build_model
from embedding_assets.pipeline.retiring import ModelNotKept, list_models, retire_model
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.pipeline.test_applying_models import TABLES
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.database import waiting_for_a_lock
from embedding_assets_tests.support.model_changes import ALL_SHARDS, NEW, OLD, Changing, shown

_LEFT = """
    SELECT (SELECT count(*) FROM embedding_assets.publications WHERE model_id = 1),
           (SELECT count(*) FROM embedding_assets.chunks WHERE model_id = 1),
           (SELECT count(*) FROM embedding_assets.vector_garbage WHERE model_id = 1)
"""


@pytest.fixture
def changed(published: Changing) -> Changing:
    """The model was changed: 1 is kept, 2 is active; a document was edited since."""
    published.apply(NEW)

    async def build(bench: Workbench) -> None:
        assert bench.building is not None
        assert (await build_model(bench.building, ALL_SHARDS)).cut_over

    published.on_bench(build)
    (published.folder / "document-003.md").write_text("Words of today.", encoding="utf-8")
    published.run()
    return published


def test_the_list_shows_what_is_kept_of_each_model(changed: Changing) -> None:
    async def body(bench: Workbench) -> None:
        found = await list_models(bench.db)
        assert [(one.model_id, one.name, one.state, one.documents) for one in found] == [
            (1, "openai/old", "kept", 10),
            (2, "openai/new", "active", 10),
        ]
        assert all(one.size > 0 for one in found)
        assert await list_models(bench.db, ["others"]) == []

    changed.on_bench(body)


def test_a_retired_model_leaves_nothing_and_search_goes_on(changed: Changing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "_ROWS_AT_ONCE", 3)

    async def body(bench: Workbench) -> None:
        before = await shown(bench.db)
        assert await retire_model(bench.db, "docs", 1) == 10
        assert await shown(bench.db) == before
        assert [one.model_id for one in await list_models(bench.db)] == [2]

    changed.on_bench(body)
    assert changed.rows(_LEFT) == [(0, 0, 0)]
    assert changed.rows(TABLES) == [("embeddings_1_2",)]


def test_a_retirement_that_was_killed_is_ended_by_the_next(changed: Changing) -> None:
    changed.rows("DELETE FROM embedding_assets.publications WHERE document_key < 'document-006.md' AND model_id = 1")

    async def body(bench: Workbench) -> None:
        assert await retire_model(bench.db, "docs", 1) == 4

    changed.on_bench(body)
    assert changed.rows(_LEFT) == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("model_id", "said"), [(2, "is the active one"), (1, "is being built"), (7, "keeps nothing of a model 7")]
)
def test_a_model_that_is_used_or_unknown_is_not_dropped(changed: Changing, model_id: int, said: str) -> None:
    changed.apply(OLD)

    async def body(bench: Workbench) -> None:
        before = await list_models(bench.db)
        with pytest.raises(ModelNotKept, match=said):
            await retire_model(bench.db, "docs", model_id)
        assert await list_models(bench.db) == before

    changed.on_bench(body)


def test_after_it_was_retired_going_back_costs_everything(changed: Changing, provider: Simulator) -> None:
    async def retire(bench: Workbench) -> None:
        await retire_model(bench.db, "docs", 1)

    async def build(bench: Workbench) -> None:
        assert bench.building is not None
        assert (await build_model(bench.building, ALL_SHARDS)).cut_over

    changed.on_bench(retire)
    changed.apply(OLD)
    provider.reset()
    changed.on_bench(build)
    assert provider.counters().inputs == 28


def test_what_is_erased_is_purged_under_the_model_that_is_kept_as_well(changed: Changing) -> None:
    kept = "SELECT count(*) FROM embedding_assets.embeddings_1_1"
    assert changed.rows(kept) == [(30,)]
    (changed.folder / "document-007.md").unlink()
    changed.run()

    async def purge(bench: Workbench) -> None:
        outcome = await maintain(bench, grace_seconds=0)
        # Three chunks of the edited and of the deleted document under the old model, and of both under the new one.
        assert (outcome.deleted, outcome.in_grace) == (12, 0)

    changed.on_bench(purge)
    assert changed.rows(kept) == [(24,)]


def test_it_waits_for_the_settles_in_progress_which_drop_chunks_of_every_model(
    changed: Changing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "_ROWS_AT_ONCE", 1)
    (changed.folder / "document-009.md").write_text("Words of today.", encoding="utf-8")

    async def body(bench: Workbench) -> None:
        async with await psycopg.AsyncConnection.connect(bench.db.url) as third:
            marked = input_hash(f"new: document-009: {paragraph(9, 0)}")
            await third.execute(
                "INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash) VALUES (1, 2, %s)",
                [marked],
            )
            run = asyncio.create_task(changed.run_now())
            await waiting_for_a_lock(bench.db)
            retirement = asyncio.create_task(retire_model(bench.db, "docs", 1))
            await waiting_for_a_lock(bench.db, transactions=2)
            assert changed.rows(_LEFT)[0][:2] == (10, 27)
            await third.rollback()
            assert (await run).total.published == 1
            await retirement

    changed.on_bench(body)
    assert changed.rows(_LEFT) == [(0, 0, 0)]
