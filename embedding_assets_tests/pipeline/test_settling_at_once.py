"""Settles of several runs at the same moment: whatever inputs their documents have in common, none waits for ever."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Delete, Outcome, PreparedDocument, Publish, Tally, total
from embedding_assets.pipeline.claims import Claimed, Claims
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors
from embedding_assets_tests.support.benches import DIMENSIONS, on_bench, paragraph, sync_and_run

_MARK = "INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash) VALUES (%s, %s, %s)"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def _outcome(bench: Workbench, claimed: Claimed) -> Outcome:
    read = read_document(bench, claimed.item, claimed.published, force=False)
    if not isinstance(read, PreparedDocument):
        assert isinstance(read, Delete)
        return read
    hashes = [chunk.input_hash for chunk in read.chunks]
    async with bench.db.transaction() as tx:
        await vectors.store_vectors(tx, bench.target.table, hashes, np.ones((len(hashes), DIMENSIONS), np.float32))
    return Publish(read, embedded=len(hashes))


async def _both(bench: Workbench, first: list[Outcome], second: list[Outcome], marked: bytes) -> list[dict[int, Tally]]:
    """Both settles, let go at once when each waits for a third transaction that holds the mark of this input."""
    async with await psycopg.AsyncConnection.connect(bench.db.url) as third:
        await third.execute(_MARK, [bench.target.collection_id, bench.target.model_id, marked])
        settles = [asyncio.create_task(settle(bench, outcomes)) for outcomes in (first, second)]
        while True:
            async with bench.db.transaction() as tx:
                row = await (await tx.execute(_WAITING)).fetchone()
            if row == (2,):
                break
            await asyncio.sleep(0.01)
        await third.rollback()
        return await asyncio.gather(*settles)


def test_settles_that_publish_and_delete_common_inputs_crosswise_do_not_deadlock(
    database_url: str, tmp_path: Path
) -> None:
    low, middle, high = sorted((paragraph(1, part) for part in range(3)), key=input_hash)
    texts = {"edited-1.md": [high], "deleted-1.md": [low, middle], "edited-2.md": [middle], "deleted-2.md": [low, high]}
    for key, parts in texts.items():
        (tmp_path / key).write_text("\n\n".join(parts), encoding="utf-8")

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        for number in (1, 2):
            (tmp_path / f"edited-{number}.md").write_text(paragraph(2, number), encoding="utf-8")
            (tmp_path / f"deleted-{number}.md").unlink()
        await sync_source(bench)
        claimed = await Claims(replace(bench, run_id="both"), list(range(16))).take(Admitted(100, 100))
        outcomes = {one.item.document_key: await _outcome(bench, one) for one in claimed}
        first, second = ([outcomes[f"edited-{number}.md"], outcomes[f"deleted-{number}.md"]] for number in (1, 2))
        settled = total(
            tally for tallies in await _both(bench, first, second, input_hash(low)) for tally in tallies.values()
        )
        assert (settled.published, settled.deleted) == (2, 2)

    on_bench(database_url, tmp_path, body)
