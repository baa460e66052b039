"""Who may send now: a run's places at the provider, given to live requests first.

Not here: how many places there are (domain/concurrency), or the shared limit, which is asked from a place (requesting).
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from embedding_assets.domain.work import BACKFILL_SHARE, Lane


class Places:
    """`total` requests at once. Where both lanes wait, every `BACKFILL_SHARE`th place is backfill's: what is claimed must end."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._live_in_a_row = 0
        self._waiting: dict[Lane, deque[anyio.Event]] = {lane: deque() for lane in Lane}

    @asynccontextmanager
    async def place(self, lane: Lane) -> AsyncGenerator[None, None]:
        """Wait for a place, and have it for the length of the block."""
        turn = anyio.Event()
        self._waiting[lane].append(turn)
        self._hand_out()
        try:
            await turn.wait()
            yield
        finally:
            if turn.is_set():
                self._taken -= 1
                self._hand_out()
            else:
                self._waiting[lane].remove(turn)

    def resize(self, total: int) -> None:
        """So many from now on; fewer only as those that are taken end."""
        self._total = total
        self._hand_out()

    def _hand_out(self) -> None:
        while self._taken < self._total and any(self._waiting.values()):
            self._taken += 1
            self._waiting[self._next_lane()].popleft().set()

    def _next_lane(self) -> Lane:
        if not self._waiting[Lane.LIVE]:
            return Lane.BACKFILL
        passed_by = self._waiting[Lane.BACKFILL] and self._live_in_a_row >= BACKFILL_SHARE - 1
        self._live_in_a_row = 0 if passed_by else self._live_in_a_row + 1
        return Lane.BACKFILL if passed_by else Lane.LIVE
