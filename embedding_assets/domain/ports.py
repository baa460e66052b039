"""What the pipeline asks of the outside world: a source of documents, an embedder, somebody to tell.

Implementations live in providers/; there is no port for the store, which is tested on a real PostgreSQL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.documents import ChangedDocument, Document, ListedDocument
from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.notices import Notice
from embedding_assets.domain.prices import PriceOrigin
from embedding_assets.domain.tables import TableActivity, TableRow


class Source(Protocol):
    """Where a collection's documents come from. Methods block; the pipeline calls them in threads, concurrently.

    A source that holds connections may have a method `close`, called without arguments at the end of a run.
    """

    def list_documents(self) -> Iterator[ListedDocument]:
        """Every document there is now, without content.

        Raises:
            SourceError: `root_unavailable` when the root cannot be read; a partial listing is never returned as whole.
        """
        ...

    def fetch(self, document_key: str) -> Document:
        """One document with its content.

        Raises:
            DocumentMissing: definitely not there, and the root is readable.
            SourceError: `root_unavailable`, `source_unreadable`, `undecodable` or `too_large`.
        """
        ...


@runtime_checkable
class IncrementalSource(Source, Protocol):
    """A source that can tell what changed: polls ask it for that, and list all of it once a day.

    A cursor is a text of its own, kept in the transaction that enqueues what was told, and dropped when the collection's
    `source` is edited.
    """

    def next_cursor(self, cursor: str | None) -> str:
        """Asked before a poll reads: from here on the next poll finds whatever this one may miss.

        `cursor` is where this poll begins, None when it lists everything for the first time.

        Raises:
            SourceError: `root_unavailable`.
        """
        ...

    def changes_since(self, cursor: str) -> Iterator[ChangedDocument]:
        """What changed or went since the cursor; telling of more does no harm.

        Raises:
            ValueError: at once: it is no cursor of this source; everything is listed instead.
            SourceError: `root_unavailable`; nothing of what was told is kept then.
        """
        ...


class TableReader(Protocol):
    """A table of somebody else's, read only; store/foreign_tables has the one there is. Raises SourceError only."""

    def read(self, document_key: str, *, max_bytes: int) -> TableRow | None:
        """The row of this key; None when there is none, or it is marked as deleted. A larger one comes without content."""
        ...

    def listing(self) -> Iterator[ListedDocument]:
        """Every row that is not marked as deleted."""
        ...

    def changes(self, since: datetime) -> Iterator[ChangedDocument]:
        """Rows whose time of change, or of deletion, is `since` or later."""
        ...

    def activity(self) -> TableActivity:
        """The time there, and which transactions may still commit what they did before it."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True, slots=True)
class RejectedInput:
    """An input of a reply whose vector must not be stored; `position` is its place in the request."""

    position: int
    error_type: ErrorType
    detail: str


@dataclass(frozen=True, slots=True)
class EmbeddingReply:
    """Checked vectors of one request.

    `vectors` is float32 of shape (inputs, dimensions), row i belongs to input i; rows named in `rejected` are zeros and
    must not be stored. `tokens` is the provider's count (None when it gave none). `reordered` tells that the provider
    answered in another order than asked and was put right by the reply's indexes.
    """

    vectors: NDArray[np.float32]
    rejected: tuple[RejectedInput, ...] = ()
    tokens: int | None = None
    cost_usd: float | None = None
    reordered: bool = False


class Embedder(Protocol):
    """A model behind a provider."""

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this returns."""
        ...

    @property
    def wire_format(self) -> str | None:
        """`base64` or `float` once the provider has shown what it speaks; None before."""
        ...

    @property
    def usd_per_million_tokens(self) -> float | None:
        """The price of its input once `prepare` has run: configured, or from LiteLLM's packaged list; None: unknown."""
        ...

    @property
    def price_origin(self) -> PriceOrigin:
        """Who says so."""
        ...

    async def prepare(self) -> None:
        """Load what the first request needs, so that nothing delays a request once it was reserved."""
        ...

    def count_tokens(self, inputs: Sequence[str]) -> list[int]:
        """Tokens of each input by the model's own tokenizer where that is known offline, else guessed high.

        Blocks: the first call may load the tokenizer.
        """
        ...

    async def embed(self, inputs: Sequence[str]) -> EmbeddingReply:
        """One provider request for these inputs; never retries by itself.

        Raises:
            WireFormatRefused: nothing was embedded; the next call asks for another encoding.
            ProviderError: classified; `count_mismatch` and `order_mismatch` when the reply cannot be matched to inputs.
        """
        ...

    async def aclose(self) -> None:
        """Close connections to the provider."""
        ...


class Notifier(Protocol):
    """Somebody who is told what waits for a person. Blocks; called from a thread that is left behind when it hangs."""

    def notify(self, notice: Notice) -> None:
        """Tell them; returning means that they were told.

        Raises:
            NotificationFailed: they were not; the same notice comes again.
        """
        ...
