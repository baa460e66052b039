"""A worker killed when it has opened the circuit, or has its probe on the way: the next run probes all the same."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.pipeline.sync import sync_source
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model, write_documents
from embedding_assets_tests.support.worker import drain

_DOCUMENTS = 4
_LEASE_SECONDS = 60.0


def test_a_worker_killed_when_it_opened_the_circuit_leaves_the_probe_and_everything_it_claimed_to_the_next(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, _DOCUMENTS)
    with Simulator() as provider, psycopg.connect(database_url, autocommit=True) as database:
        asyncio.run(_sync(database_url, tmp_path, provider))
        provider.fault(FaultKind.STATUS, status=401)
        _run_and_kill(database_url, tmp_path, provider, when=lambda: _probes(database) == [0])
        provider.reset()
        _travel(database, 31)
        assert asyncio.run(drain(database_url, tmp_path, provider, _LEASE_SECONDS)) == _DOCUMENTS
        assert _probes(database) == []


def test_a_worker_killed_with_its_probe_on_the_way_leaves_a_circuit_that_is_due_again_later(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, _DOCUMENTS)
    with Simulator() as provider, psycopg.connect(database_url, autocommit=True) as database:
        asyncio.run(_sync(database_url, tmp_path, provider))
        provider.fault(FaultKind.DELAY, seconds=3)
        database.execute(
            "INSERT INTO embedding_assets.circuits (provider, reason, message, probe_after) "
            "VALUES ('openai/simulated', 'provider_unavailable', 'it answered 503', now())"
        )
        _run_and_kill(database_url, tmp_path, provider, when=lambda: provider.counters().requests == 1)
        provider.reset()
        with pytest.raises(CircuitOpen):
            asyncio.run(drain(database_url, tmp_path, provider, _LEASE_SECONDS))
        assert (_probes(database), provider.counters().requests) == ([1], 0)
        _travel(database, 61)
        assert asyncio.run(drain(database_url, tmp_path, provider, _LEASE_SECONDS)) == _DOCUMENTS
        assert _probes(database) == []


async def _sync(database_url: str, folder: Path, provider: Simulator) -> None:
    async with open_bench(database_url, folder, simulated_model(provider)) as bench:
        await sync_source(bench)


def _run_and_kill(database_url: str, folder: Path, provider: Simulator, *, when: Callable[[], bool]) -> None:
    command = [sys.executable, "-m", "embedding_assets_tests.support.worker", database_url, str(folder)]
    worker = subprocess.Popen([*command, provider.base_url, str(_LEASE_SECONDS)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    try:
        while not when():
            assert time.monotonic() < deadline, "what the worker was to be killed at did not happen within a minute"
            time.sleep(0.005)
    finally:
        worker.kill()
        worker.wait()


def _probes(database: psycopg.Connection) -> list[int]:
    return [row[0] for row in database.execute("SELECT probes FROM embedding_assets.circuits").fetchall()]


def _travel(database: psycopg.Connection, seconds: float) -> None:
    database.execute(
        "UPDATE embedding_assets.circuits SET probe_after = probe_after - make_interval(secs => %s)", [seconds]
    )
