"""A table in a database of somebody else's, for tests of the sources that read it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from typing_extensions import LiteralString

from embedding_assets.domain.tables import TableColumns
from embedding_assets.store.foreign_tables import ForeignTable

ARTICLES: LiteralString = """
CREATE TABLE articles (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, body text, tags jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
CREATE INDEX ON articles (updated_at, id);
"""
COLUMNS = TableColumns(
    "public", "articles", ("id",), ("body",), "title", None, ("tags",), updated_at="updated_at", deleted_at="deleted_at"
)


def execute(url: str, *statements: LiteralString) -> None:
    """Statements of the application, each committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def opened(
    url: str, columns: TableColumns = COLUMNS, *, rows_a_page: int = 5000
) -> Generator[ForeignTable, None, None]:
    """The table as a source reads it; closed at the end."""
    table = ForeignTable(lambda: url, columns, named="APP_DATABASE_URL", rows_a_page=rows_a_page)
    try:
        yield table
    finally:
        table.close()


def keyed(*key: str, table: str = "items") -> TableColumns:
    """A table with only a key and a body."""
    return replace(COLUMNS, table=table, key=key, title=None, metadata=(), updated_at=None, deleted_at=None)
