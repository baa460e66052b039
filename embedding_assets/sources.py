"""A collection's source, with what only we can give it: URLs out of the environment, and the client for tables.

Not here: what types of sources there are (providers/sources), and reading tables (store/foreign_tables).
"""

import os
from collections.abc import Callable, Mapping

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.ports import Source, TableReader
from embedding_assets.domain.tables import TableColumns
from embedding_assets.providers.sources.registry import build_source
from embedding_assets.store.foreign_tables import ForeignTable


def source_of(config: Mapping[str, object], own_url: Callable[[], str]) -> Source:
    """The source; a table without `url_env` is in our own database. Connects to nothing yet.

    Raises:
        ValueError: a type, key or value that cannot be used.
    """

    def open_table(columns: TableColumns, variable: str | None) -> TableReader:
        if variable is None:
            return ForeignTable(own_url, columns, named="EMBEDDING_ASSETS_DATABASE_URL")
        return ForeignTable(lambda: _url_in(variable), columns, named=variable)

    return build_source(config, open_table=open_table)


def own_table(config: Mapping[str, object]) -> TableColumns | None:
    """The table in our own database that such a source reads, which triggers can be made on; None for any other source.

    Raises:
        ValueError: as `source_of`.
    """
    found: list[TableColumns] = []

    def note_table(columns: TableColumns, variable: str | None) -> TableReader:
        found.extend([columns] if variable is None else [])
        return ForeignTable(lambda: "", columns, named="")

    build_source(config, open_table=note_table)
    return found[0] if found else None


def close_source(source: Source) -> None:
    """Close what it holds, where it holds anything."""
    close = getattr(source, "close", None)
    if callable(close):
        close()


def _url_in(variable: str) -> str:
    """The URL of somebody's database.

    Raises:
        SourceError: `root_unavailable`: it is not set, or is none of PostgreSQL's.
    """
    url = os.environ.get(variable, "").strip()
    if not url.startswith(("postgresql://", "postgres://")):
        what = "is no URL of a PostgreSQL" if url else "is not set"
        message = f"{variable} {what}: set it, for this process, to postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise SourceError(ErrorType.ROOT_UNAVAILABLE, message)
    return url
