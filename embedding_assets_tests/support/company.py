"""A database as a company hands it out: the owner of our schema is no superuser, and every kind of role logs in as itself."""

import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import Connection, sql
from typing_extensions import LiteralString

from embedding_assets.store import migrations, roles
from embedding_assets.store.database import Database
from embedding_assets.store.roles import RoleKind
from embedding_assets_tests.support.database import run


@dataclass(frozen=True, slots=True)
class Roles:
    """`owner` migrated; the others have their rights once `grant` was called."""

    url: str
    names: dict[str, str]

    def url_of(self, who: str) -> str:
        """The URL under which a role logs in: `owner`, or the value of a RoleKind."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{self.names[who]}@{parts.netloc.rpartition('@')[2]}"))

    def grant(self, kind: RoleKind, collection: str | None = None) -> None:
        """As the command does, by the owner."""

        async def give(db: Database) -> None:
            async with db.transaction() as tx:
                await roles.grant(tx, await roles.grants(tx, kind, self.names[kind.value], collection))

        run(self.url_of("owner"), give)

    def rows(self, who: str, query: LiteralString, *values: object) -> Sequence[tuple[object, ...]]:
        """What this role gets for a query of its own."""
        with psycopg.connect(self.url_of(who), autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def refused(self, who: str, query: LiteralString) -> bool:
        """Whether this role lacks the right for a statement."""
        try:
            self.rows(who, query)
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False


@contextmanager
def company_database(administration: Connection, url: str) -> Generator[Roles, None, None]:
    """`url` is an empty database: it gets the extension, an owner with a right to make its schema, and a role of each kind."""
    suffix = uuid.uuid4().hex[:8]
    made = Roles(url, {who: f"{who}-{suffix}" for who in ["owner", *(kind.value for kind in RoleKind)]})
    names = {who: sql.Identifier(name) for who, name in made.names.items()}
    for name in names.values():
        administration.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    administration.execute(sql.SQL("GRANT {} TO {}").format(names["writer"], names["owner"]))
    try:
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute("CREATE EXTENSION vector")
            database = sql.Identifier(superuser.info.dbname)
            superuser.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, names["owner"]))
        migrations.upgrade(made.url_of("owner"))
        yield made
    finally:
        with psycopg.connect(url, autocommit=True) as superuser:
            for name in names.values():
                superuser.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
        for name in names.values():
            administration.execute(sql.SQL("DROP ROLE {}").format(name))
