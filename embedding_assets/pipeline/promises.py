"""A missed promise is counted at its deadline, once, whether or not anything is ever published.

Called by every run at its start and by every tick of a schedule or sensor: it must work when no run succeeds.
"""

from embedding_assets.store import ledger, promises
from embedding_assets.store.database import Database
from embedding_assets.telemetry import FRESHNESS_PROMISES

_AT_ONCE = 10_000


async def count_missed(db: Database) -> int:
    """Count the promises of all collections whose deadline has passed; how many. Safe to run many times at once."""
    counted = 0
    while True:
        async with db.transaction() as tx:
            missed = await promises.take_missed(tx, promises=_AT_ONCE)
            values = {(collection, "missed"): float(number) for collection, number in missed.items()}
            await ledger.add(tx, FRESHNESS_PROMISES, values)
        counted += sum(missed.values())
        if sum(missed.values()) < _AT_ONCE:
            return counted
