"""A missed promise is counted at its deadline, once, whether or not anything is ever published.

Called by every run at its start and by every tick of a schedule or sensor: it must work when no run succeeds.
"""

from embedding_assets.domain.counts import Counts
from embedding_assets.store import ledger, promises
from embedding_assets.store.database import Database, Tx
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS

_AT_ONCE = 10_000


async def count_missed(db: Database) -> int:
    """Count the promises of all collections whose deadline has passed; how many. Safe to run many times at once."""
    counted = batch = 0
    while (batch := await db.atomically(_count_some)) == _AT_ONCE:
        counted += batch
    return counted + batch


async def _count_some(tx: Tx) -> int:
    missed = await promises.take_missed(tx, promises=_AT_ONCE)
    counts = Counts()
    for name, number in missed.items():
        FRESHNESS_SLA_DOCUMENTS.add(counts, name, "missed", by=number)
    if counts:
        await ledger.enter(tx, counts)
    return sum(missed.values())
