"""Hostile documents, all in one run of the real pipeline: each ends published or as one failure, the others are unharmed."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets_tests.acceptance.hostile_documents import CASES, METADATA, Hostile, HostileSource, metadata_key
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model, sync_and_run
from embedding_assets_tests.support.failed import FailedRow, failed_rows
from embedding_assets_tests.support.published import PublishedChunk, published_chunks, queue_is_empty
from embedding_assets_tests.support.server import fresh_database


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What one run over all of them left."""

    chunks: dict[str, list[PublishedChunk]]
    failed: dict[str, FailedRow]
    stored: dict[str, str]
    queue_is_empty: bool


@pytest.fixture(scope="module")
def afterwards(administration: psycopg.Connection, server_url: str) -> Iterator[Afterwards]:
    """The run, in a database of this module's own."""

    async def body(url: str) -> Afterwards:
        with Simulator() as provider:
            async with open_bench(url, HostileSource(), simulated_model(provider)) as bench:
                await sync_and_run(bench)
                failed = {row.document_key: row for row in await failed_rows(bench)}
                return Afterwards(
                    await published_chunks(bench), failed, await _stored(bench), await queue_is_empty(bench)
                )

    with fresh_database(administration, server_url) as url:
        yield asyncio.run(body(url))


async def _stored(bench: Workbench) -> dict[str, str]:
    async with bench.db.transaction() as tx:
        return dict(await (await tx.execute("SELECT document_key, content FROM embedding_assets.documents")).fetchall())


def _one_failure(afterwards: Afterwards, key: str, error_type: ErrorType) -> None:
    row = afterwards.failed[key]
    assert (row.error_type, row.attempts, row.status) == (error_type.value, 1, "retrying")
    assert key not in afterwards.chunks


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_document_is_published_whole_or_fails_with_its_reason(afterwards: Afterwards, case: Hostile) -> None:
    if case.fails:
        _one_failure(afterwards, case.key, case.fails)
        return
    content = afterwards.stored[case.key]
    assert case.says in content
    assert not any(text in content for text in case.never)
    covered = {at for chunk in afterwards.chunks[case.key] for at in range(chunk.start, chunk.end)}
    assert {at for at, character in enumerate(content) if not character.isspace()} <= covered
    assert all(content[chunk.start : chunk.end] == chunk.content for chunk in afterwards.chunks[case.key])


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_is_no_json_fails_its_document_alone(afterwards: Afterwards, name: str) -> None:
    fails = METADATA[name][1]
    if fails:
        _one_failure(afterwards, metadata_key(name), fails)
    else:
        assert afterwards.chunks[metadata_key(name)]


def test_their_neighbours_are_published_and_nothing_is_left_in_the_queue(afterwards: Afterwards) -> None:
    good = HostileSource().good
    assert {key: afterwards.stored[key] for key in good} == good
    assert afterwards.queue_is_empty
    expected = {case.key for case in CASES.values() if case.fails} | {
        metadata_key(name) for name, (_, fails) in METADATA.items() if fails
    }
    assert set(afterwards.failed) == expected


def test_a_folders_files_of_fifty_megabytes_or_with_hostile_names_harm_nobody(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    outside = tmp_path / "outside.md"
    outside.write_text("Not ours.", encoding="utf-8")
    (folder / "link.md").symlink_to(outside)
    names = ['it\'s "quoted".md', "two\nlines.md", "esc\x1b[31m\x07.md", "|`<b>`|.md", "good.md"]
    for name in names:
        (folder / name).write_text(f"The text of {name!r}.", encoding="utf-8")
    with (folder / "large.md").open("wb") as file:
        file.truncate(50_000_000)

    async def body() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, DirectorySource(folder), simulated_model(provider)) as bench:
                outcome = await sync_and_run(bench)
                assert (outcome.total.published, outcome.total.errors) == (len(names), {"too_large": 1})
                [row] = await failed_rows(bench)
                assert (row.document_key, row.attempts) == ("large.md", 1)
                assert sorted(await published_chunks(bench)) == sorted(names)

    asyncio.run(body())
