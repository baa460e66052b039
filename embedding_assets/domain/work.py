"""Work: what is claimed, what was decided about it, and what a run adds up to.

Not here: where items are kept (store/work_queue) or the steps they go through (pipeline).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from embedding_assets.domain.chunking import Chunk
from embedding_assets.domain.documents import Document
from embedding_assets.domain.failures import ClassifiedError


class Lane(str, Enum):
    """`live` is a change at the source; `backfill` an initial load, a re-embedding, a repair."""

    LIVE = "live"
    BACKFILL = "backfill"


# Where both lanes wait, one turn of so many is backfill's, however much live work there is.
BACKFILL_SHARE = 20


class Stage(str, Enum):
    """Where in the pipeline something happened; the value is a metric label."""

    FETCHING = "fetching"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """A work item this worker may settle until its lease ends. `fence` is the right to do so; `ready_at` was its place.

    `taken_at` is this process's monotonic clock at the claim, by which attempts are timed; `claimed_at` the server's.
    """

    document_key: str
    shard: int
    lane: Lane
    fence: int
    generation: int
    first_enqueued_at: datetime
    lost_claims: int = 0
    ready_at: datetime | None = None
    claimed_at: datetime | None = None
    taken_at: float | None = None


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What search shows of a document now. `content_hash` and `chunker_fingerprint` tell whether it is up to date."""

    content_hash: bytes
    chunker_fingerprint: str


@dataclass(frozen=True, slots=True)
class PreparedChunk:
    """A chunk with the input made of it; `input_hash` is the key of its vector."""

    chunk: Chunk
    input_text: str
    input_hash: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A fetched document, chunked; everything settle needs but the vectors, which are stored before it."""

    item: ClaimedItem
    document: Document
    content_hash: bytes
    chunks: tuple[PreparedChunk, ...]


@dataclass(frozen=True, slots=True)
class Publish:
    """The document's vectors are stored: show this version. `embedded` chunks were sent to the model, the rest reused.

    `embedding_seconds` is how long it was in that stage, `throttled_seconds` how long of it for the limit; `embedded_at` is when it
    left, by this process's monotonic clock.
    """

    prepared: PreparedDocument
    embedded: int
    embedding_seconds: float = 0.0
    throttled_seconds: float = 0.0
    embedded_at: float | None = None

    @property
    def item(self) -> ClaimedItem:
        """The claim this settles."""
        return self.prepared.item


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What is published is what the source holds. `signature` is that of the document as it was fetched."""

    item: ClaimedItem
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The source definitely no longer has it."""

    item: ClaimedItem


@dataclass(frozen=True, slots=True)
class Fail:
    """An attempt ended in a failure of this document."""

    item: ClaimedItem
    error: ClassifiedError
    stage: Stage


@dataclass(frozen=True, slots=True)
class Release:
    """Give it back with no attempt spent."""

    item: ClaimedItem


Outcome: TypeAlias = "Publish | Unchanged | Delete | Fail | Release"


@dataclass(slots=True)
class Tally:
    """Counts of one run, or of one shard of it. Durations in seconds, cost in USD."""

    published: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: int = 0
    released: int = 0
    refused: int = 0
    chunks: int = 0
    chunks_reused: int = 0
    freshness_met: int = 0
    freshness_missed: int = 0
    max_lag_seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def settled(self) -> int:
        """Documents this run came to an end with."""
        return self.published + self.unchanged + self.deleted + self.failed

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_lag_seconds = max(self.max_lag_seconds, other.max_lag_seconds)
        for error, count in other.errors.items():
            self.errors[error] = self.errors.get(error, 0) + count


_SUMMED = (
    "published",
    "unchanged",
    "deleted",
    "failed",
    "released",
    "refused",
    "chunks",
    "chunks_reused",
    "freshness_met",
    "freshness_missed",
)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of all."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
