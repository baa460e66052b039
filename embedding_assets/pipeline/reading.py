"""Fetch and chunk one document: the step that runs in threads. Decides what changed; sends nothing anywhere.

Not here: vectors, and anything that is stored.
"""

import json
import logging
import time
from typing import TypeAlias

from embedding_assets.domain.chunking import Chunk, chunk_text
from embedding_assets.domain.documents import Document
from embedding_assets.domain.failures import (
    ClassifiedError,
    DocumentMissing,
    ErrorType,
    FailureClass,
    SourceError,
    StoreError,
)
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.surprises import described
from embedding_assets.domain.work import (
    ClaimedItem,
    Delete,
    Fail,
    PreparedChunk,
    PreparedDocument,
    PublishedState,
    Stage,
    Unchanged,
)
from embedding_assets.pipeline.threads import run_in_time
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.telemetry.durable import STAGE_DURATION

Reading: TypeAlias = "PreparedDocument | Unchanged | Delete | Fail"

_log = logging.getLogger(__name__)

_LOST_WORKERS_ALLOWED = 2


async def read_in_time(
    bench: Workbench, item: ClaimedItem, published: PublishedState | None, *, force: bool
) -> Reading:
    """`read_document` in a thread. One that outlasts its claim is left behind, and the document is to blame."""
    seconds = bench.pace.max_claim_seconds
    spent: dict[Stage, float] = {}
    try:
        reading = await run_in_time(
            lambda: read_document(bench, item, published, force=force, spent=spent), seconds=seconds
        )
    except TimeoutError:
        message = f"it was fetched and chunked for {seconds:g} s without an end; its reader was left behind"
        return Fail(item, SourceError(ErrorType.WORKER_LOST, message), Stage.FETCHING)
    for stage, taken in spent.items():
        STAGE_DURATION.observe(bench.ledger.held, taken, stage.value)
    return reading


def read_document(
    bench: Workbench,
    item: ClaimedItem,
    published: PublishedState | None,
    *,
    force: bool,
    spent: dict[Stage, float] | None = None,
) -> Reading:
    """Fetch, compare and chunk. `force` prepares the document even when nothing changed; `spent` is told the seconds of each stage.

    Raises:
        ClassifiedError: systemic: it is the source that failed, not this document.
    """
    if item.lost_claims > _LOST_WORKERS_ALLOWED:
        message = f"{item.lost_claims} workers died or hung while they processed this document"
        return Fail(item, SourceError(ErrorType.WORKER_LOST, message), Stage.FETCHING)
    stage = Stage.FETCHING
    watch = _StageWatch({} if spent is None else spent)
    try:
        document = bench.source.fetch(item.document_key)
        _check_storable(document)
        digest = document.content_hash()
        watch.ends(stage)
        stage = Stage.CHUNKING
        if published == PublishedState(digest, bench.target.chunking.fingerprint) and not force:
            return Unchanged(item, document.signature)
        chunks = prepare_chunks(bench, document, chunk_text(bench.target.chunking, document.content))
        watch.ends(stage)
        return PreparedDocument(item, document, digest, chunks)
    except DocumentMissing:
        return Delete(item)
    except ClassifiedError as error:
        if error.failure_class is FailureClass.SYSTEMIC:
            raise
        return Fail(item, error, stage)
    except Exception as error:  # noqa: BLE001 - one document's surprise must not stop its neighbours
        _log.error("unexpected error while %s %r: %s", stage.value, item.document_key, described(error))
        message = f"{type(error).__name__} while {stage.value}; the run's log says where"
        return Fail(item, SourceError(ErrorType.UNEXPECTED, message), stage)


class _StageWatch:
    """Tells stages apart by the time they ended."""

    def __init__(self, spent: dict[Stage, float]) -> None:
        self._spent = spent
        self._since = time.monotonic()

    def ends(self, stage: Stage) -> None:
        now = time.monotonic()
        self._spent[stage], self._since = now - self._since, now


def prepare_chunks(bench: Workbench, document: Document, chunks: list[Chunk]) -> tuple[PreparedChunk, ...]:
    """Each chunk with its input under the model's template."""
    texts = [bench.target.model.input_for(chunk.content, document.title, chunk.headings) for chunk in chunks]
    tokens = bench.embedder.count_tokens(texts)
    return tuple(
        PreparedChunk(chunk, text, input_hash(text), count)
        for chunk, text, count in zip(chunks, texts, tokens, strict=True)
    )


def _check_storable(document: Document) -> None:
    """PostgreSQL's text holds neither NUL nor lone surrogates, its jsonb neither NaN nor what JSON cannot say."""
    try:
        metadata = json.dumps(dict(document.metadata), allow_nan=False, ensure_ascii=False)
        whole = f"{document.content}\n{document.title}\n{document.uri}\n{metadata}"
        whole.encode()
    except UnicodeEncodeError as error:
        raise SourceError(ErrorType.UNDECODABLE, "the text holds lone surrogates: it was decoded wrongly") from error
    except (TypeError, ValueError) as error:
        raise StoreError(ErrorType.INVALID_DATA, f"the metadata is not JSON: {error}") from error
    # Without the pairs that stand for one backslash: six characters that read like the escape are harmless.
    if "\x00" in whole or "\\u0000" in metadata.replace("\\\\", ""):
        raise SourceError(ErrorType.UNDECODABLE, "the text or its metadata holds a NUL character; is it a binary file?")
