"""The exporter as Prometheus meets it: over HTTP, in its own process, with the database there and away."""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from embedding_assets.domain.counts import Counts
from embedding_assets.store import ledger
from embedding_assets.store.database import Database
from embedding_assets.telemetry.catalogue import CATALOGUE
from embedding_assets.telemetry.durable import DOCUMENTS_PROCESSED, DURABLE, ERRORS
from embedding_assets_tests.exporter.processes import exporter, free_port
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.queue import NOON, change

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def get(url: str, accept: str = "text/plain") -> tuple[int, str, str]:
    """Status, content type, body."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def samples(body: str) -> Samples:
    return {(s.name, frozenset(s.labels.items())): s.value for family in text(body) for s in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def _something_counted(db: Database) -> None:
    docs = await make_collection(db)
    counts = Counts()
    DOCUMENTS_PROCESSED.add(counts, "docs", "success", by=5)
    async with db.transaction() as tx:
        await change(tx, docs, "a", "b", when=NOON)
        await ledger.enter(tx, counts)


def test_a_scrape_shows_the_ledger_the_queue_and_every_legal_label_set_at_zero(
    database_url: str, tmp_path: Path
) -> None:
    run(database_url, _something_counted)
    with exporter(database_url, tmp_path) as (_, base):
        status, content_type, body = get(base + "/metrics")
        assert (status, content_type.partition(";")[0]) == (200, "text/plain")
        found = samples(body)
        assert value(found, "embedding_documents_processed_total", collection="docs", outcome="success") == 5
        assert value(found, "embedding_documents_processed_total", collection="docs", outcome="failure") == 0
        assert value(found, "embedding_queue_documents", collection="docs", lane="live", state="waiting") == 2
        assert value(found, "embedding_queue_oldest_age_seconds", collection="docs", lane="live") > 0
        assert value(found, "embedding_exporter_database_up") == 1
        errors = [labels for name, labels in found if name == ERRORS.name]
        assert len(errors) == len(ERRORS.label_sets(collection=["docs"]))
        names = {family.name for family in text(body)}
        assert {metric.name.removesuffix("_total") for metric in DURABLE} <= names


def test_openmetrics_when_asked_with_ages_as_a_gauge_histogram(database_url: str, tmp_path: Path) -> None:
    run(database_url, _something_counted)
    with exporter(database_url, tmp_path) as (_, base):
        _, content_type, body = get(base + "/metrics", "application/openmetrics-text; version=1.0.0")
        assert content_type.startswith("application/openmetrics-text")
        kinds = {family.name: family.type for family in openmetrics(body)}
        assert kinds["embedding_failed_document_age_seconds"] == "gaugehistogram"
        unknown = set(kinds) - {name.removesuffix("_total") for name in CATALOGUE}
        assert unknown == set()


def test_with_the_database_away_it_says_only_that_and_comes_back_by_itself(
    administration: Connection, database_url: str, tmp_path: Path
) -> None:
    run(database_url, _something_counted)
    database = str(conninfo_to_dict(database_url)["dbname"])
    name = sql.Identifier(database)
    with exporter(database_url, tmp_path) as (_, base):
        assert get(base + "/readyz")[0] == 200
        administration.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        administration.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        time.sleep(0.6)
        assert samples(get(base + "/metrics")[2]) == {("embedding_exporter_database_up", frozenset()): 0.0}
        assert (get(base + "/healthz")[0], get(base + "/readyz")[0]) == (200, 503)
        administration.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        time.sleep(0.6)
        assert value(samples(get(base + "/metrics")[2]), "embedding_exporter_database_up") == 1


def test_it_starts_with_the_database_away(tmp_path: Path) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing?connect_timeout=2"
    with exporter(nobody, tmp_path) as (_, base):
        assert samples(get(base + "/metrics")[2]) == {("embedding_exporter_database_up", frozenset()): 0.0}


def test_many_who_scrape_at_once_are_answered_by_one_connection(database_url: str, tmp_path: Path) -> None:
    run(database_url, _something_counted)
    with exporter(database_url, tmp_path) as (_, base):
        bodies: list[int] = []
        threads = [threading.Thread(target=lambda: bodies.append(get(base + "/metrics")[0])) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = samples(get(base + "/metrics")[2])
        ours = {
            labels: number
            for (name, labels), number in found.items()
            if name == "embedding_database_connections" and ("application", "embedding-assets-exporter") in labels
        }
        assert (bodies, sum(ours.values())) == ([200] * 12, 1)


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_other_paths_say_which_there_are(database_url: str, tmp_path: Path, path: str) -> None:
    with exporter(database_url, tmp_path) as (_, base):
        assert "/metrics" in get(base + path)[2]


def test_a_port_that_is_taken_is_said_in_one_sentence(database_url: str, tmp_path: Path) -> None:
    with exporter(database_url, tmp_path) as (_, base):
        port = base.rpartition(":")[2]
        environment = {**os.environ, "EMBEDDING_ASSETS_DATABASE_URL": database_url}
        program = str(Path(sys.executable).parent / "embedding-assets")
        second = subprocess.run(
            [program, "metrics", "serve", "--port", port], env=environment, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert f"port {port}" in second.stderr
        assert "--port" in second.stderr
