"""A role of a test's own, with few rights, and the URL to connect by it."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from typing_extensions import LiteralString


@contextmanager
def role_with(database_url: str, *grants: LiteralString) -> Generator[str, None, None]:
    """The URL of a role that may do no more than these grants say; `{}` in them is its name. Gone at the end."""
    name = f"role_{uuid4().hex[:12]}"
    role = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        try:
            for grant in grants:
                connection.execute(sql.SQL(grant).format(role))
            yield make_conninfo(database_url, user=name)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
