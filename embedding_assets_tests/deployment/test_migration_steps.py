"""The containers of the migration Job, really run one after the other: their argv, their environment, their ConfigMap."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedding_assets.collections_file import load_collections_file
from embedding_assets.store.migrations import missing_revisions
from embedding_assets_tests.support.cutting_proxy import cutting_proxy
from embedding_assets_tests.support.helm import COLLECTIONS_FILE, RELEASE, REQUIRED, Object, named, rendered


def environment(container: Object, database_url: str, folders: dict[str, Path]) -> dict[str, str]:
    """What Kubernetes gives to the container, with each mounted folder where it is here."""
    secrets = {"EMBEDDING_ASSETS_DATABASE_URL": database_url, "DAGSTER_PG_PASSWORD": "any"}
    given = {one["name"]: one.get("value") or secrets[one["name"]] for one in container["env"]}
    for name, value in given.items():
        for mounted, here in folders.items():
            if value.startswith(mounted):
                given[name] = value.replace(mounted, str(here), 1)
                break
    return {**given, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run_steps(job: Object, database_url: str, folders: dict[str, Path]) -> list["subprocess.CompletedProcess[str]"]:
    spec = job["spec"]["template"]["spec"]
    done: list[subprocess.CompletedProcess[str]] = []
    for one in (*spec["initContainers"], *spec["containers"]):
        env = environment(one, database_url, folders)
        done.append(subprocess.run(one["args"], env=env, capture_output=True, text=True, check=False, timeout=120))
        if done[-1].returncode:
            break
    return done


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {"/etc/embedding-assets": tmp_path / "config", "/tmp": tmp_path / "writable"}
    for folder in made.values():
        folder.mkdir()
    return made


@pytest.mark.slow
def test_they_take_an_empty_server_to_one_that_runs_can_start_on(
    empty_database_url: str, administration: psycopg.Connection, folders: dict[str, Path]
) -> None:
    ours = conninfo_to_dict(empty_database_url)
    socket = Path(str(ours["host"])) / f".s.PGSQL.{ours.get('port') or 5432}"
    dagster = f"{ours['dbname']}_dagster"
    administration.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dagster)))
    try:
        with cutting_proxy(socket) as proxy:
            storage = f"host=127.0.0.1,port={proxy.port},user={ours['user']},database={dagster}"
            sets = ",".join(f"dagster.storage.{each}" for each in storage.split(","))
            objects = rendered(*REQUIRED, "--set", sets)
            for name, text in named(objects, "ConfigMap", f"{RELEASE}-migrate")["data"].items():
                (folders["/etc/embedding-assets"] / name).write_text(text, encoding="utf-8")
            job = named(objects, "Job", f"{RELEASE}-migrate")
            # Twice: an upgrade with nothing to migrate goes through as well.
            for _ in range(2):
                done = run_steps(job, empty_database_url, folders)
                assert [one.returncode for one in done] == [0, 0, 0], done[-1].stderr
        assert missing_revisions(empty_database_url) == []
        with psycopg.connect(empty_database_url) as connection:
            applied = connection.execute("SELECT name FROM embedding_assets.collections").fetchall()
        with psycopg.connect(make_conninfo(empty_database_url, dbname=dagster)) as connection:
            tables = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE tablename IN ('runs', 'event_logs', 'alembic_version')"
            )
            assert tables.fetchall() == [(3,)]
        assert {name for (name,) in applied} == set(load_collections_file(COLLECTIONS_FILE).collections)
        # A ConfigMap is read-only.
        assert {one.name for one in folders["/etc/embedding-assets"].iterdir()} == {"collections.toml", "dagster.yaml"}
    finally:
        administration.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(dagster)))


def test_without_a_database_the_first_one_fails_and_says_which_variable(folders: dict[str, Path]) -> None:
    job = named(rendered(*REQUIRED), "Job", f"{RELEASE}-migrate")
    (only,) = run_steps(job, "postgresql://nobody@127.0.0.1:1/nothing", folders)
    assert only.returncode == 1
    assert "EMBEDDING_ASSETS_DATABASE_URL" in only.stderr
