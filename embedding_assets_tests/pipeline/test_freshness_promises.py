"""What burns the freshness budget and what does not, through polls, runs and ticks while hours pass."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.ports import Source
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.promises import count_missed
from embedding_assets.pipeline.reprocessing import requeue_due
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import ledger
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS
from embedding_assets_tests.support.benches import on_bench, sync_and_run, write_documents
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.passing_time import let_pass

_YEAR = 365 * 86_400
_TWENTY_MINUTES = timedelta(minutes=20)


class _Unreadable:
    """A folder in which one document can be listed and never fetched."""

    def __init__(self, source: Source, key: str) -> None:
        self._source, self._key = source, key

    def list_documents(self) -> Iterator[ListedDocument]:
        return self._source.list_documents()

    def fetch(self, document_key: str) -> Document:
        if document_key == self._key:
            raise SourceError(ErrorType.SOURCE_UNREADABLE, "the disk does not answer")
        return self._source.fetch(document_key)


async def _promises(bench: Workbench) -> tuple[float, float]:
    """Met and missed, as counted so far; whatever is missed by now is counted, and counting again adds nothing."""
    await count_missed(bench.db)
    assert await count_missed(bench.db) == 0
    async with bench.db.transaction() as tx:
        counted = await ledger.totals(tx, FRESHNESS_SLA_DOCUMENTS.name)
    return counted.get(("docs", "met"), 0), counted.get(("docs", "missed"), 0)


def _write_old(folder: Path, key: str, text: str) -> None:
    """A document last changed a year ago, as a copy that keeps its times brings it."""
    (folder / key).write_text(text, encoding="utf-8")
    then = (folder / key).stat().st_mtime - _YEAR
    os.utime(folder / key, (then, then))


def test_year_old_times_at_the_source_burn_no_budget(database_url: str, tmp_path: Path) -> None:
    for number in range(3):
        _write_old(tmp_path, f"loaded-{number}.md", f"Words number {number}.")

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        assert await _promises(bench) == (0, 0)

        await let_pass(bench.db, _TWENTY_MINUTES)
        _write_old(tmp_path, "moved-in.md", "Old words, moved in.")
        _write_old(tmp_path, "loaded-1.md", "Other words, restored with their old time.")
        await sync_source(bench)
        assert await _promises(bench) == (0, 0)
        await EmbeddingIngestionPipeline(bench).run()
        assert await _promises(bench) == (2, 0)

    on_bench(database_url, tmp_path, body)


def test_a_document_edited_every_twenty_minutes_while_the_queue_is_frozen_is_missed_once(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        missed: list[float] = []
        for edit in range(7):
            await let_pass(bench.db, _TWENTY_MINUTES)
            (tmp_path / "document-001.md").write_text(f"Edit number {edit}.", encoding="utf-8")
            await sync_source(bench)
            missed.append((await _promises(bench))[1])
        # The hour of the first edit is over with the fourth; later ones are the same promise.
        assert missed == [0, 0, 0, 1, 1, 1, 1]

        await EmbeddingIngestionPipeline(bench).run()
        assert await _promises(bench) == (0, 1)
        (tmp_path / "document-001.md").write_text("And once more, in time.", encoding="utf-8")
        await sync_and_run(bench)
        assert await _promises(bench) == (1, 1)

    on_bench(database_url, tmp_path, body)


def test_a_new_document_whose_fetch_never_succeeds_is_missed_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "unreadable.md").write_text("Nobody reads this.", encoding="utf-8")
        blind = replace(bench, source=_Unreadable(bench.source, "unreadable.md"))
        await sync_source(blind)
        statuses: list[str] = []
        for passed in (10, 40, 150, 60 * 28, 60):
            await EmbeddingIngestionPipeline(blind).run()
            statuses.append((await failed_rows(bench))[0].status)
            await let_pass(bench.db, timedelta(minutes=passed))
            await _promises(bench)
            await requeue_due(blind)
        assert statuses[-1] == "escalated"
        assert await _promises(bench) == (0, 1)

        await let_pass(bench.db, timedelta(days=3))
        await sync_and_run(blind)
        assert await _promises(bench) == (0, 1)

    on_bench(database_url, tmp_path, body)
