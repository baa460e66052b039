"""A table in another database through the whole pipeline: polled by its time of change, reconciled by a listing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime

import psycopg
import pytest

from embedding_assets.domain.documents import ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.postgres_table import PolledTableSource, PostgresTableSource
from embedding_assets.store import source_listings
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import changed_run, open_bench, simulated_model, sync_and_run
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.foreign import ARTICLES, COLUMNS, execute, opened
from embedding_assets_tests.support.published import published_chunks

_THREE = "INSERT INTO articles (title, body) SELECT 'T' || n, 'The text of ' || n FROM generate_series(1, 3) AS n"


def _on_table(
    database_url: str,
    app_url: str,
    body: Callable[[Workbench], Awaitable[None]],
    *,
    source: type[PostgresTableSource] = PolledTableSource,
    max_bytes: int = 1000,
) -> None:
    async def run() -> None:
        columns = COLUMNS if source is PolledTableSource else replace(COLUMNS, updated_at=None, deleted_at=None)
        with Simulator() as provider, opened(app_url, columns, rows_a_page=500) as table:
            made = source(table, columns, max_bytes=max_bytes)
            async with open_bench(database_url, made, simulated_model(provider)) as bench:
                await body(bench)

    asyncio.run(run())


async def _due(bench: Workbench, key: str) -> tuple[datetime, datetime]:
    """From when the freshness of this document counts, and the last poll before the one that found it."""
    async with bench.db.transaction() as tx:
        row = await (
            await tx.execute(
                "SELECT least(greatest(a.changed_at, a.not_before), a.enqueued_at), a.not_before "
                "FROM embedding_assets.work_arrivals AS a WHERE a.document_key = %s",
                [key],
            )
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_table_is_loaded_whole_once_and_then_asked_for_its_changes(
    database_url: str, empty_database_url: str
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        found, tally = await changed_run(bench)
        assert (found.initial, found.whole, found.enqueued, tally.published) == (True, True, 3, 3)
        execute(
            empty_database_url,
            "UPDATE articles SET body = 'other', updated_at = now() WHERE id = 2",
            "INSERT INTO articles (body) VALUES ('new')",
        )
        found, tally = await changed_run(bench)
        assert (found.whole, found.difference.new, found.difference.changed, found.enqueued) == (False, 1, 1, 2)
        assert (tally.published, tally.freshness_met) == (2, 2)
        found, tally = await changed_run(bench)
        assert (found.enqueued, tally.settled) == (0, 0)

    _on_table(database_url, empty_database_url, body)


def test_a_row_with_a_time_of_long_ago_is_found_by_the_reconcile(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        execute(
            empty_database_url,
            "INSERT INTO articles (body, updated_at) VALUES ('moved in', now() - interval '2 hours')",
        )
        assert (await sync_source(bench)).difference.new == 0
        assert (await sync_source(bench, whole=True)).difference.new == 1

    _on_table(database_url, empty_database_url, body)


@pytest.mark.parametrize("polls_meanwhile", [1, 4])
def test_what_a_transaction_writes_carries_its_beginning_and_is_found_however_late_it_commits(
    database_url: str, empty_database_url: str, polls_meanwhile: int
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        with psycopg.connect(empty_database_url) as slow:
            slow.execute("SELECT 1")
            for _ in range(polls_meanwhile):
                # Each poll would let a cursor that knows nothing of open transactions go on, past this one's beginning.
                await asyncio.sleep(0.02)
                await sync_source(bench)
            slow.execute("INSERT INTO articles (body) VALUES ('late')")
            slow.commit()
        found = await sync_source(bench)
        assert (found.whole, found.difference.new) == (False, 1)
        due, last_poll = await _due(bench, "4")
        assert due == last_poll, "nobody could see it before: the clock starts at the poll that did not show it"

    async def without_overlap() -> None:
        with Simulator() as provider, opened(empty_database_url) as table:
            made = PolledTableSource(table, COLUMNS, overlap_seconds=0)
            async with open_bench(database_url, made, simulated_model(provider)) as bench:
                await body(bench)

    asyncio.run(without_overlap())


def test_deletions_are_found_by_their_mark_and_hard_ones_by_the_reconcile(
    database_url: str, empty_database_url: str
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(
            empty_database_url,
            "UPDATE articles SET deleted_at = now() WHERE id = 1",
            "DELETE FROM articles WHERE id = 2",
        )
        found, tally = await changed_run(bench)
        assert (found.difference.missing, found.enqueued, tally.deleted) == (1, 1, 1)
        assert set(await published_chunks(bench)) == {"2", "3"}
        found = await sync_source(bench, whole=True)
        assert (found.whole, found.difference.missing, found.enqueued) == (True, 1, 1)
        due, listed_before = await _due(bench, "2")
        assert due == listed_before, "when it went nobody knows: it may be as old as the last listing"
        await sync_and_run(bench)
        assert set(await published_chunks(bench)) == {"3"}

    _on_table(database_url, empty_database_url, body)


def test_a_change_without_a_new_time_is_found_by_the_reconcile(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(empty_database_url, "UPDATE articles SET body = 'silently' WHERE id = 1")
        # Within the overlap of now: so that only the listing can find it, its time is of long ago.
        execute(empty_database_url, "UPDATE articles SET updated_at = now() - interval '1 day'")
        assert (await sync_source(bench)).enqueued == 0
        assert (await sync_source(bench, whole=True)).difference.changed == 1

    _on_table(database_url, empty_database_url, body)


def test_a_listing_that_is_overdue_is_made_by_the_next_poll(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        assert not (await sync_source(bench)).whole
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.collections SET last_listed_at = now() - interval '37 hours'")
        assert (await sync_source(bench)).whole
        assert not (await sync_source(bench)).whole

    _on_table(database_url, empty_database_url, body)


def test_a_cursor_that_is_not_the_sources_leads_to_a_listing(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.collections SET source_cursor = 'of another release'")
        found = await sync_source(bench)
        assert (found.whole, found.enqueued) == (True, 0)
        assert not (await sync_source(bench)).whole

    _on_table(database_url, empty_database_url, body)


def test_a_poll_that_fails_keeps_its_cursor_and_what_it_would_have_told(
    database_url: str, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        execute(empty_database_url, "UPDATE articles SET body = 'other', updated_at = now()")
        with monkeypatch.context() as broken:
            broken.setattr(source_listings, "remember_changes", _fail)
            with pytest.raises(RuntimeError):
                await sync_source(bench)
        async with bench.db.transaction() as tx:
            rows = await tx.execute("SELECT count(*) FROM embedding_assets.work_arrivals")
            assert await rows.fetchone() == (3,), "those of the initial load"
        assert (await sync_source(bench)).difference.changed == 3

    _on_table(database_url, empty_database_url, body)


async def _fail(*_: object, **__: object) -> None:
    raise RuntimeError


def test_a_source_whose_table_goes_away_is_one_failure_and_no_deletion(
    database_url: str, empty_database_url: str
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(empty_database_url, "ALTER TABLE articles RENAME TO archive")
        for whole in (False, True):
            with pytest.raises(SourceError) as caught:
                await sync_source(bench, whole=whole)
            assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
        execute(empty_database_url, "ALTER TABLE archive RENAME TO articles")
        found, tally = await changed_run(bench)
        assert (found.enqueued, tally.failed, tally.deleted) == (0, 0, 0)

    _on_table(database_url, empty_database_url, body)


def test_a_table_that_is_suddenly_empty_keeps_its_documents_and_says_so(
    database_url: str, empty_database_url: str
) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) SELECT n FROM generate_series(1, 30) AS n")

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(empty_database_url, "TRUNCATE articles")
        found, tally = await changed_run(bench)
        assert (found.whole, tally.deleted) == (False, 0)
        found = await sync_source(bench, whole=True)
        assert (found.withheld, found.enqueued) == (30, 0)
        async with bench.db.transaction() as tx:
            assert (await source_listings.poll_state(tx, bench.target.collection_id)).withheld_deletions == 30
        await sync_source(bench)
        async with bench.db.transaction() as tx:
            assert (await source_listings.poll_state(tx, bench.target.collection_id)).withheld_deletions == 30
        confirmed = await sync_source(bench, confirm_deletions=True)
        assert (confirmed.withheld, confirmed.enqueued) == (0, 30)
        async with bench.db.transaction() as tx:
            assert (await source_listings.poll_state(tx, bench.target.collection_id)).withheld_deletions == 0

    _on_table(database_url, empty_database_url, body)


def test_a_row_that_vanishes_between_listing_and_reading_is_a_deletion(
    database_url: str, empty_database_url: str
) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(empty_database_url, "UPDATE articles SET body = 'other', updated_at = now()")
        await sync_source(bench)
        execute(
            empty_database_url,
            "DELETE FROM articles WHERE id = 1",
            "UPDATE articles SET deleted_at = now() WHERE id = 2",
        )
        _, tally = await changed_run(bench)
        assert (tally.published, tally.deleted, tally.failed) == (1, 2, 0)

    _on_table(database_url, empty_database_url, body)


def test_awkward_rows_fail_alone_or_are_published(database_url: str, empty_database_url: str) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE articles (id text PRIMARY KEY, title text, body text, tags jsonb, updated_at timestamptz DEFAULT now(), "
        "deleted_at timestamptz)",
        "INSERT INTO articles (id, title, body, tags) VALUES ('it''s \"q\"\n/ünd 😀%', E'two\nlines', 'text', '[null]'), "
        "('null', NULL, NULL, NULL), ('empty', '', '', '{}'), ('large', 'L', repeat('x', 1001), NULL), "
        "('escape', 'E', 'text', '\"\\\\u0000\"'), (repeat('k', 2001), 'K', 'text', NULL)",
    )

    async def body(bench: Workbench) -> None:
        found = await sync_source(bench)
        assert (found.enqueued, found.unnameable) == (5, 1)
        _, tally = await changed_run(bench)
        assert (tally.published, tally.errors) == (4, {"too_large": 1})
        assert [(row.document_key, row.error_type) for row in await failed_rows(bench)] == [("large", "too_large")]
        assert set(await published_chunks(bench)) >= {'it\'s "q"\n/ünd 😀%', "escape"}

    _on_table(database_url, empty_database_url, body)


def test_a_table_without_a_time_of_change_is_listed_at_each_poll(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, _THREE)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        execute(
            empty_database_url,
            "UPDATE articles SET body = 'silently' WHERE id = 1",
            "DELETE FROM articles WHERE id = 2",
        )
        found, tally = await changed_run(bench)
        assert (found.whole, found.difference.changed, tally.published, tally.deleted) == (True, 1, 1, 1)

    _on_table(database_url, empty_database_url, body, source=PostgresTableSource)


def test_a_source_that_hangs_while_it_is_listed_is_left_behind(database_url: str, empty_database_url: str) -> None:
    class Hanging(PostgresTableSource):
        def list_documents(self) -> Iterator[ListedDocument]:
            yield ListedDocument("1", "1", None)
            time.sleep(5)

    async def body(bench: Workbench) -> None:
        hurried = replace(bench, pace=replace(bench.pace, max_run_seconds=0.2))
        with pytest.raises(SourceError, match=r"said nothing for 0\.2 s") as caught:
            await sync_source(hurried)
        assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE

    execute(empty_database_url, ARTICLES)
    _on_table(database_url, empty_database_url, body, source=Hanging)


def test_many_rows_are_loaded_and_none_twice(database_url: str, empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) SELECT n FROM generate_series(1, 12000) AS n")

    async def body(bench: Workbench) -> None:
        found = await sync_source(bench)
        assert (found.difference.listed, found.enqueued) == (12_000, 12_000)
        execute(empty_database_url, "UPDATE articles SET updated_at = now() + interval '1 second'")
        found = await sync_source(bench)
        assert (found.difference.listed, found.enqueued) == (12_000, 0), "the time alone is no change"

    _on_table(database_url, empty_database_url, body)
