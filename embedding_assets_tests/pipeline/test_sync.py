"""Polling a source: what is enqueued, when a disappearance is believed, and when the freshness clock starts."""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from embedding_assets.pipeline.sync import is_mass_deletion, sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import work_queue
from embedding_assets.store.source_listings import ListingDifference
from embedding_assets_tests.support.benches import changed_run, on_bench, paragraph, sync_and_run, write_documents

_YEAR_AGO = (datetime.now(timezone.utc) - timedelta(days=365)).timestamp()


async def _promises(bench: Workbench) -> dict[str, datetime]:
    async with bench.db.transaction() as tx:
        cursor = await tx.execute("SELECT document_key, due_from FROM embedding_assets.obligations")
        return dict(await cursor.fetchall())


async def _fold(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        await work_queue.fold(tx, bench.target.collection_id)


def test_the_initial_load_promises_nothing(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench) -> None:
        found = await sync_source(bench)
        await _fold(bench)
        assert (found.initial, found.enqueued) == (True, 5)
        assert await _promises(bench) == {}

    on_bench(database_url, tmp_path, body)


def test_a_change_after_the_initial_load_starts_the_clock_and_publication_keeps_the_promise(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").write_text(paragraph(70, 0), encoding="utf-8")
        found = await sync_source(bench)
        await _fold(bench)
        assert (found.initial, found.difference.changed) == (False, 1)
        assert list(await _promises(bench)) == ["document-001.md"]
        outcome = await sync_and_run(bench)
        assert (outcome.total.freshness_met, outcome.total.freshness_missed) == (1, 0)
        assert await _promises(bench) == {}

    on_bench(database_url, tmp_path, body)


def test_a_live_change_during_the_initial_load_starts_the_clock(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        (tmp_path / "document-001.md").write_text(paragraph(70, 0), encoding="utf-8")
        await sync_source(bench)
        await _fold(bench)
        assert list(await _promises(bench)) == ["document-001.md"]

    on_bench(database_url, tmp_path, body)


def test_a_new_file_with_a_year_old_time_is_due_from_the_last_poll_that_did_not_show_it(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        async with bench.db.transaction() as tx:
            row = await (await tx.execute("SELECT last_poll_at FROM embedding_assets.collections")).fetchone()
        assert row is not None
        (tmp_path / "moved-in.md").write_text("moved here from elsewhere", encoding="utf-8")
        os.utime(tmp_path / "moved-in.md", (_YEAR_AGO, _YEAR_AGO))
        await sync_source(bench)
        await _fold(bench)
        assert await _promises(bench) == {"moved-in.md": row[0]}

    on_bench(database_url, tmp_path, body)


def test_a_listing_that_lost_a_third_of_the_documents_is_not_believed(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 90, paragraphs=1)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        for number in range(30):
            (tmp_path / f"document-{number:03}.md").unlink()
        (tmp_path / "new.md").write_text("something new", encoding="utf-8")
        found, tally = await changed_run(bench)
        assert (found.withheld, found.enqueued) == (30, 1)
        assert (tally.published, tally.deleted) == (1, 0)
        confirmed = await sync_source(bench, confirm_deletions=True)
        assert (confirmed.withheld, confirmed.enqueued) == (0, 30)
        assert (await sync_and_run(bench)).total.deleted == 30

    on_bench(database_url, tmp_path, body)


def test_a_document_that_came_back_before_the_worker_looked_is_kept(database_url: str, tmp_path: Path) -> None:
    texts = write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").unlink()
        await sync_source(bench)
        (tmp_path / "document-001.md").write_text(texts["document-001.md"], encoding="utf-8")
        outcome = await sync_and_run(bench)
        assert (outcome.total.deleted, outcome.total.unchanged) == (0, 1)

    on_bench(database_url, tmp_path, body)


def test_mass_deletion_needs_both_a_share_and_a_number() -> None:
    def lost(missing: int, known: int) -> ListingDifference:
        return ListingDifference(listed=known - missing, known=known, new=0, changed=0, missing=missing)

    assert is_mass_deletion(lost(21, 100))
    assert not is_mass_deletion(lost(20, 100))
    assert not is_mass_deletion(lost(100, 1000))
    assert is_mass_deletion(lost(101, 1000))
