"""How many documents a run may claim now, by open circuits, the shared limit, the budgets and the run's own shape.

A run that drains waits for the limit while it holds no claim; one that does not drain takes one minute's items from each
shard and ends. Not here: waiting for a request that is under way (limiting), claiming (claims).
"""

import time

import anyio

from embedding_assets.domain.circuits import OpenCircuit, in_the_way
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.limits import LimitWait, Shape, WaitKind, items_per_shard
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.claims import Admitted, Claimed, Claims
from embedding_assets.pipeline.limiting import LONGEST_PAUSE_SECONDS
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import circuits


class Admission:
    """Decides for one run. `stopped_by` is set once the run must claim nothing more because the limit has no room.

    `circuit` is set where another worker's failure is why; what this run has not sent then is held back.
    """

    def __init__(self, bench: Workbench, requester: Requester, claims: Claims, *, inputs_per_document: float) -> None:
        self._bench = bench
        self._requester = requester
        self._claims = claims
        self._inputs_per_document = inputs_per_document
        self._of_each = self._minutes_items() if not bench.target.requeue else None
        self._full_since: float | None = None
        self._sent_before = 0
        self.stopped_by: LimitWait | None = None
        self.circuit: OpenCircuit | None = None

    async def admitted(self, most: int) -> Admitted | LimitWait:
        """Up to `most` documents, or what has to be waited for before any is claimed."""
        if self._of_each is not None:
            most = min(most, sum(self._of_each.values()))
        async with self._bench.db.session() as connection:
            self.circuit = in_the_way(await circuits.open_circuits(connection, self._bench.target.circuits.all))
        if self.circuit is not None:
            return self.circuit.wait
        live = await self._requester.limit.room(Lane.LIVE)
        if live.wait is not None:
            return live.wait
        self._full_since = None
        backfill = await self._requester.limit.room(Lane.BACKFILL)
        shape = self._shape()
        documents = _at_most(most, shape.documents_in(live))
        # A pause that a claim may be held for is no reason not to claim.
        short = backfill.wait is None or backfill.wait.seconds <= LONGEST_PAUSE_SECONDS
        return Admitted(documents, documents if short else 0, self._of_each)

    def claimed(self, batch: list[Claimed]) -> None:
        """These were claimed: so much less may be taken by a run that does not drain."""
        if self._of_each is not None:
            for one in batch:
                self._of_each[one.item.shard] -= 1

    @property
    def used_up(self) -> bool:
        """Whether a run that does not drain has taken its items."""
        return self._of_each is not None and not any(self._of_each.values())

    async def wait(self, wait: LimitWait) -> bool:
        """Wait for the limit; False when the run is to end instead: a circuit is open, it does not drain, or waited enough."""
        if wait.kind is WaitKind.CIRCUIT:
            self._requester.stopped_by = wait
            return False
        if wait.kind is WaitKind.BUDGET or not self._bench.target.requeue:
            self.stopped_by = wait
            return False
        if self._claims.held:
            with anyio.move_on_after(min(wait.seconds, LONGEST_PAUSE_SECONDS)):
                await self._claims.wait_for_room()
            return True
        if not await self._claims.anything_ready():
            return False
        if self._patience_is_over():
            self.stopped_by = wait
            return False
        await self._requester.limit.pause(wait)
        return True

    def _patience_is_over(self) -> bool:
        now, sent = time.monotonic(), self._requester.counts.requests
        if self._full_since is None or sent > self._sent_before:
            self._full_since, self._sent_before = now, sent
        return now - self._full_since >= self._bench.pace.throttle_patience

    def _shape(self) -> Shape:
        sent = self._requester.counts
        if not sent.requests or not sent.inputs:
            return Shape(self._inputs_per_document, self._bench.target.caps.max_inputs)
        return Shape(
            self._inputs_per_document,
            sent.inputs / sent.requests,
            max(1.0, sent.tokens / sent.inputs),
        )

    def _minutes_items(self) -> dict[int, int]:
        limit = self._bench.target.limit
        if limit is None:
            return dict.fromkeys(range(SHARDS), self._bench.pace.claim_documents)
        # The shards that get one more take turns, minute by minute.
        first = int(time.time() // 60) % SHARDS
        shares = items_per_shard(limit.inputs_per_minute, self._inputs_per_document, SHARDS, first=first)
        return {shard: shares[shard] for shard in self._claims.shards}


def _at_most(most: int, other: int | None) -> int:
    return most if other is None else min(most, other)
