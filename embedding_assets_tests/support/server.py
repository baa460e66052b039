"""The embedded PostgreSQL of a test session: started by whoever needs it first, shared by all workers, stopped at the end.

Its database `embedding_assets` is migrated once and then only a template. Not here: the fixtures (conftest).
"""

import fcntl
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import Connection, sql
from typing_extensions import LiteralString

from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations

# Nothing here has to survive a power cut, no background worker may visit the template or change a plan, and a test of which one
# transaction waits for another of its own fails instead of hanging.
_SETTINGS: dict[LiteralString, LiteralString] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "lock_timeout": "20s",
}
_MEMORY_NEEDED = 2 << 30
_TEMPLATE = "embedding_assets"


def quick_folder() -> Path | None:
    """Memory if there is enough of it, for a database is 300 files; None for the usual temporary folder.

    Measured while a disk was busy: a database made in 13 ms here, in 200 to 500 ms there.
    """
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _MEMORY_NEEDED else None


def start_server(home: Path) -> str:
    """Start it in `home` unless another worker did; the URL of its database `postgres`, for administration."""
    with _alone(home):
        server = start_embedded(home)
        ready = home / "template-is-ready"
        if not ready.exists():
            with psycopg.connect(server.dagster_url, autocommit=True) as connection:
                for name, value in _SETTINGS.items():
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
                connection.execute("SELECT pg_reload_conf()")
            migrations.upgrade(server.database_url)
            ready.touch()
    return database_at(server.database_url, "postgres")


def stop_server(home: Path) -> None:
    """Stop it if it was started, and remove everything it wrote."""
    stop_embedded(home)
    shutil.rmtree(home)


@contextmanager
def fresh_database(administration: Connection, url: str, *, migrated: bool = True) -> Generator[str, None, None]:
    """The URL of a database of its own, dropped afterwards, whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    template = _TEMPLATE if migrated else "template1"
    # Measured: 15 ms by file_copy, 20 to 35 ms by wal_log.
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    administration.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield database_at(url, name)
    finally:
        administration.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_at(url: str, name: str) -> str:
    """The same server's URL with another database."""
    address, question, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{question}{options}"


@contextmanager
def _alone(home: Path) -> Generator[None, None, None]:
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
