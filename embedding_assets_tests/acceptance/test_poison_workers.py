"""Documents that kill or hang their worker: a few workers are lost, the two documents are named, all others are published."""

import asyncio
import json
import subprocess
import sys

import psycopg
import pytest

from embedding_assets.domain.work import Lane
from embedding_assets.store import work_queue
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model
from embedding_assets_tests.support.generated import generated_keys
from embedding_assets_tests.support.poison_source import DOCUMENTS, HANGS, KILLS, PoisonSource
from embedding_assets_tests.support.supervisor import Lost


@pytest.mark.slow
def test_one_document_kills_three_workers_one_hangs_none_and_all_others_are_published(database_url: str) -> None:
    with Simulator() as provider:
        asyncio.run(_queue_all(database_url, provider))
        lost = _supervise(database_url, provider)
    with psycopg.connect(database_url) as connection:
        failed = connection.execute("SELECT document_key, error_type FROM embedding_assets.failed_documents ORDER BY 1")
        assert failed.fetchall() == [(KILLS, "worker_lost"), (HANGS, "worker_lost")]
        published = connection.execute("SELECT count(*) FROM embedding_assets.publications")
        assert published.fetchall() == [(DOCUMENTS - 2,)]
    assert lost.total <= 3, lost


async def _queue_all(database_url: str, provider: Simulator) -> None:
    async with (
        open_bench(database_url, PoisonSource(), simulated_model(provider)) as bench,
        bench.db.transaction() as tx,
    ):
        changes = [(key, None) for key in generated_keys(DOCUMENTS)]
        await work_queue.enqueue(tx, bench.target.collection_id, changes, lane=Lane.LIVE)


def _supervise(database_url: str, provider: Simulator) -> Lost:
    command = [sys.executable, "-m", "embedding_assets_tests.support.supervisor", database_url, provider.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Lost(**json.loads(done.stdout))
