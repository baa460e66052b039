"""A database of an older release, restored from its dump: it migrates, and everything in it lives on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from embedding_assets import runtime
from embedding_assets.agreement import NotApplied
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.settings import Settings
from embedding_assets.store import migrations, search
from embedding_assets_tests.simulator import Simulator, expected_vector
from embedding_assets_tests.support.benches import (
    DIMENSIONS,
    open_bench,
    paragraph,
    simulated_model,
    sync_and_run,
    write_documents,
)
from embedding_assets_tests.support.failed import make_due, requeue_due
from embedding_assets_tests.support.postgres_programs import psql_file

_DUMP = Path(__file__).with_name("0008.sql")


@pytest.fixture
def older(empty_database_url: str) -> str:
    """As the release whose last migration is 0008 left it."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    psql_file(empty_database_url, _DUMP)
    return empty_database_url


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The folder as it was then."""
    write_documents(tmp_path, 6, paragraphs=2)
    (tmp_path / "document-001.md").unlink()
    (tmp_path / "document-000.md").write_text("This document changed before the upgrade.", encoding="utf-8")
    (tmp_path / "new.md").write_text("This document is new.", encoding="utf-8")
    for name in ("escalated.md", "retrying.md"):
        (tmp_path / name).write_bytes(b"\xff\xfe broken \xff")
    return tmp_path


def _with_bench(url: str, corpus: Path, body: Callable[[Workbench, Simulator], Awaitable[None]]) -> None:
    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(url, corpus, simulated_model(provider)) as bench:
                await body(bench, provider)

    asyncio.run(run())


def _rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_database_that_lacks_migrations_is_refused_with_what_to_do(older: str) -> None:
    async def open_it() -> None:
        async with runtime.open_database(Settings(database_url=SecretStr(older))):
            pass

    with pytest.raises(NotApplied, match=r"lacks migrations 0009, .*: run `embedding-assets migrate`"):
        asyncio.run(open_it())


def test_an_older_database_migrates_and_is_searched_as_before(older: str, corpus: Path) -> None:
    assert migrations.upgrade(older)[0] == "0009"
    assert migrations.missing_revisions(older) == []

    async def search_it(bench: Workbench, _: Simulator) -> None:
        question = expected_vector(paragraph(3, 1), DIMENSIONS)
        async with bench.db.transaction() as tx:
            hits = await search.search(tx, "docs", question, k=1)
        assert [hit.document_key for hit in hits] == ["document-003.md"]

    _with_bench(older, corpus, search_it)


def test_what_waited_and_what_failed_before_the_upgrade_goes_on_after_it(older: str, corpus: Path) -> None:
    migrations.upgrade(older)
    assert _rows(older, "SELECT document_key, status, attempts FROM embedding_assets.failed_documents ORDER BY 1") == [
        ("escalated.md", "escalated", 2),
        ("retrying.md", "retrying", 1),
    ]

    async def go_on(bench: Workbench, provider: Simulator) -> None:
        (corpus / "retrying.md").write_text("No longer broken.", encoding="utf-8")
        await make_due(bench)
        await requeue_due(bench)
        done = await sync_and_run(bench)
        # One changed, one new and one that failed. The other four have a new address, for the folder is another one than then:
        # they are published again, and nothing of them is asked for.
        assert (done.total.published, done.total.deleted) == (7, 1)
        assert provider.counters().inputs == 3

    _with_bench(older, corpus, go_on)
    assert _rows(older, "SELECT count(*) FROM embedding_assets.work_items") == [(0,)]
    assert _rows(older, "SELECT count(*) >= 3 FROM embedding_assets.failed_attempts") == [(True,)]


def test_the_release_before_works_on_while_a_newer_one_has_migrated(database_url: str, corpus: Path) -> None:
    """What a run of the old image finds between the migration and the rollout: a revision that it does not know."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE embedding_assets.schema_version SET version_num = '9999'")
    assert migrations.missing_revisions(database_url) == []
    assert migrations.upgrade(database_url) == []

    async def work(bench: Workbench, _: Simulator) -> None:
        assert (await sync_and_run(bench)).total.published == 6

    _with_bench(database_url, corpus, work)
    assert _rows(database_url, "SELECT version_num FROM embedding_assets.schema_version") == [("9999",)]
