"""Builds another model beside the active one: what is published is embedded from what is stored, then search goes over to it.

No fetch, no chunking, no claim. Runs go on publishing under the active model meanwhile; what they publish is built in the next
pass, until a pass leaves nothing. Killed at any moment, the next builder continues where its vectors are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
from anyio import to_thread

from embedding_assets.domain.failures import StoreError
from embedding_assets.pipeline.filling import fill
from embedding_assets.pipeline.indexing import IndexOutcome, ensure_index_before_search
from embedding_assets.pipeline.requesting import Input, RequestCounts, Requester
from embedding_assets.pipeline.stored_inputs import of_chunks
from embedding_assets.pipeline.switching import cut_over, hold_model, still_building
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections, model_builds, vectors
from embedding_assets.store.model_builds import BuiltChunk, LackingDocument, Models

# Of one transaction that copies, for which settles wait, and of what is in memory: so many documents, or fewer once they
# hold so many chunks.
_DOCUMENTS_AT_ONCE = 100
_CHUNKS_AT_ONCE = 2000
# What another worker publishes between two passes needs one more; what the provider refuses needs a person.
_PASSES_IN_VAIN = 3
_PAUSE_SECONDS = 0.5
_KEYS_SHOWN = 5


@dataclass(slots=True)
class BuildOutcome:
    """What a builder did. `shards` are those that no other builder worked.

    `lacking` documents are not built, of all shards; `refused` counts inputs by error type, and `refused_keys` has a few
    of their documents. `cut_over`: the model is the active one now.
    """

    shards: tuple[int, ...] = ()
    documents: int = 0
    lacking: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])
    refused_keys: list[str] = field(default_factory=list[str])
    cut_over: bool = False
    requests: RequestCounts = field(default_factory=RequestCounts)
    index: IndexOutcome | None = None


async def build_model(
    bench: Workbench, shards: Sequence[int], *, on_built: Callable[[int], None] | None = None
) -> BuildOutcome:
    """Build the model of this bench for these shards, and cut over once no shard lacks anything.

    `on_built` is told how many documents more are done.

    Raises:
        ProviderError: systemic, or a budget is used up; what was built so far stays.
        ClassifiedError: `model_replaced`: the build was cancelled.
    """
    build = _Build(bench, on_built)
    async with bench.db.autocommit() as holder:
        mine = await model_builds.take_shards(holder, bench.target.table, shards)
        try:
            return await build.run(mine)
        except StoreError:
            # A cancelled build's table is dropped under it.
            await build.models()
            raise


class _Build:
    """One builder's work, and what it gave up: versions with an input that the provider refused."""

    def __init__(self, bench: Workbench, on_built: Callable[[int], None] | None) -> None:
        self._bench = bench
        self._on_built = on_built
        # It holds no claim, so it may wait as long as the limit takes.
        self._requester = Requester(bench, hold_seconds=math.inf)
        self._given_up: set[LackingDocument] = set()
        self._built_in_round = 0
        self._outcome = BuildOutcome()

    async def models(self) -> Models | None:
        """As they are now; None when the model that was built is the active one."""
        async with self._bench.db.transaction() as tx:
            applied = await collections.find(tx, self._bench.target.name)
        if not still_building(self._bench.target, applied):
            return None
        assert applied is not None
        return Models(applied.id, applied.model_id, self._bench.target.model_id)

    async def run(self, shards: Sequence[int]) -> BuildOutcome:
        """Pass after pass until everything is built, or nothing more can be."""
        self._outcome.shards = tuple(shards)
        await self._create_table()
        in_vain = 0
        while in_vain < _PASSES_IN_VAIN:
            self._outcome.cut_over = await self._round(shards)
            if self._outcome.cut_over:
                break
            if self._outcome.lacking and not self._built_in_round:
                in_vain += 1
                await anyio.sleep(_PAUSE_SECONDS)
            else:
                in_vain = 0
        await self._remember_wire_format()
        self._outcome.requests = self._requester.counts
        return self._outcome

    async def _round(self, shards: Sequence[int]) -> bool:
        """One pass, and the cut-over where it left nothing; whether the model is the active one."""
        models = await self.models()
        if models is None:
            return True
        self._built_in_round = await self._pass(models, shards)
        async with self._bench.db.transaction() as tx:
            self._outcome.lacking = await model_builds.count_lacking(tx, models)
        if self._outcome.lacking:
            return False
        self._outcome.index = await ensure_index_before_search(self._bench)
        return await cut_over(self._bench)

    async def _create_table(self) -> None:
        """Under the lock that a cancelling needs, so that it is not made again after it was dropped."""
        async with self._bench.db.transaction() as tx:
            if still_building(self._bench.target, await hold_model(tx, self._bench.target.name)):
                await vectors.create_table(tx, self._bench.target.table)

    async def _pass(self, models: Models, shards: Sequence[int]) -> int:
        """Once over what these shards lack, in the order of the keys; documents built."""
        built, last = 0, ""
        while True:
            async with self._bench.db.transaction() as tx:
                page = await model_builds.lacking(
                    tx, models, shards, after=last, documents=_DOCUMENTS_AT_ONCE, chunks=_CHUNKS_AT_ONCE
                )
            if not page:
                return built
            last = page[-1].document_key
            done = await self._build(models, [one for one in page if one not in self._given_up])
            built += done
            self._outcome.documents += done
            if self._on_built:
                self._on_built(done)

    async def _build(self, models: Models, documents: Sequence[LackingDocument]) -> int:
        async with self._bench.db.transaction() as tx:
            texts = await model_builds.chunk_texts(tx, models, documents)
        inputs = await to_thread.run_sync(of_chunks, self._bench, texts)
        unique = {one.input_hash: one for of_one in inputs.values() for one in of_one}
        async with self._bench.db.transaction() as tx:
            missing = await vectors.missing_inputs(tx, self._bench.target.table, list(unique))
        refused = await fill(self._bench, self._requester, [one for key, one in unique.items() if key in missing])
        for document, of_one in inputs.items():
            if any(one.input_hash in refused for one in of_one):
                self._give_up(document)
        for error in refused.values():
            name = error.error_type.value
            self._outcome.refused[name] = self._outcome.refused.get(name, 0) + 1
        return await self._copy({one: inputs[one] for one in inputs if one not in self._given_up})

    async def _copy(self, inputs: dict[LackingDocument, list[Input]]) -> int:
        """Publish them under this model, but for those that changed meanwhile or lost a vector to the collector."""
        bench = self._bench
        if not inputs:
            return 0
        async with bench.db.transaction() as tx:
            applied = await hold_model(tx, bench.target.name)
            if not still_building(bench.target, applied):
                return 0
            assert applied is not None
            models = Models(applied.id, applied.model_id, bench.target.model_id)
            await vectors.hold_off_collector(tx, bench.target.table)
            current = await model_builds.still_published(tx, models, list(inputs))
            needed = {one.input_hash for of_one in inputs.values() for one in of_one}
            missing = await vectors.missing_inputs(tx, bench.target.table, list(needed))
            whole = {
                document.document_key: of_one
                for document, of_one in inputs.items()
                if document.document_key in current and not any(one.input_hash in missing for one in of_one)
            }
            chunks = [
                BuiltChunk(key, ordinal, one.tokens, one.input_hash)
                for key, of_one in whole.items()
                for ordinal, one in enumerate(of_one)
            ]
            await model_builds.copy(tx, models, list(whole), chunks)
        return len(whole)

    def _give_up(self, document: LackingDocument) -> None:
        self._given_up.add(document)
        if len(self._outcome.refused_keys) < _KEYS_SHOWN:
            self._outcome.refused_keys.append(document.document_key)

    async def _remember_wire_format(self) -> None:
        if self._bench.embedder.wire_format is not None:
            async with self._bench.db.transaction() as tx:
                await collections.remember_wire_format(
                    tx, self._bench.target.model_id, self._bench.embedder.wire_format
                )
