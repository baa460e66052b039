"""Failed documents back to the queue, when their retry is due or a person says so; or dismissed, for good.

A document's row and its arrival change in one transaction; rows another holds are skipped, so that all of this may run
twice at once and moves nothing twice.
"""

from collections.abc import Awaitable, Sequence
from functools import partial
from itertools import groupby
from typing import Protocol

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import failures, ledger, promises, triage, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.triage import FailedDocument
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS

_AT_ONCE = 1000


class _Act(Protocol):
    """What is done with some documents of one collection; how many it was done with."""

    def __call__(self, tx: Tx, *, collection_id: int, keys: Sequence[str]) -> Awaitable[int]: ...


async def requeue_due(bench: Workbench) -> int:
    """Move failed documents whose next retry is due back to the queue; how many."""
    collection_id = bench.target.collection_id

    async def move(tx: Tx) -> int:
        due = await failures.take_due(tx, collection_id)
        await _enqueue(tx, collection_id, due)
        return len(due)

    return await bench.db.atomically(move)


async def retry(db: Database, documents: Sequence[FailedDocument]) -> int:
    """Put these back in the queue, each in the lane it had, as a new episode; how many it was done with."""

    async def put_back(tx: Tx, *, collection_id: int, keys: Sequence[str]) -> int:
        back = await triage.put_back(tx, collection_id, keys)
        await _enqueue(tx, collection_id, back)
        return len(back)

    return await _in_batches(db, documents, put_back)


async def dismiss(db: Database, documents: Sequence[FailedDocument]) -> int:
    """Try these no more until their content changes; how many it was done with.

    Their promises end here, as missed: nobody waits for them any more.
    """
    names = {document.collection_id: document.collection for document in documents}

    async def end(tx: Tx, *, collection_id: int, keys: Sequence[str]) -> int:
        dismissed = await triage.dismiss(tx, collection_id, keys)
        missed = await promises.give_up(tx, collection_id, dismissed)
        counts = Counts()
        FRESHNESS_SLA_DOCUMENTS.add(counts, names[collection_id], "missed", by=missed)
        if counts:
            await ledger.enter(tx, counts)
        return len(dismissed)

    return await _in_batches(db, documents, end)


async def _in_batches(db: Database, documents: Sequence[FailedDocument], act: _Act) -> int:
    """Act on these documents, some of one collection in each transaction; the sum of what it returned."""
    done = 0
    ordered = sorted((document.collection_id, document.document_key) for document in documents)
    for collection_id, group in groupby(ordered, key=lambda pair: pair[0]):
        keys = [key for _, key in group]
        for start in range(0, len(keys), _AT_ONCE):
            done += await db.atomically(partial(act, collection_id=collection_id, keys=keys[start : start + _AT_ONCE]))
    return done


async def _enqueue(tx: Tx, collection_id: int, documents: Sequence[tuple[str, Lane]]) -> None:
    """Nobody's change: no promise begins with it."""
    for lane in Lane:
        keys = [(key, None) for key, its_lane in documents if its_lane is lane]
        if keys:
            await work_queue.enqueue(tx, collection_id, keys, lane=lane)
