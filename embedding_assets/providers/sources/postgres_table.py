"""A table in any PostgreSQL as a source: one document for each row.

Not here: SQL and connections (store/foreign_tables), how late commits are found (domain/table_cursor).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from embedding_assets.domain.documents import ChangedDocument, Document, ListedDocument
from embedding_assets.domain.failures import DocumentMissing
from embedding_assets.domain.ports import Source, TableReader
from embedding_assets.domain.table_cursor import TableCursor
from embedding_assets.domain.tables import TableColumns, document_of
from embedding_assets.providers.sources.configuration import (
    check_keys,
    number_of,
    refuse,
    required_text,
    text_of,
    texts_of,
)

# Given the columns and the name of the environment variable with the database's URL; None: our own database.
TableOpener: TypeAlias = Callable[[TableColumns, str | None], TableReader]

_KEYS = (
    "url_env",
    "table",
    "key",
    "content",
    "title",
    "uri",
    "metadata",
    "updated_at",
    "deleted_at",
    "max_bytes",
    "overlap",
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_BYTES = 20_000_000
_OVERLAP_SECONDS, _LONGEST_OVERLAP = 300, 86_400


class PostgresTableSource:
    """Every row is a document, its key the row's. Listed whole at each poll, by signatures that the server makes."""

    def __init__(self, table: TableReader, columns: TableColumns, *, max_bytes: int = _MAX_BYTES) -> None:
        self._table = table
        self._columns = columns
        self._max_bytes = max_bytes

    def list_documents(self) -> Iterator[ListedDocument]:
        """Every row; the signature is a hash of what is shown of it."""
        return self._table.listing()

    def fetch(self, document_key: str) -> Document:
        """The row as it is now.

        Raises:
            DocumentMissing: the table is there, and has no such row, or it is marked as deleted.
            SourceError: `root_unavailable`, `source_unreadable`, `undecodable` or `too_large`.
        """
        row = self._table.read(document_key, max_bytes=self._max_bytes)
        if row is None:
            raise DocumentMissing(f"{self._columns.name} has no row {document_key!r}")
        return document_of(self._columns, document_key, row, max_bytes=self._max_bytes)

    def close(self) -> None:
        """Close the connections to the table's database."""
        self._table.close()


class PolledTableSource(PostgresTableSource):
    """A table with a time of change, asked for what changed since the last poll."""

    def __init__(
        self,
        table: TableReader,
        columns: TableColumns,
        *,
        max_bytes: int = _MAX_BYTES,
        overlap_seconds: float = _OVERLAP_SECONDS,
    ) -> None:
        super().__init__(table, columns, max_bytes=max_bytes)
        self._overlap_seconds = overlap_seconds

    def next_cursor(self, cursor: str | None) -> str:
        """Follows once every transaction has ended that ran when the table was asked last."""
        activity = self._table.activity()
        try:
            known = TableCursor.from_text(cursor) if cursor is not None else None
        except ValueError:
            known = None
        return (known.advanced(activity) if known else TableCursor.first(activity)).text()

    def changes_since(self, cursor: str) -> Iterator[ChangedDocument]:
        """Rows changed, or marked as deleted, since; the last minutes before it are read again.

        Raises:
            ValueError: it is no cursor of a table.
        """
        return self._table.changes(TableCursor.from_text(cursor).read_from(overlap_seconds=self._overlap_seconds))


def build_table(config: Mapping[str, object], open_table: TableOpener) -> Source:
    """The source that a collection's `source` table of this type describes.

    Raises:
        ValueError: a key or value that cannot be used; columns are looked up when the table is read.
    """
    check_keys(config, _KEYS)
    columns = _columns(config)
    table = open_table(columns, _variable(config))
    max_bytes = number_of(config, "max_bytes", _MAX_BYTES, least=1)
    if columns.updated_at is None:
        if "overlap" in config:
            raise refuse(config, "overlap", "a number of seconds together with `updated_at`, which is not there")
        return PostgresTableSource(table, columns, max_bytes=max_bytes)
    overlap = number_of(config, "overlap", _OVERLAP_SECONDS, least=0, most=_LONGEST_OVERLAP)
    return PolledTableSource(table, columns, max_bytes=max_bytes, overlap_seconds=overlap)


def _columns(config: Mapping[str, object]) -> TableColumns:
    schema, dot, table = required_text(config, "table", "a table, such as 'support.tickets'").partition(".")
    if not dot:
        schema, table = "public", schema
    if not schema or not table or "." in table:
        raise refuse(config, "table", "schema.table, such as 'support.tickets'")
    return TableColumns(
        schema=schema,
        table=table,
        key=texts_of(config, "key", "a column, or several: ['tenant', 'id']", required=True),
        content=texts_of(config, "content", "a column, or several: ['subject', 'body']", required=True),
        title=text_of(config, "title", "a column"),
        uri=text_of(config, "uri", "a column"),
        metadata=texts_of(config, "metadata", "a list of columns"),
        updated_at=text_of(config, "updated_at", "a column"),
        deleted_at=text_of(config, "deleted_at", "a column"),
    )


def _variable(config: Mapping[str, object]) -> str | None:
    name = text_of(config, "url_env", "the name of an environment variable")
    if name is not None and not _VARIABLE.fullmatch(name):
        # Without its value: it is probably the URL itself, with its password.
        message = (
            "source of type 'postgres-table': url_env must be the name of an environment variable that holds the URL, such as "
            "'APP_DATABASE_URL'; a URL never stands in this file"
        )
        raise ValueError(message)
    return name
