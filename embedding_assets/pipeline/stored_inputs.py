"""Inputs made again from what is stored, for whoever neither fetches nor claims: repair, the build of a model, an estimate.

Counting tokens and cutting texts take CPU: call these in a thread.
"""

from collections.abc import Mapping, Sequence

from embedding_assets.domain.chunking import chunk_text
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.requesting import Input
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store.corpus import StoredText
from embedding_assets.store.model_builds import LackingDocument
from embedding_assets.store.vectors import MissingInput


def of_missing(bench: Workbench, missing: Sequence[MissingInput]) -> list[Input]:
    """Those whose text can still be made: under another title a chunk would be another input."""
    made = [
        Input(one.input_hash, bench.target.model.input_for(one.content, one.title), one.tokens, Lane.BACKFILL)
        for one in missing
    ]
    return [one for one in made if input_hash(one.text) == one.input_hash]


def of_chunks(bench: Workbench, texts: Mapping[LackingDocument, Sequence[str]]) -> dict[LackingDocument, list[Input]]:
    """The input of each stored chunk under this bench's model."""
    return {document: _inputs(bench, contents, document.title) for document, contents in texts.items()}


def of_texts(bench: Workbench, texts: Sequence[StoredText]) -> list[Input]:
    """The inputs of stored documents, cut as this bench's collection says now."""
    cut = [(text.title, [chunk.content for chunk in chunk_text(bench.target.chunking, text.content)]) for text in texts]
    return [one for title, contents in cut for one in _inputs(bench, contents, title)]


def _inputs(bench: Workbench, contents: Sequence[str], title: str) -> list[Input]:
    texts = [bench.target.model.input_for(content, title) for content in contents]
    tokens = bench.embedder.count_tokens(texts)
    return [Input(input_hash(text), text, count, Lane.BACKFILL) for text, count in zip(texts, tokens, strict=True)]
