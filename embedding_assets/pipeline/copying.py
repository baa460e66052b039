"""One pass over what a model that is being built lacks: inputs made from what is stored, embedded, copied under it.

Not here: how many passes, or when search goes over (model_build).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from anyio import to_thread

from embedding_assets.pipeline.filling import fill
from embedding_assets.pipeline.request_counts import RequestCounts
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.stored_inputs import StoredInput, of_chunks, read_lacking
from embedding_assets.pipeline.switching import Atomically, hold_model, still_building
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import model_builds, vectors
from embedding_assets.store.database import Tx
from embedding_assets.store.model_builds import BuiltChunk, LackingDocument, Models

# Of one transaction that copies, for which settles wait (measured 25 ms, the median, for 100 documents of three chunks), and of
# what is in memory: so many documents, or fewer once they hold so many chunks.
_DOCUMENTS_AT_ONCE = 100
_CHUNKS_AT_ONCE = 2000
_KEYS_SHOWN = 5


@dataclass(slots=True)
class Refusals:
    """Inputs that the new model refused, by error type, and a few of the documents that hold them."""

    errors: dict[str, int] = field(default_factory=dict[str, int])
    keys: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Pass:
    """Documents that were copied, and that were left because the new model had refused them before."""

    copied: int
    left: int


class Copier:
    """Copies for one builder. `bench` is that of the model being built; `on_copied` is told how many documents more are done."""

    def __init__(self, bench: Workbench, on_copied: Callable[[int], None] | None) -> None:
        self._bench = bench
        self._on_copied = on_copied or (lambda _: None)
        # It holds no claim, so it may wait as long as the limit takes.
        self._requester = Requester(bench, hold_seconds=math.inf)
        self._given_up: set[LackingDocument] = set()
        self.copied = 0
        self.refusals = Refusals()

    @property
    def requests(self) -> RequestCounts:
        """What was asked of the provider so far."""
        return self._requester.counts

    async def copy_lacking(
        self, models: Models, shards: Sequence[int], *, atomically: Atomically | None = None
    ) -> Pass:
        """Once over what these shards lack, in the order of the keys."""
        copied = left = 0
        last = ""
        while page := await self._page(models, shards, last):
            last = page[-1].document_key
            wanted = [one for one in page if one not in self._given_up]
            left += len(page) - len(wanted)
            inputs = await self._embedded(models, wanted)
            copy = atomically or self._bench.db.atomically
            done = await copy(lambda tx, inputs=inputs: self._copy(tx, inputs)) if inputs else 0
            copied += done
            self.copied += done
            self._on_copied(done)
        return Pass(copied, left)

    async def _page(self, models: Models, shards: Sequence[int], after: str) -> list[LackingDocument]:
        async with self._bench.db.transaction() as tx:
            return await model_builds.lacking(
                tx, models, shards, after=after, documents=_DOCUMENTS_AT_ONCE, chunks=_CHUNKS_AT_ONCE
            )

    async def _embedded(
        self, models: Models, documents: Sequence[LackingDocument]
    ) -> dict[LackingDocument, list[StoredInput]]:
        """The inputs of those documents whose every input has a vector now."""
        async with self._bench.db.transaction() as tx:
            stored = await read_lacking(tx, self._bench, models, documents)
        inputs = await to_thread.run_sync(of_chunks, self._bench, stored)
        unique = {one.input.input_hash: one.input for of_one in inputs.values() for one in of_one}
        async with self._bench.db.transaction() as tx:
            missing = await vectors.missing_inputs(tx, self._bench.target.table, list(unique))
        refused = await fill(self._bench, self._requester, [one for key, one in unique.items() if key in missing])
        for error in refused.values():
            name = error.error_type.value
            self.refusals.errors[name] = self.refusals.errors.get(name, 0) + 1
        spoilt = [document for document in inputs if any(one.input.input_hash in refused for one in inputs[document])]
        self._given_up.update(spoilt)
        self.refusals.keys += [one.document_key for one in spoilt][: _KEYS_SHOWN - len(self.refusals.keys)]
        return {document: of_one for document, of_one in inputs.items() if document not in self._given_up}

    async def _copy(self, tx: Tx, inputs: Mapping[LackingDocument, Sequence[StoredInput]]) -> int:
        """Publish them under this model, but for those that changed meanwhile or lost a vector to the collector."""
        target = self._bench.target
        applied = await hold_model(tx, target.name)
        if applied is None or not still_building(target, applied):
            return 0
        models = Models(applied.id, applied.model_id, target.model_id)
        await vectors.hold_off_collector(tx, target.table)
        current = await model_builds.still_published(tx, models, list(inputs))
        needed = {one.input.input_hash for of_one in inputs.values() for one in of_one}
        missing = await vectors.missing_inputs(tx, target.table, list(needed))
        whole = {
            document: of_one
            for document, of_one in inputs.items()
            if document.document_key in current and not any(one.input.input_hash in missing for one in of_one)
        }
        await model_builds.copy(tx, models, list(whole), _chunks(whole))
        return len(whole)


def _chunks(inputs: Mapping[LackingDocument, Sequence[StoredInput]]) -> list[BuiltChunk]:
    return [
        BuiltChunk(document.document_key, ordinal, one.input.tokens, one.input.input_hash, one.headings)
        for document, of_one in inputs.items()
        for ordinal, one in enumerate(of_one)
    ]
