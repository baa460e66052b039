"""Inputs made again from what is stored, for whoever neither fetches nor claims: repair, the build of a model, an estimate.

Counting tokens, cutting texts and looking for headings take CPU: call what is not async in a thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embedding_assets.domain.chunking import chunk_text, headings_at
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.requesting import Input
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import model_builds
from embedding_assets.store.corpus import StoredText
from embedding_assets.store.database import Tx
from embedding_assets.store.model_builds import LackingDocument, Models, StoredChunk
from embedding_assets.store.vectors import MissingInput


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document's chunks as published; `text` where headings are wanted that its chunks do not have."""

    chunks: Sequence[StoredChunk]
    text: str | None


@dataclass(frozen=True, slots=True)
class StoredInput:
    """The input of a stored chunk, and its headings as far as they are known."""

    input: Input
    headings: Sequence[str] | None


def of_missing(bench: Workbench, missing: Sequence[MissingInput]) -> list[Input]:
    """Those whose text can still be made: under another title a chunk would be another input."""
    model = bench.target.model
    made = [
        Input(one.input_hash, model.input_for(one.content, one.title, one.headings), one.tokens, Lane.BACKFILL)
        for one in missing
    ]
    return [one for one in made if input_hash(one.text) == one.input_hash]


async def read_lacking(
    tx: Tx, bench: Workbench, models: Models, documents: Sequence[LackingDocument]
) -> dict[LackingDocument, StoredDocument]:
    """What `of_chunks` needs of these documents, without those that were published anew meanwhile."""
    chunks = await model_builds.stored_chunks(tx, models, documents)
    unknown = [one for one, of_one in chunks.items() if any(chunk.headings is None for chunk in of_one)]
    wanted = unknown if bench.target.model.uses_headings else []
    texts = await model_builds.contents(tx, models, wanted) if wanted else {}
    return {one: StoredDocument(of_one, texts.get(one.document_key)) for one, of_one in chunks.items()}


def of_chunks(
    bench: Workbench, stored: Mapping[LackingDocument, StoredDocument]
) -> dict[LackingDocument, list[StoredInput]]:
    """The input of each stored chunk under this bench's model.

    Headings that were not kept when a chunk was published are found in the document's text, where the chunk begins.
    """
    made: dict[LackingDocument, list[StoredInput]] = {}
    for document, of_one in stored.items():
        chunks = _with_headings(bench, of_one)
        inputs = _inputs(bench, [(chunk.content, chunk.headings or ()) for chunk in chunks], document.title)
        made[document] = [StoredInput(one, chunk.headings) for one, chunk in zip(inputs, chunks, strict=True)]
    return made


def of_texts(bench: Workbench, texts: Sequence[StoredText]) -> list[Input]:
    """The inputs of stored documents, cut as this bench's collection says now."""
    made: list[Input] = []
    for text in texts:
        chunks = chunk_text(bench.target.chunking, text.content)
        made += _inputs(bench, [(chunk.content, chunk.headings) for chunk in chunks], text.title)
    return made


def _with_headings(bench: Workbench, stored: StoredDocument) -> Sequence[StoredChunk]:
    if stored.text is None:
        return stored.chunks
    found = headings_at(bench.target.chunking, stored.text, [chunk.start for chunk in stored.chunks])
    return [
        replace(chunk, headings=headings) if chunk.headings is None else chunk
        for chunk, headings in zip(stored.chunks, found, strict=True)
    ]


def _inputs(bench: Workbench, chunks: Sequence[tuple[str, Sequence[str]]], title: str) -> list[Input]:
    texts = [bench.target.model.input_for(content, title, headings) for content, headings in chunks]
    tokens = bench.embedder.count_tokens(texts)
    return [Input(input_hash(text), text, count, Lane.BACKFILL) for text, count in zip(texts, tokens, strict=True)]
