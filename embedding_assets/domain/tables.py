"""A table of somebody else's as a source: which of its columns make a document, and how its key reads as text.

Pure. Not here: the SQL that reads it (store/foreign_tables), and when it is read (providers/sources/postgres_table).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from embedding_assets.domain.documents import Document
from embedding_assets.domain.failures import ErrorType, SourceError


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The table and the columns a document is made of. `updated_at` and `deleted_at` are time stamps, where it has them."""

    schema: str
    table: str
    key: tuple[str, ...]
    content: tuple[str, ...]
    title: str | None = None
    uri: str | None = None
    metadata: tuple[str, ...] = ()
    updated_at: str | None = None
    deleted_at: str | None = None

    @property
    def name(self) -> str:
        """As a person writes it."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row as it was read. `content` is None where its `bytes` are more than was asked for; its texts are None for NULL."""

    bytes: int
    content: Sequence[str | None] | None
    title: str | None = None
    uri: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    updated_at: datetime | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class TableActivity:
    """The table's server at a moment: its clock, and the transactions that may still commit what they did before."""

    now: datetime
    running: frozenset[str]


def joined_key(parts: Sequence[str]) -> str:
    """A key's columns as one text: a single one as it is, several with `/` between them and `%` and `/` in them escaped.

    The same rule stands in SQL (`key_text` in store/foreign_columns); a test holds both to each other.
    """
    if len(parts) == 1:
        return parts[0]
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def split_key(document_key: str, columns: int) -> list[str] | None:
    """The columns of a key; None when it cannot be one of so many columns."""
    if "\0" in document_key:
        return None
    if columns == 1:
        return [document_key]
    parts = [part.replace("%2F", "/").replace("%25", "%") for part in document_key.split("/")]
    return parts if len(parts) == columns and joined_key(parts) == document_key else None


def document_of(columns: TableColumns, document_key: str, row: TableRow, *, max_bytes: int) -> Document:
    """The row as a document: its content's columns with a blank line between them, NULL and empty ones left out.

    Raises:
        SourceError: `too_large`.
    """
    if row.content is None:
        message = (
            f"{document_key!r} of {columns.name} has {row.bytes} bytes, more than max_bytes = {max_bytes}; raise it, or "
            "read a view that leaves such rows out"
        )
        raise SourceError(ErrorType.TOO_LARGE, message)
    return Document(
        document_key=document_key,
        content="\n\n".join(part for part in row.content if part),
        title=" ".join((row.title or "").split()),
        uri=row.uri or "",
        metadata=row.metadata,
        source_updated_at=row.updated_at,
        signature=row.signature,
    )
