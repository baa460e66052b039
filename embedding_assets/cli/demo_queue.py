"""What the demo asks of the queue: poll the source, count what waits, wait for a run that was killed.

Not here: the run itself (demo_run), what is printed of it (demo).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from embedding_assets.cli.session import run_name

if TYPE_CHECKING:
    from embedding_assets.pipeline.sync import SyncOutcome
    from embedding_assets.settings import Settings
    from embedding_assets.store.database import Database


async def poll(settings: "Settings", name: str) -> "SyncOutcome":
    """Poll the source; what it found."""
    from embedding_assets.pipeline.reprocessing import requeue_due  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.sync import sync_source  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above

    async with open_workbench(settings, name, run_id=run_name()) as bench:
        found = await sync_source(bench)
        await requeue_due(bench)
        return found


async def queued_for_us(settings: "Settings", name: str, on_wait: Callable[[float], None]) -> int:
    """Documents that wait, once no other run works them: one that was killed keeps its shards until its lease ends.

    `on_wait` is called once, with the seconds that lease still has.
    """
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections, shard_leases  # noqa: PLC0415 - as above

    said = False
    async with open_database(settings) as db:
        while True:
            async with db.transaction() as tx:
                applied = await collections.find(tx, name)
                held = await shard_leases.shards_held_for(tx, applied.id) if applied else 0.0
            queued = await queued_documents(db, name)
            if not queued or not held:
                return queued
            if not said:
                on_wait(held)
            said = True
            await asyncio.sleep(min(held, 1.0))


async def queued_documents(db: "Database", name: str) -> int:
    """Documents of the collection that wait or are being worked."""
    from embedding_assets.store import work_queue  # noqa: PLC0415 - as above

    async with db.transaction() as tx:
        return sum(depth.documents for depth in await work_queue.queue_depth(tx) if depth.collection == name)
