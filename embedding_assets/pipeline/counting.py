"""The counts of what is queued and tracked: put together after a run, held against the rows once a day.

Not here: keeping them, which the database does by itself.
"""

import logging

from embedding_assets.store import count_deltas
from embedding_assets.store.database import Database

_log = logging.getLogger(__name__)

# A transaction of some milliseconds.
_ROWS_AT_ONCE = 10_000


async def put_counts_together(db: Database) -> None:
    """Make few rows of many. Safe to run many times at once: each takes what the others left."""
    while await db.atomically(lambda tx: count_deltas.put_together(tx, rows=_ROWS_AT_ONCE)) == _ROWS_AT_ONCE:
        pass


async def reconcile_counts(db: Database, collection_id: int) -> int:
    """Correct what is off; by how many documents it was."""
    await put_counts_together(db)
    off = await db.atomically(lambda tx: count_deltas.reconcile(tx, collection_id))
    if off:
        _log.error("the counts of collection %d were off by %d documents, and were corrected", collection_id, off)
    return off
