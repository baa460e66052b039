"""Dagster's real programs: a run told to stop gives its claims back; one tick of the daemon embeds what changed."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.dagster_process import DagsterProcesses, prepare
from embedding_assets_tests.support.webhook import Webhook

_DOCUMENTS = [(f"{number:02}.md", paragraph(number, 0)) for number in range(30)]
_ESCALATED = """
    INSERT INTO embedding_assets.failed_documents
        (collection_id, document_key, status, failure_class, error_type, reason, attempts, lane, first_failed_at, last_failed_at)
    SELECT id, 'a.md', 'escalated', 'poison', 'too_large', '40 MB', 2, 'live', now(), now() FROM embedding_assets.collections
"""
_RANGE = json.dumps({"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "15"})


def _query(database_url: str, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def _wait(condition: Callable[[], bool], dagster: DagsterProcesses, log: str, seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, dagster.log(log)[-3000:]
        time.sleep(0.2)


@pytest.mark.slow
def test_a_dagster_run_told_to_stop_gives_its_claims_back_and_charges_nobody(database_url: str, tmp_path: Path) -> None:
    with Simulator() as provider:
        dagster = prepare(database_url, tmp_path, provider, _DOCUMENTS)
        dagster.ours("sync")
        provider.fault(FaultKind.DELAY, seconds=60)
        job = ["dagster", "job", "execute", "-m", "embedding_assets.definitions", "-j", "docs__embed_documents"]
        with dagster.running("run", *job, "--tags", _RANGE) as run:
            _wait(lambda: provider.counters().requests > 0, dagster, "run")
            run.send_signal(signal.SIGTERM)
            run.wait(timeout=60)
        assert _query(database_url, b"SELECT count(*), count(lease_owner) FROM embedding_assets.work_items") == [
            (30, 0)
        ]
        assert _query(database_url, b"SELECT count(owner) FROM embedding_assets.shard_leases") == [(0,)]
        assert _query(database_url, b"SELECT count(*) FROM embedding_assets.failed_attempts") == [(0,)]


@pytest.mark.slow
def test_the_daemon_polls_the_source_and_its_schedule_embeds_what_it_found(database_url: str, tmp_path: Path) -> None:
    with Simulator() as provider:
        dagster = prepare(database_url, tmp_path, provider, _DOCUMENTS)

        def all_published() -> bool:
            rows = _query(database_url, b"SELECT count(*) FROM embedding_assets.publications")
            return rows == [(len(_DOCUMENTS),)]

        with dagster.running("daemon", "dagster._daemon", "run", "-w", str(dagster.workspace)) as daemon:
            _wait(all_published, dagster, "daemon")
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=60)
        assert provider.counters().inputs == len(_DOCUMENTS)
        assert _query(database_url, b"SELECT count(*) FROM embedding_assets.work_items") == [(0,)]


@pytest.mark.slow
def test_the_daemon_tells_of_an_escalated_document_and_of_a_failed_run(database_url: str, tmp_path: Path) -> None:
    with Simulator() as provider, Webhook() as webhook:
        variables = {"EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL": webhook.url}
        dagster = prepare(database_url, tmp_path, provider, [], variables=variables)
        with psycopg.connect(database_url) as connection:
            connection.execute(_ESCALATED)
        dagster.corpus.rmdir()
        poll = ["dagster", "job", "execute", "-m", "embedding_assets.definitions", "-j", "docs__sync_sources"]
        with dagster.running("poll", *poll) as run:
            run.wait(timeout=120)
        with dagster.running("daemon", "dagster._daemon", "run", "-w", str(dagster.workspace)) as daemon:
            _wait(lambda: len(webhook.told) == 2, dagster, "daemon")
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=60)
        told = {notice["event"]: notice for notice in webhook.told}
        assert told["documents_escalated"]["examples"][0]["document_key"] == "a.md"
        [failed] = told["runs_failed"]["examples"]
        assert (failed["job"], failed["reason"].startswith("cannot read")) == ("docs__sync_sources", True)
        assert _query(database_url, b"SELECT count(notified_at) FROM embedding_assets.failed_documents") == [(1,)]
