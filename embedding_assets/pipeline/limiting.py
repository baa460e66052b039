"""Waiting for the shared limit before a request, and telling it when the provider says to stay away.

Not here: the rules of the limit (store/rate_limiter and its SQL).
"""

import anyio

from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import rate_limiter

# Nobody tells a waiting worker that a neighbour gave way or that the limit was raised; it asks again at the latest after this.
_LONGEST_WAIT_SECONDS = 5.0


class SharedLimit:
    """The limit of one run's collection; a collection without one always passes."""

    def __init__(self, bench: Workbench) -> None:
        self._db = bench.db
        self._limit = bench.target.limit

    async def reserve(self, lane: Lane, *, inputs: int, tokens: int) -> float:
        """Wait until one request with these inputs may be sent, and enter it; the seconds waited.

        Raises:
            StoreError: the request is larger than the limit's ceiling, or the limit is not applied.
        """
        if self._limit is None:
            return 0.0
        waited = 0.0
        while True:
            async with self._db.session() as connection:
                wait = await rate_limiter.reserve(
                    connection,
                    self._limit.name,
                    self._limit.consumer,
                    lane=lane,
                    requests=1,
                    inputs=inputs,
                    tokens=tokens,
                )
            if wait <= 0:
                return waited
            pause = min(wait, _LONGEST_WAIT_SECONDS)
            waited += pause
            await anyio.sleep(pause)

    async def block(self, seconds: float) -> None:
        """The provider throttled us: all workers of this limit stay away for so long."""
        if self._limit is None:
            return
        async with self._db.transaction() as tx:
            await rate_limiter.block(tx, self._limit.name, seconds=seconds)
