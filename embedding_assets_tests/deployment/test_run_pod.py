"""The container of a run's Job, really run: the posted argv, its environment and mounts, against a real PostgreSQL."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedding_assets_tests.support.code_location import COLLECTIONS, LOCAL_MODEL
from embedding_assets_tests.support.cutting_proxy import cutting_proxy
from embedding_assets_tests.support.helm import IMAGE, RELEASE, Object, named, rendered, values_of
from embedding_assets_tests.support.run_job import RUN_ID, stored_and_posted


def values_at(port: int, user: str, database: str) -> dict[str, Any]:
    """helm-values/dagster.yaml, with its storage at this server."""
    values = copy.deepcopy(values_of("dagster.yaml"))
    values["postgresql"] |= {"postgresqlHost": "127.0.0.1", "postgresqlUsername": user, "postgresqlDatabase": database}
    values["postgresql"]["service"]["port"] = port
    return values


def environment(container: Object, collections_file: Path, database_url: str, writable: Path) -> dict[str, str]:
    """What Kubernetes gives to the container: the ConfigMap of our chart, variables, Secrets; folders are where they are here."""
    sets = ("--set", f"image.repository={IMAGE}", "--set-file", f"collections={collections_file}")
    settings = named(rendered(*sets), "ConfigMap", f"{RELEASE}-settings")["data"]
    secrets = {"EMBEDDING_ASSETS_DATABASE_URL": database_url, "DAGSTER_PG_PASSWORD": "any"}
    variables = {one["name"]: one.get("value") or secrets[one["name"]] for one in container["env"]}
    given = {
        name: value.replace("/tmp", str(writable), 1) if value.startswith("/tmp") else value
        for name, value in {**settings, **variables}.items()
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**given, "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(collections_file), "PATH": path}


@pytest.mark.slow
def test_what_the_job_says_publishes_the_documents_that_wait(
    database_url: str, administration: psycopg.Connection, tmp_path: Path
) -> None:
    corpus, writable = tmp_path / "corpus", tmp_path / "writable"
    for folder in (corpus, writable):
        folder.mkdir()
    (corpus / "a.md").write_text("A document that waits.", encoding="utf-8")
    collections_file = tmp_path / "collections.toml"
    collections_file.write_text(COLLECTIONS.format(corpus=corpus, more="", model=LOCAL_MODEL), encoding="utf-8")
    ours = conninfo_to_dict(database_url)
    dagster = f"{ours['dbname']}_dagster"
    administration.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dagster)))
    try:
        with cutting_proxy(Path(str(ours["host"])) / f".s.PGSQL.{ours.get('port') or 5432}") as proxy:
            job = stored_and_posted(values_at(proxy.port, str(ours["user"]), dagster), collections_file)
            (container,) = job["spec"]["template"]["spec"]["containers"]
            env = environment(container, collections_file, database_url, writable)
            for argv in (
                ["embedding-assets", "collections", "apply"],
                ["embedding-assets", "sync", "docs"],
                container["args"],
            ):
                done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=180)
                assert done.returncode == 0, done.stderr
        with psycopg.connect(make_conninfo(database_url, dbname=dagster)) as connection:
            assert connection.execute("SELECT run_id, status FROM runs").fetchall() == [(RUN_ID, "SUCCESS")]
        with psycopg.connect(database_url) as connection:
            published = connection.execute("SELECT document_key FROM embedding_assets.publications").fetchall()
        assert published == [("a.md",)]
    finally:
        administration.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(dagster)))
