"""Snapshots for whoever asks: one at a time from the database, the same one for all who ask meanwhile.

Not here: HTTP (serving).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from embedding_assets.telemetry.exposition import Snapshot

# Two Prometheus servers that scrape at the same moment see one collection; none sees numbers that are older.
_FRESH_SECONDS = 0.5


class Collecting:
    """`collect` asks the database; belongs to one event loop. `last` is the snapshot that was taken last."""

    def __init__(self, collect: Callable[[], Awaitable[Snapshot]]) -> None:
        self._collect = collect
        self._one_at_a_time = asyncio.Lock()
        self._taken_at = float("-inf")
        self.last = Snapshot()

    async def snapshot(self) -> Snapshot:
        """One that was begun after this was called, or half a second before at most."""
        asked_at = time.monotonic()
        async with self._one_at_a_time:
            if self._taken_at < asked_at - _FRESH_SECONDS:
                begun_at = time.monotonic()
                self.last = await self._collect()
                self._taken_at = begun_at
        return self.last
