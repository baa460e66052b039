"""Reads somebody else's table: one row by its key, its keys and signatures page by page, what changed since a moment.

Not here: connections and their time limits (foreign_sessions), the SQL of columns (foreign_columns), what a poll makes of it
(providers/sources/postgres_table).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import TupleRow
from typing_extensions import LiteralString

from embedding_assets.domain.documents import ChangedDocument, ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.tables import TableActivity, TableColumns, TableRow, split_key
from embedding_assets.store.foreign_columns import checked_types, pieces
from embedding_assets.store.foreign_sessions import ForeignSessions, ReadTooSlow, Session, ValueRefused
from embedding_assets.store.queries import load_queries

_SQL = load_queries("foreign_tables")

# The first page is small, as whoever only looks takes no more of it; the next ones grow.
_ROWS_AT_FIRST, _ROWS_A_PAGE = 250, 5000
_FETCH_SECONDS = 30.0
_PAGE_SECONDS = 60.0


class ForeignTable:
    """One table, read as `columns` say. Safe to use from several threads.

    `url` is asked at each connection; `named` is where it comes from, for messages.
    """

    def __init__(
        self, url: Callable[[], str], columns: TableColumns, *, named: str, rows_a_page: int = _ROWS_A_PAGE
    ) -> None:
        self._sessions = ForeignSessions(url, named=named)
        self._columns = columns
        self._rows_a_page = rows_a_page
        self._known_types: list[LiteralString] = []

    def read(self, document_key: str, *, max_bytes: int) -> TableRow | None:
        """The row of this key; None when there is none, or it is marked as deleted. A larger one comes without content.

        Raises:
            SourceError: `root_unavailable`, `source_unreadable` or `undecodable`.
        """
        key = split_key(document_key, len(self._columns.key))
        if key is None:
            return None
        query = sql.SQL(_SQL["read_row"]).format(**pieces(self._columns, self._types()))
        values = {"key": key, "max_bytes": max_bytes}
        what = f"{document_key!r} of {self._columns.name}"
        try:
            found = self._sessions.run(
                lambda session: session.execute(query, values).fetchone(), seconds=_FETCH_SECONDS, what=what
            )
        except ValueRefused:
            # Such a text is no value of the key's type, so no row has it.
            return None
        if found is None:
            return None
        size, content, title, uri, metadata, updated_at, signature = found
        named = dict(zip(self._columns.metadata, metadata or (), strict=bool(metadata)))
        return TableRow(size, content, title, uri, named, updated_at, signature)

    def listing(self) -> Iterator[ListedDocument]:
        """Every row that is not marked as deleted, by key.

        Raises:
            SourceError: `root_unavailable`; what was given so far is no whole listing then.
        """
        for key, signature, changed_at, *_ in self._pages(_SQL["list_page"], {}):
            yield ListedDocument(key, signature, changed_at)

    def changes(self, since: datetime) -> Iterator[ChangedDocument]:
        """Rows whose `updated_at`, or `deleted_at`, is `since` or later; a row may come twice.

        Raises:
            SourceError: `root_unavailable`.
        """
        for moved_at in filter(None, (self._columns.updated_at, self._columns.deleted_at)):
            for key, signature, changed_at, *_ in self._pages(_SQL["changes_page"], {"since": since}, moved_at):
                yield ChangedDocument(key, signature, changed_at)

    def activity(self) -> TableActivity:
        """The time there, and which transactions may still commit what they did before it.

        Raises:
            SourceError: `root_unavailable`.
        """
        return self._sessions.run(_activity, seconds=_FETCH_SECONDS, what=self._columns.name)

    def close(self) -> None:
        """Close its connections."""
        self._sessions.close()

    def _pages(
        self, query: LiteralString, values: Mapping[str, object], moved_at: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Rows page by page, each with its key's texts and, last, what it is sorted by; a slow page is asked for in parts."""
        types, rows, most = self._types(), min(_ROWS_AT_FIRST, self._rows_a_page), self._rows_a_page
        after: dict[str, object] = {}
        while True:
            text = sql.SQL(query).format(**pieces(self._columns, types, moved_at=moved_at, first=not after))
            asked = {**values, **after, "rows": rows}
            try:
                page = self._sessions.run(
                    lambda session, text=text, asked=asked: session.execute(text, asked).fetchall(),
                    seconds=_PAGE_SECONDS,
                    what=self._columns.name,
                )
            except ReadTooSlow as slow:
                if rows == 1:
                    raise SourceError(ErrorType.ROOT_UNAVAILABLE, str(slow)) from None
                rows = most = max(rows // 8, 1)
                continue
            yield from page
            if len(page) < rows:
                return
            after = {"key": page[-1][3], "moved_at": page[-1][-1]}
            rows = min(2 * rows, most)

    def _types(self) -> list[LiteralString]:
        """Looked up once: what a column is cast to does not change while a run lasts."""
        if not self._known_types:
            columns = self._columns
            rows = self._sessions.run(
                lambda session: _columns_of(session, columns), seconds=_FETCH_SECONDS, what=columns.name
            )
            self._known_types = checked_types(columns, {name: (cast_to, kind) for name, cast_to, kind in rows})
        return self._known_types


def _columns_of(session: Session, columns: TableColumns) -> list[TupleRow]:
    return session.execute(_SQL["columns"], {"schema": columns.schema, "table": columns.table}).fetchall()


def _activity(session: Session) -> TableActivity:
    row = session.execute(_SQL["activity"]).fetchone()
    assert row is not None
    return TableActivity(row[0], frozenset(row[1]))
