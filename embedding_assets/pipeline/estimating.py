"""What is stale and what embedding it again would cost, from what is stored: page after page, nothing sent, nothing changed."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace

from anyio import to_thread

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.prices import Price, PriceOrigin
from embedding_assets.domain.reembedding import Estimate, StalePart
from embedding_assets.pipeline import stored_inputs
from embedding_assets.pipeline.requesting import Input
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, model_builds, vectors
from embedding_assets.store.model_builds import Models

_ALL_SHARDS = range(SHARDS)
_INPUTS_AT_ONCE = 1000
_DOCUMENTS_AT_ONCE = 200
_CHUNKS_AT_ONCE = 5000
_BYTES_AT_ONCE = 16_000_000


async def estimate(bench: Workbench, *, stop_above: float | None = None) -> Estimate:
    """What is stale in the whole collection. Counting ends early once it costs more than `stop_above` USD.

    While a model is built, documents that another chunker cut are embedded under the new model, after the cut-over.
    """
    after = bench.building or bench
    found = Estimate(
        vectors=StalePart(await price_of(bench)),
        model=StalePart(await price_of(after)),
        chunker=StalePart(await price_of(after)),
        building=bench.building.target.model.name if bench.building else None,
    )
    counter = _Counter()
    # The order in which they are brought up to date: what one sends, the next finds.
    stages = [(bench, found.vectors, _without_vector(bench))]
    if bench.building:
        stages.append((bench.building, found.model, _without_vector(bench.building)))
        stages.append((bench.building, found.model, _lacking(bench, bench.building)))
    stages.append((after, found.chunker, _cut_otherwise(bench, after)))
    for owner, part, pages in stages:
        async for page in pages:
            await counter.count(owner, part, page)
            if stop_above is not None and found.usd > stop_above:
                return replace(found, complete=False)
    return found


async def price_of(bench: Workbench) -> Price:
    """From the collections file, LiteLLM's list, or the setting for prices that nobody knows."""
    embedder = bench.embedder
    if embedder.usd_per_million_tokens is None:
        await embedder.prepare()
    if embedder.usd_per_million_tokens is None:
        return Price(bench.pace.unknown_usd_per_million_tokens, PriceOrigin.UNKNOWN)
    return Price(embedder.usd_per_million_tokens, embedder.price_origin)


@dataclass(frozen=True, slots=True)
class _Page:
    """Inputs of so many stale documents; `sent` where all of them are, although their vectors may be there (and bad)."""

    documents: int
    inputs: list[Input]
    sent: bool = False


class _Counter:
    """Counts an input once, however many documents hold it and for however many reasons they are stale."""

    def __init__(self) -> None:
        # The first 8 bytes of each hash: a million inputs take 70 MB.
        self._seen: dict[str, set[int]] = defaultdict(set)

    async def count(self, bench: Workbench, part: StalePart, page: _Page) -> None:
        """Add what was not counted before; what has a vector already would not be sent."""
        seen = self._seen[bench.target.table.name]
        new: dict[bytes, Input] = {}
        for one in page.inputs:
            short = int.from_bytes(one.input_hash[:8], "big")
            if short not in seen:
                seen.add(short)
                new[one.input_hash] = one
        send = list(new) if page.sent else await _missing(bench, list(new))
        part.documents += page.documents
        part.inputs += len(new)
        part.to_send += len(send)
        part.tokens += sum(new[key].tokens for key in send)


async def _missing(bench: Workbench, hashes: list[bytes]) -> Collection[bytes]:
    async with bench.db.transaction() as tx:
        if not (await vectors.table_facts(tx, bench.target.table)).exists:
            return hashes
        return await vectors.missing_inputs(tx, bench.target.table, hashes)


async def _without_vector(bench: Workbench) -> AsyncIterator[_Page]:
    last = b""
    while True:
        async with bench.db.transaction() as tx:
            if not (await vectors.table_facts(tx, bench.target.table)).exists:
                return
            page = await vectors.inputs_without_vectors(
                tx, bench.target.table, _ALL_SHARDS, inputs=_INPUTS_AT_ONCE, after=last
            )
        if not page:
            return
        last = page[-1].input_hash
        yield _Page(0, await to_thread.run_sync(stored_inputs.of_missing, bench, page), sent=True)


async def _lacking(bench: Workbench, building: Workbench) -> AsyncIterator[_Page]:
    models = Models(bench.target.collection_id, bench.target.model_id, building.target.model_id)
    last = ""
    while True:
        async with bench.db.transaction() as tx:
            page = await model_builds.lacking(
                tx, models, _ALL_SHARDS, after=last, documents=_DOCUMENTS_AT_ONCE, chunks=_CHUNKS_AT_ONCE
            )
            stored = await stored_inputs.read_lacking(tx, building, models, page)
        if not page:
            return
        last = page[-1].document_key
        inputs = await to_thread.run_sync(stored_inputs.of_chunks, building, stored)
        yield _Page(len(page), [one.input for of_one in inputs.values() for one in of_one])


async def _cut_otherwise(bench: Workbench, after: Workbench) -> AsyncIterator[_Page]:
    target, last = bench.target, ""
    of_which = (target.collection_id, target.model_id, target.chunking.fingerprint)
    while True:
        async with bench.db.transaction() as tx:
            page = await corpus.stale_texts(
                tx, *of_which, after=last, documents=_DOCUMENTS_AT_ONCE, size=_BYTES_AT_ONCE
            )
        if not page:
            return
        last = page[-1].document_key
        yield _Page(len(page), await to_thread.run_sync(stored_inputs.of_texts, after, page))
