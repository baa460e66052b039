"""A worker killed in the middle: the next run reaches the state of an undisturbed one and pays for nothing twice."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from embedding_assets.pipeline.sync import sync_source
from embedding_assets.telemetry.durable import DOCUMENTS_PROCESSED
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model, write_documents
from embedding_assets_tests.support.published import PublishedChunk, content_hashes, published_chunks, queue_is_empty
from embedding_assets_tests.support.server import fresh_database
from embedding_assets_tests.support.worker import MAX_INPUTS, REQUESTS_AT_ONCE, drain

_DOCUMENTS = 60
_LEASE_SECONDS = 2.0


@pytest.mark.parametrize("inputs_before_the_kill", [4, 60, 140])
def test_a_killed_run_is_finished_by_the_next(
    administration: Connection, server_url: str, database_url: str, tmp_path: Path, inputs_before_the_kill: int
) -> None:
    write_documents(tmp_path, _DOCUMENTS)
    with Simulator() as provider, fresh_database(administration, server_url) as undisturbed_url:
        _sync(undisturbed_url, tmp_path, provider)
        asyncio.run(drain(undisturbed_url, tmp_path, provider, _LEASE_SECONDS))
        undisturbed, inputs = _state(undisturbed_url, tmp_path, provider), provider.counters().inputs

        provider.reset()
        provider.fault(FaultKind.DELAY, seconds=0.03)
        _sync(database_url, tmp_path, provider)
        _run_and_kill(database_url, tmp_path, provider, inputs_before_the_kill)
        published_at_kill = _state(database_url, tmp_path, provider)
        _drain_until_empty(database_url, tmp_path, provider)

        assert len(published_at_kill[0]) < _DOCUMENTS
        assert _state(database_url, tmp_path, provider) == undisturbed
        assert provider.counters().inputs <= inputs + MAX_INPUTS * REQUESTS_AT_ONCE
        assert _counted(database_url) == _DOCUMENTS


State = tuple[dict[str, list[PublishedChunk]], dict[str, bytes]]


def _run_and_kill(database_url: str, folder: Path, provider: Simulator, inputs: int) -> None:
    command = [sys.executable, "-m", "embedding_assets_tests.support.worker"]
    worker = subprocess.Popen([*command, database_url, str(folder), provider.base_url, str(_LEASE_SECONDS)])
    try:
        while provider.counters().inputs < inputs:
            assert worker.poll() is None, "the worker ended before it was killed"
            time.sleep(0.005)
    finally:
        worker.kill()
        worker.wait()


def _drain_until_empty(database_url: str, folder: Path, provider: Simulator) -> None:
    """The dead worker's leases have to end first."""
    deadline = time.monotonic() + 60
    while not _empty(database_url, folder, provider):
        assert time.monotonic() < deadline, "the queue was not drained within a minute"
        asyncio.run(drain(database_url, folder, provider, _LEASE_SECONDS))
        time.sleep(0.2)


def _sync(database_url: str, folder: Path, provider: Simulator) -> None:
    async def body() -> None:
        async with open_bench(database_url, folder, simulated_model(provider)) as bench:
            await sync_source(bench)

    asyncio.run(body())


def _state(database_url: str, folder: Path, provider: Simulator) -> State:
    async def body() -> State:
        async with open_bench(database_url, folder, simulated_model(provider)) as bench:
            return await published_chunks(bench), await content_hashes(bench)

    return asyncio.run(body())


def _counted(database_url: str) -> int:
    """Documents that were counted as published, whoever did it."""
    query = "SELECT sum(value)::int FROM embedding_assets.metric_counters WHERE name = %s AND labels[2] = 'success'"
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query, [DOCUMENTS_PROCESSED.name]).fetchone()
    return row[0] if row else 0


def _empty(database_url: str, folder: Path, provider: Simulator) -> bool:
    async def body() -> bool:
        async with open_bench(database_url, folder, simulated_model(provider)) as bench:
            return await queue_is_empty(bench)

    return asyncio.run(body())
