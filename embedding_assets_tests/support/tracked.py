"""A table of an application in our own database, tracked, and the application's role, which has no right on anything of ours."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from typing_extensions import LiteralString

from embedding_assets.domain.tables import TableColumns
from embedding_assets.pipeline.table_tracking import track
from embedding_assets.store.change_triggers import TrackedTable
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.roles import role_with

ARTICLES: LiteralString = """
CREATE TABLE public.articles (
    id bigint PRIMARY KEY, title text, body text, tags json, views integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)
"""
COLUMNS = TableColumns(
    "public", "articles", ("id",), ("body",), "title", None, ("tags",), updated_at="updated_at", deleted_at="deleted_at"
)
ALL_ON_TABLE = ("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON public.articles TO {}",)


@dataclass(frozen=True, slots=True)
class Application:
    """An application at work on its table `articles`, whose changes collection `docs` is told of."""

    owner_url: str
    docs: MadeCollection
    tracked: TrackedTable
    connection: Connection

    def does(self, *statements: LiteralString) -> None:
        """Each in a transaction of its own."""
        for statement in statements:
            self.connection.execute(statement)
            self.connection.commit()

    def told(self) -> list[str]:
        """The keys that were told since it was asked last, sorted."""
        with psycopg.connect(self.owner_url) as connection:
            rows = connection.execute("DELETE FROM embedding_assets.work_arrivals RETURNING document_key").fetchall()
        return sorted(row[0] for row in rows)

    def told_of(self, *statements: LiteralString) -> list[str]:
        """The keys that are told when it does this."""
        self.does(*statements)
        return self.told()


def tracked_table(docs: MadeCollection, columns: TableColumns = COLUMNS) -> TrackedTable:
    """The collection's table."""
    return TrackedTable(docs.name, docs.id, columns)


@contextmanager
def application(
    database_url: str,
    table: LiteralString = ARTICLES,
    columns: TableColumns = COLUMNS,
    grants: tuple[LiteralString, ...] = ALL_ON_TABLE,
) -> Generator[Application, None, None]:
    """Its table made and tracked; gone at the end are its role and its connection. Any wait for a lock is an error to it."""

    async def prepare(db: Database) -> MadeCollection:
        docs = await make_collection(db)
        async with db.transaction() as tx:
            await tx.execute(table)
        await track(db, tracked_table(docs, columns))
        return docs

    docs = run(database_url, prepare)
    with (
        role_with(database_url, *grants) as url,
        psycopg.connect(url, options="-c lock_timeout=1ms") as connection,
    ):
        yield Application(database_url, docs, tracked_table(docs, columns), connection)
