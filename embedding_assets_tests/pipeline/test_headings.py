"""Headings travel with a chunk: into what is stored, what search shows, and what is sent; and back from what is stored."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.models import LONGEST_LABEL
from embedding_assets.pipeline.estimating import estimate
from embedding_assets.pipeline.ingest import ALL_SHARDS
from embedding_assets.pipeline.model_build import build_model
from embedding_assets.pipeline.repair import repair_vectors
from embedding_assets.pipeline.search import search_text
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model, sync_and_run
from embedding_assets_tests.support.model_changes import Changing
from embedding_assets_tests.support.published import published_chunks, stored_vectors

_GUIDE = """\
# Guide

Welcome to the guide, which says in some words what is here and for whom.

## Install

Run the installer as the words of this long paragraph say, then look around.

### On Debian

Use the package of the distribution, which is older than the one we make.

## Use

Call it, and what it prints is what this long paragraph says that it prints.
"""
_TEMPLATE = "{title}|{headings}|{content}"
_UNDER = [("Guide",), ("Guide", "Install"), ("Guide", "Install", "On Debian"), ("Guide", "Use")]

Body = Callable[[Workbench, Simulator], Awaitable[None]]


def _on_bench(database_url: str, folder: Path, body: Body, template: str = _TEMPLATE) -> None:
    async def run() -> None:
        with Simulator() as provider:
            chunking = ChunkingStrategy("markdown", 120, 0)
            model = simulated_model(provider, template=template)
            async with open_bench(database_url, folder, model, chunking=chunking) as bench:
                await sync_and_run(bench)
                await body(bench, provider)

    asyncio.run(run())


def _headings(database_url: str, model_id: int) -> list[tuple[str, ...] | None]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT headings FROM embedding_assets.chunks WHERE model_id = %s ORDER BY document_key, ordinal"
        return [None if one is None else tuple(one) for (one,) in connection.execute(query, [model_id])]


def test_search_shows_the_headings_that_a_chunk_was_published_under(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(_GUIDE, encoding="utf-8")

    async def body(bench: Workbench, _: Simulator) -> None:
        found = await search_text(bench, "how to install it")
        assert sorted((one.ordinal, tuple(one.headings)) for one in found) == list(enumerate(_UNDER))

    _on_bench(database_url, tmp_path, body)


@pytest.mark.parametrize(("template", "changed"), [(_TEMPLATE, 2), ("{title}|{content}", 1)])
def test_a_renamed_heading_embeds_the_chunks_under_it_anew_and_no_other(
    database_url: str, tmp_path: Path, template: str, changed: int
) -> None:
    (tmp_path / "guide.md").write_text(_GUIDE, encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.reset()
        (tmp_path / "guide.md").write_text(_GUIDE.replace("## Install", "## Set up"), encoding="utf-8")
        outcome = await sync_and_run(bench)
        assert provider.counters().inputs == changed
        assert (outcome.total.chunks, outcome.total.chunks_reused) == (4, 4 - changed)
        assert _headings(database_url, bench.target.model_id)[1:3] == [
            ("Guide", "Set up"),
            ("Guide", "Set up", "On Debian"),
        ]

    _on_bench(database_url, tmp_path, body, template)


def test_a_lost_vector_of_an_input_with_headings_is_made_again(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(_GUIDE, encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        before = await stored_vectors(bench)
        async with bench.db.transaction() as tx:
            await tx.execute(
                sql.SQL("DELETE FROM {}").format(sql.Identifier("embedding_assets", bench.target.table.name))
            )
        provider.reset()
        outcome = await repair_vectors(bench, ALL_SHARDS)
        assert (outcome.repaired, outcome.refused) == (4, {})
        assert await stored_vectors(bench) == before

    _on_bench(database_url, tmp_path, body)


def test_a_title_longer_than_any_context_makes_no_input_longer_than_its_bound(
    database_url: str, tmp_path: Path
) -> None:
    title = " ".join(map(str, range(10_000)))
    (tmp_path / "guide.md").write_text(f"# {title}\n\nText.", encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        counted = provider.counters()
        assert len((await published_chunks(bench))["guide.md"]) == counted.inputs > 400
        assert counted.tokens / counted.inputs < 2 * LONGEST_LABEL

    _on_bench(database_url, tmp_path, body)


def _publish_guide(docs: Changing) -> None:
    for path in docs.folder.iterdir():
        path.unlink()
    (docs.folder / "guide.md").write_text(_GUIDE, encoding="utf-8")
    docs.apply(strategy="markdown")
    docs.run()


async def _build(bench: Workbench) -> None:
    assert bench.building is not None
    outcome = await build_model(bench.building, ALL_SHARDS)
    assert (outcome.documents, outcome.cut_over) == (1, True)


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "published before they were"])
def test_a_model_with_headings_is_built_from_what_is_stored(docs: Changing, *, kept: bool) -> None:
    _publish_guide(docs)
    if not kept:
        docs.rows("UPDATE embedding_assets.chunks SET headings = NULL")
    step = docs.apply("new", strategy="markdown", template=_TEMPLATE)
    assert step.applied.building is not None

    async def build(bench: Workbench) -> None:
        found = await estimate(bench)
        assert bench.building is not None
        assert (found.model.documents, found.model.to_send) == (1, 4)
        tokens = await _tokens(bench, bench.building)
        assert found.model.tokens == tokens
        await _build(bench)

    docs.on_bench(build)
    url = docs.settings.database_url.get_secret_value()
    assert _headings(url, step.applied.building.id) == _UNDER
    before = docs.rows("SELECT input_hash FROM embedding_assets.chunks WHERE model_id = %s", step.applied.building.id)
    # A document processed anew makes the same inputs as the build did: nothing more is embedded.
    (docs.folder / "guide.md").write_text(_GUIDE + "\n", encoding="utf-8")
    assert docs.run().total.chunks_reused == 4
    after = docs.rows("SELECT input_hash FROM embedding_assets.chunks WHERE model_id = %s", step.applied.building.id)
    assert sorted(before) == sorted(after)


async def _tokens(bench: Workbench, building: Workbench) -> int:
    chunks = (await published_chunks(bench))["guide.md"]
    texts = [
        building.target.model.input_for(one.content, "Guide", headings)
        for one, headings in zip(chunks, _UNDER, strict=True)
    ]
    return sum(building.embedder.count_tokens(texts))


def test_a_model_without_headings_is_built_of_chunks_that_have_none(docs: Changing) -> None:
    _publish_guide(docs)
    docs.rows("UPDATE embedding_assets.chunks SET headings = NULL WHERE ordinal > 0")
    step = docs.apply("new", strategy="markdown")
    assert step.applied.building is not None
    docs.on_bench(_build)
    url = docs.settings.database_url.get_secret_value()
    assert _headings(url, step.applied.building.id) == [("Guide",), None, None, None]
