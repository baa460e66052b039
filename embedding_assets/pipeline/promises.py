"""A missed promise is counted at its deadline, once, whether or not anything is ever published.

Called by every run at its start and by every tick of a schedule or sensor: it must work when no run succeeds.
"""

from functools import partial

from embedding_assets.domain.counts import Counts
from embedding_assets.pipeline.settled_counts import folded_counts
from embedding_assets.store import ledger, promises, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS

_AT_ONCE = 10_000
# A run folds what arrived before each claim: what lies so long was left by all of them.
_LEFT_SECONDS = 60.0
# A load of millions is the runs' affair; a tick has a minute.
_FOLDS = 10


async def count_missed(db: Database) -> int:
    """Count the promises of all collections whose deadline has passed; how many. Safe to run many times at once.

    Changes that no run has folded get their promises here: with no run, or with a circuit open, none would ever begin.
    """
    await _fold_what_was_left(db)
    counted = batch = 0
    while (batch := await db.atomically(_count_some)) == _AT_ONCE:
        counted += batch
    return counted + batch


async def _fold_what_was_left(db: Database) -> None:
    async with db.transaction() as tx:
        left = await promises.left_unfolded(tx, seconds=_LEFT_SECONDS)
    for collection_id, name in left:
        for _ in range(_FOLDS):
            if await db.atomically(partial(_fold_some, collection_id=collection_id, name=name)) < _AT_ONCE:
                break


async def _fold_some(tx: Tx, *, collection_id: int, name: str) -> int:
    folded = await work_queue.fold(tx, collection_id, arrivals=_AT_ONCE)
    if folded.arrivals:
        await ledger.enter(tx, folded_counts(name, folded))
    return folded.arrivals


async def _count_some(tx: Tx) -> int:
    missed = await promises.take_missed(tx, promises=_AT_ONCE)
    counts = Counts()
    for name, number in missed.items():
        FRESHNESS_SLA_DOCUMENTS.add(counts, name, "missed", by=number)
    if counts:
        await ledger.enter(tx, counts)
    return sum(missed.values())
