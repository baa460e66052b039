"""Counts of what is queued and tracked, kept as signed deltas by triggers: putting them together, and checking them.

Not here: reading them (metric_readings), the triggers (migrations).
"""

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("count_deltas")


async def put_together(tx: Tx, *, rows: int) -> int:
    """Make few rows of the oldest `rows` deltas; how many there were. Waits for nobody."""
    row = await (await tx.execute(_SQL["put_together"], {"rows": rows})).fetchone()
    return row[0] if row else 0


async def reconcile(tx: Tx, collection_id: int) -> int:
    """Count what the deltas stand for, and correct them; by how much they were off, 0 unless somebody went past the triggers."""
    row = await (await tx.execute(_SQL["reconcile"], {"collection_id": collection_id})).fetchone()
    return row[0] if row else 0
