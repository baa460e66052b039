"""A backup by pg_dump, restored elsewhere: what was published is found, what waited goes on, counters are those of the backup."""

import asyncio
from pathlib import Path

import psycopg

from embedding_assets.pipeline.maintain import maintain
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.store import search
from embedding_assets_tests.simulator import Simulator, expected_vector
from embedding_assets_tests.support.benches import (
    DIMENSIONS,
    open_bench,
    paragraph,
    simulated_model,
    sync_and_run,
    write_documents,
)
from embedding_assets_tests.support.postgres_programs import call

_COUNTED = "SELECT coalesce(sum(value), 0)::float8 FROM embedding_assets.metric_counters"
_FENCES = "SELECT coalesce(max(version), 0) FROM embedding_assets.documents"


def _value(url: str, query: str) -> float:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


def test_a_restored_backup_is_searched_goes_on_with_its_queue_and_counts_from_where_it_was(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    corpus, backup = tmp_path / "corpus", tmp_path / "backup"
    corpus.mkdir()
    write_documents(corpus, 5)
    asyncio.run(_before(database_url, corpus, backup))
    counted_later = _value(database_url, _COUNTED)
    restored = call("pg_restore", "--exit-on-error", f"--dbname={empty_database_url}", str(backup))
    assert restored.returncode == 0, restored.stderr
    counted = _value(empty_database_url, _COUNTED)
    # A counter that goes back is a restart to Prometheus: increase() adds its whole value once more.
    assert 0 < counted < counted_later
    fence = _value(empty_database_url, _FENCES)
    asyncio.run(_after(empty_database_url, corpus))
    assert _value(empty_database_url, _FENCES) > fence
    assert _value(empty_database_url, _COUNTED) > counted


async def _before(url: str, corpus: Path, backup: Path) -> None:
    """Publish, queue two more, take the backup, then go on: that work is lost with the server."""
    with Simulator() as provider:
        async with open_bench(url, corpus, simulated_model(provider)) as bench:
            await sync_and_run(bench)
            (corpus / "live.md").write_text(
                "A change of which it is counted whether it came in time.", encoding="utf-8"
            )
            await sync_and_run(bench)
            await maintain(bench, grace_seconds=0)
            (corpus / "waiting.md").write_text("It waited when the backup was taken.", encoding="utf-8")
            await sync_source(bench)
            dumped = call("pg_dump", "--format=custom", f"--file={backup}", url)
            assert dumped.returncode == 0, dumped.stderr
            (corpus / "later.md").write_text("It came after the backup.", encoding="utf-8")
            await sync_and_run(bench)


async def _after(url: str, corpus: Path) -> None:
    with Simulator() as provider:
        async with open_bench(url, corpus, simulated_model(provider)) as bench:
            async with bench.db.transaction() as tx:
                hits = await search.search(tx, "docs", expected_vector(paragraph(2, 0), DIMENSIONS), k=1)
            assert [hit.document_key for hit in hits] == ["document-002.md"]
            # What waited is in the backup's queue; what came later the next poll finds.
            done = await sync_and_run(bench)
            assert done.total.published == 2
            assert provider.counters().inputs == 2
            again = await maintain(bench, grace_seconds=0)
            assert not again.index.built
