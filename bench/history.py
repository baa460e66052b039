"""`python -m bench.history`: rows and bytes that a run leaves in Dagster's own storage, and what the purge gives back.

On an embedded PostgreSQL, with the settings of `up`; runs happen in this process, one after another.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import psycopg

from embedding_assets.cli.dagster_home import prepare_dagster_home
from embedding_assets.defs.history import purge_runs
from embedding_assets.defs.partitions import range_tags
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.settings import load_settings
from embedding_assets.store import migrations
from embedding_assets_tests.support.code_location import CodeLocation, build_location

_RUNS = 10
_TABLES = ("event_logs", "runs", "run_tags", "asset_check_executions", "snapshots")
_SIZES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"


def _standing(url: str) -> tuple[int, int]:
    """Rows of the tables that grow, and bytes of everything."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = sum(_one(connection, f"SELECT count(*) FROM {table}") for table in _TABLES)
        return rows, _one(connection, _SIZES)


def _one(connection: "psycopg.Connection[tuple[int]]", query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _measure(what: str, url: str, run: Callable[[], object]) -> None:
    run()
    rows, size = _standing(url)
    began = time.perf_counter()
    for _ in range(_RUNS):
        run()
    seconds = (time.perf_counter() - began) / _RUNS
    more_rows, more_size = _standing(url)
    grown = (more_size - size) / _RUNS
    print(
        f"{what:<40} {(more_rows - rows) / _RUNS:>6.0f} rows {grown / 1024:>8.1f} KiB a run "
        f"{grown * 1440 / 2**20:>7.0f} MiB a day at one a minute   ({seconds:.1f} s)",
        flush=True,
    )


def _all_kinds(location: CodeLocation, url: str) -> None:
    def embed(first: int, last: int) -> None:
        for number in range(40):
            (location.corpus / f"{number}.md").write_text(f"{time.time_ns()} {number}", encoding="utf-8")
        location.sync()
        location.embed(tags=range_tags(first, last), retrack=False)

    _measure("a poll of the source", url, location.sync)
    _measure("a poll, then a run with work in 16 shards", url, lambda: embed(0, 15))
    _measure("a poll, then a run with work in 1 shard", url, lambda: embed(3, 3))
    _measure("a run with nothing to do", url, lambda: location.embed(retrack=False))
    _measure("the checks of what is stored", url, lambda: location.run_job("docs__check_stored_data"))
    later = datetime.now(timezone.utc) + timedelta(days=1)
    rows, _ = _standing(url)
    began = time.perf_counter()
    deleted = purge_runs(location.instance, ["docs"], later)
    seconds = time.perf_counter() - began
    each = seconds / deleted * 1000
    print(
        f"purge: {deleted} runs in {seconds:.1f} s ({each:.0f} ms each), {rows} rows before, {_standing(url)[0]} after"
    )


def main() -> None:
    """Start the server, measure, stop it."""
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        server = start_embedded(Path(folder))
        try:
            migrations.upgrade(server.database_url)
            variables = {"EMBEDDING_ASSETS_DATABASE_URL": server.database_url, "EMBEDDING_ASSETS_HOME": folder}
            home = prepare_dagster_home(load_settings(variables), server.dagster_url)
            os.environ.update(home.environment)
            corpus = Path(folder) / "corpus"
            corpus.mkdir()
            with dg.DagsterInstance.from_config(str(home.folder)) as instance:
                _all_kinds(build_location(server.database_url, corpus, instance), server.dagster_url)
        finally:
            stop_embedded(Path(folder))


if __name__ == "__main__":
    main()
