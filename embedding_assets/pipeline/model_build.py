"""Builds another model beside the active one, then has search go over to it: pass after pass, until one leaves nothing.

Runs go on publishing under the active model meanwhile; what they publish is copied in the next pass. Killed at any moment, the
next builder continues where its vectors are. Not here: one pass (copying), the cut-over itself (switching).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.failures import StoreError
from embedding_assets.pipeline.circuits import circuits_closed
from embedding_assets.pipeline.copying import Copier, Pass, Refusals
from embedding_assets.pipeline.indexing import IndexOutcome, ensure_index_before_search
from embedding_assets.pipeline.request_counts import RequestCounts
from embedding_assets.pipeline.switching import cut_over, hold_model, still_building
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections, model_builds, vectors
from embedding_assets.store.database import Tx
from embedding_assets.store.model_builds import Models

T = TypeVar("T")

# A pass that found nothing to do is tried again, because another builder may be at work; then it is up to a person.
_PASSES_IN_VAIN = 3
_PAUSE_SECONDS = 0.5
# Where changes come without a pause, so many passes end with a few documents to do; the next holds settles off for a moment.
_PASSES_TO_CATCH_UP = 3
_FEW_DOCUMENTS = 100
_HOLD_SECONDS = 15.0


@dataclass(slots=True)
class BuildOutcome:
    """What a builder did. `shards` are those that no other builder worked, `lacking` documents of all shards are not built.

    `cut_over`: the model is the active one now.
    """

    shards: tuple[int, ...] = ()
    documents: int = 0
    lacking: int = 0
    cut_over: bool = False
    refusals: Refusals = field(default_factory=Refusals)
    requests: RequestCounts = field(default_factory=RequestCounts)
    index: IndexOutcome | None = None


async def build_model(
    bench: Workbench, shards: Sequence[int], *, on_built: Callable[[int], None] | None = None
) -> BuildOutcome:
    """Build the model of this bench for these shards, and cut over once no shard lacks anything.

    `on_built` is told how many documents more are done.

    Raises:
        ClassifiedError: systemic, a circuit is open, or a budget is used up: what was built so far stays; or
            `model_replaced`: the build was cancelled.
    """
    build = _Build(bench, on_built)
    try:
        async with circuits_closed(bench, probe_now=True, fetches=False), bench.db.autocommit() as holder:
            return await build.run(holder, shards)
    except StoreError:
        # A cancelled build's table is dropped under it.
        await build.models()
        raise


class _Build:
    """One builder's work."""

    def __init__(self, bench: Workbench, on_built: Callable[[int], None] | None) -> None:
        self._bench = bench
        self._copier = Copier(bench, on_built)
        self._outcome = BuildOutcome()

    async def models(self) -> Models | None:
        """As they are now; None when the model that was built is the active one."""
        async with self._bench.db.transaction() as tx:
            applied = await collections.find(tx, self._bench.target.name)
        if applied is None or not still_building(self._bench.target, applied):
            return None
        return Models(applied.id, applied.model_id, self._bench.target.model_id)

    async def run(self, holder: Tx, shards: Sequence[int]) -> BuildOutcome:
        """Take the shards, which `holder` keeps, and build them."""
        outcome = self._outcome
        outcome.shards = tuple(await model_builds.take_shards(holder, self._bench.target.table, shards))
        await self._create_table()
        outcome.cut_over = await self._build(holder)
        outcome.lacking = 0 if outcome.cut_over else outcome.lacking
        await self._remember_wire_format()
        outcome.documents, outcome.refusals = self._copier.copied, self._copier.refusals
        outcome.requests = self._copier.requests
        return outcome

    async def _build(self, holder: Tx) -> bool:
        """Pass after pass; whether the model is the active one in the end."""
        in_vain = nearly = 0
        while in_vain < _PASSES_IN_VAIN:
            models = await self.models()
            if models is None:
                return True
            done = await self._copier.copy_lacking(models, self._outcome.shards)
            async with self._bench.db.transaction() as tx:
                self._outcome.lacking = await model_builds.count_lacking(tx, models)
            nearly = nearly + 1 if self._outcome.lacking <= _FEW_DOCUMENTS and not done.left else 0
            hold = nearly > _PASSES_TO_CATCH_UP
            if nearly and await self._went_over(models, holder, hold=hold):
                return True
            # Held off in vain, settles have to be let through before the next try.
            nearly = 0 if hold else nearly
            in_vain = in_vain + 1 if self._is_in_vain(done) else 0
            if in_vain:
                await anyio.sleep(_PAUSE_SECONDS)
        return False

    def _is_in_vain(self, done: Pass) -> bool:
        return bool(done.left or (self._outcome.lacking and not done.copied))

    async def _went_over(self, models: Models, holder: Tx, *, hold: bool) -> bool:
        """Index the table, and cut over if it lacks nothing; with `hold` see to that."""
        index = await ensure_index_before_search(self._bench)
        if index.built or self._outcome.index is None:
            self._outcome.index = index
        if not self._outcome.lacking:
            return await cut_over(self._bench)
        if not hold or len(self._outcome.shards) < SHARDS:
            return False
        return await self._go_over_with_settles_held_off(models, holder)

    async def _go_over_with_settles_held_off(self, models: Models, holder: Tx) -> bool:
        """No transaction of ours is open meanwhile, and no longer than `_HOLD_SECONDS`: runs wait, and lose no claim."""
        bench = self._bench
        async with bench.db.transaction() as tx:
            applied = await collections.find(tx, bench.target.name)

        async def on_holder(work: Callable[[Tx], Awaitable[T]]) -> T:
            async with holder.transaction():
                return await work(holder)

        if applied is None:
            return False
        with anyio.move_on_after(_HOLD_SECONDS):
            async with vectors.settles_held_off(holder, applied.table):
                await self._copier.copy_lacking(models, self._outcome.shards, atomically=on_holder)
                return await cut_over(bench, atomically=on_holder)
        return False

    async def _create_table(self) -> None:
        """Under the lock that a cancelling needs, so that it is not made again after it was dropped."""
        async with self._bench.db.transaction() as tx:
            if still_building(self._bench.target, await hold_model(tx, self._bench.target.name)):
                await vectors.create_table(tx, self._bench.target.table)

    async def _remember_wire_format(self) -> None:
        spoken = self._bench.embedder.wire_format
        if spoken is not None:
            async with self._bench.db.transaction() as tx:
                await collections.remember_wire_format(tx, self._bench.target.model_id, spoken)
