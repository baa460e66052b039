"""Asking the shared limit and the budgets before a request, and telling them what came of it.

Not here: the rules of the limit (store/rate_limiter and its SQL), or how much a run claims by it (admission).
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.limits import LimitWait, Room, WaitKind
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import rate_limiter
from embedding_assets.store.rate_limiter import Reservation
from embedding_assets.telemetry.durable import REJECTIONS, THROTTLED_SECONDS
from embedding_assets.telemetry.labels import NO_LIMIT
from embedding_assets.telemetry.metric import Metric

# Nobody tells a waiting worker that a neighbour gave way, the limit was raised or a document changed; it looks again at the
# latest after this.
LONGEST_PAUSE_SECONDS = 1.0
# A request must reach the provider within the limit's margin (0.3 s) of its slot; one that was granted later is taken anew, but
# not for ever: on a database that is so slow every time, the margin of the limit has to be raised.
_FRESH_SECONDS = 0.3
_TAKEN_ANEW = 2


class NoRoom(EmbeddingAssetsError):
    """A request would wait for the limit longer than a claim may be held for it: give its documents back."""

    def __init__(self, wait: LimitWait) -> None:
        super().__init__(wait.reason)
        self.wait = wait


@dataclass(slots=True)
class ThrottledClock:
    """Wall seconds in which anything of this run waited for the limit, however many requests waited together."""

    seconds: float = 0.0
    _waiting: int = 0
    _since: float = 0.0

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Count while the block lasts."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.seconds += time.monotonic() - self._since


class SharedLimit:
    """The limit and budgets of one run's collection; a collection with neither always passes.

    `hold_seconds`: how long a request may wait before `hold` gives up. Without a shared limit the provider's refusals
    hold back this run alone.
    """

    def __init__(self, bench: Workbench, *, hold_seconds: float) -> None:
        self._db = bench.db
        self._ledger = bench.ledger
        self._account = bench.target.account
        self._budgeted = bench.target.budgeted
        self._hold_seconds = hold_seconds
        self._blocked_until = 0.0
        self.clock = ThrottledClock()

    async def reserve(self, lane: Lane, *, inputs: int, tokens: int, usd: float) -> Reservation | LimitWait:
        """Enter one request with these inputs, to be sent at once; or what it has to wait for.

        Raises:
            StoreError: the request is larger than the limit's ceiling, or the limit is not applied.
        """
        answer = await self._enter(lane, inputs, tokens, usd)
        for _ in range(_TAKEN_ANEW):
            if isinstance(answer, LimitWait) or answer.age <= _FRESH_SECONDS:
                break
            answer = await self._enter(lane, inputs, tokens, usd)
        if isinstance(answer, LimitWait):
            self._count(REJECTIONS, answer, 1)
        return answer

    async def hold(self, wait: LimitWait, waited: float) -> float:
        """Wait before a claimed document's request is tried again; the seconds. It waited for `waited` before.

        Raises:
            NoRoom: it would wait longer than it may be held, or a budget is used up.
        """
        if wait.kind is WaitKind.BUDGET or waited + wait.seconds > self._hold_seconds:
            raise NoRoom(wait)
        return await self.pause(wait)

    async def pause(self, wait: LimitWait) -> float:
        """Wait as long as it says, but not so long that a change of the limit goes unnoticed; the seconds."""
        seconds = min(wait.seconds, LONGEST_PAUSE_SECONDS)
        with self.clock.running():
            await anyio.sleep(seconds)
        self._count(THROTTLED_SECONDS, wait, seconds)
        return seconds

    async def room(self, lane: Lane) -> Room:
        """What is free now, without taking any of it."""
        if not self._shared:
            return Room(wait=self._own_block())
        free = await self._db.atomically(lambda tx: rate_limiter.room(tx, self._account, lane=lane))
        own = self._own_block()
        return free if own is None else Room(wait=own)

    async def say_waiting(self, lane: Lane) -> None:
        """Work of this lane waits for the shared limit, and no request of it is under way that would say so."""
        if self._account.limit_name is not None:
            await self._db.atomically(lambda tx: rate_limiter.say_waiting(tx, self._account, lane=lane))

    async def answered(self, made: Reservation, *, inputs: int) -> Reservation:
        """The answer came, or a failure in its place. Where that took longer than the margin, so may have the request."""
        if self._account.limit_name is None or time.monotonic() - made.granted_at <= _FRESH_SECONDS:
            return made
        return await self._db.atomically(lambda tx: rate_limiter.move_use(tx, self._account, made, inputs=inputs))

    async def correct(self, made: Reservation, *, tokens: int, usd: float) -> None:
        """The provider counted so many tokens: put the use right."""
        if self._shared and (tokens, usd) != (made.tokens, made.usd):
            await self._db.atomically(
                lambda tx: rate_limiter.correct_use(
                    tx, self._account, made, tokens=tokens, spent_tokens=tokens, usd=usd
                )
            )

    async def refund(self, made: Reservation) -> None:
        """The provider answered with an error: it cost nothing, but it was sent."""
        if self._budgeted:
            await self._db.atomically(
                lambda tx: rate_limiter.correct_use(tx, self._account, made, tokens=None, spent_tokens=0, usd=0.0)
            )

    async def refused(self, seconds: float) -> None:
        """The provider throttled us: all workers of this limit stay away for so long."""
        name = self._account.limit_name
        if name is None:
            self._blocked_until = max(self._blocked_until, time.monotonic() + seconds)
            return
        await self._db.atomically(lambda tx: rate_limiter.provider_refused(tx, name, seconds=seconds))

    @property
    def _shared(self) -> bool:
        return self._account.limit_name is not None or self._budgeted

    def _count(self, metric: Metric, wait: LimitWait, by: float) -> None:
        if wait.kept_back_by is not None:
            metric.add(self._ledger.held, self._account.limit_name or NO_LIMIT, wait.kept_back_by, by=by)

    def _own_block(self) -> LimitWait | None:
        left = self._blocked_until - time.monotonic()
        return LimitWait(left, WaitKind.BLOCKED) if left > 0 else None

    async def _enter(self, lane: Lane, inputs: int, tokens: int, usd: float) -> Reservation | LimitWait:
        if blocked := self._own_block():
            return blocked
        if not self._shared:
            return Reservation(lane, 0, tokens, usd)
        async with self._db.session() as connection:
            return await rate_limiter.reserve_for_collection(
                connection, self._account, lane=lane, inputs=inputs, tokens=tokens, usd=usd
            )
