"""The process in which documents change: each second a new version of one at the source, reported to the queue as live.

Not here: when a change was published (freshness).
"""

import asyncio
import time
from datetime import datetime, timezone
from pathlib import Path

from embedding_assets.domain.work import Lane
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets_tests.support.generated import change, generated_keys

# Prime to any number of documents it does not divide: change after change meets another document, all over the corpus.
_STRIDE = 7919


def make_changes(database_url: str, collection_id: int, changes: Path, documents: int, per_minute: int) -> None:
    """Steadily so many, for ever; one that came late does not delay the next."""
    asyncio.run(_make_changes(database_url, collection_id, changes, generated_keys(documents), per_minute))


async def _make_changes(database_url: str, collection_id: int, changes: Path, keys: list[str], per_minute: int) -> None:
    due, number = time.monotonic(), 0
    async with Database(database_url, pool_size=1, application_name="producer") as db:
        while True:
            number += 1
            key = keys[changed_document(number, len(keys))]
            changed_at = datetime.now(timezone.utc)
            change(changes, key, number)
            async with db.transaction() as tx:
                await work_queue.enqueue(tx, collection_id, [(key, changed_at)], lane=Lane.LIVE)
                await tx.execute("INSERT INTO public.changes VALUES (%s, %s, %s)", [number, key, changed_at])
            due += 60 / per_minute
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def changed_document(number: int, documents: int) -> int:
    """Which document a change is of: by turns one of the first, which a backfill reaches soon, and one from anywhere."""
    return (number // 2) % documents if number % 2 else (number * _STRIDE) % documents
