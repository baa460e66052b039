"""PostgreSQL crashes, restarts and loses connections in the middle of the work: the end is that of an undisturbed run."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import psycopg
import pytest
from psycopg import sql

from embedding_assets.domain.failures import ClassifiedError
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.store import migrations, work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.simulator.vectors import expected_vector
from embedding_assets_tests.support.benches import DIMENSIONS, PACE, open_bench, simulated_model
from embedding_assets_tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from embedding_assets_tests.support.generated import GeneratedSource, generated_keys
from embedding_assets_tests.support.published import (
    PublishedChunk,
    content_hashes,
    published_chunks,
    queue_is_empty,
    stored_vectors,
)
from embedding_assets_tests.support.restarting_server import RestartingServer, restarting_server

_DOCUMENTS = 1000
_PACE = replace(PACE, lease_seconds=2)
_IN_TIME_SECONDS = 120.0
# Enough to hit every step of a run that takes some seconds, and few enough to let it come to its end.
_DISTURBANCES = 8
_LEFT_BEHIND = """
    SELECT (SELECT count(*) FROM embedding_assets.failed_attempts), (SELECT count(*) FROM embedding_assets.obligations),
           (SELECT sum(value)::int FROM embedding_assets.metric_counters
            WHERE name = 'embedding_documents_processed_total' AND labels[2] = 'success'),
           (SELECT coalesce(sum(delta), 0)::int FROM embedding_assets.count_deltas WHERE what = 'queued'),
           (SELECT sum(delta)::int FROM embedding_assets.count_deltas WHERE what = 'tracked')
"""
_SEEDS = [
    pytest.param(seed, marks=[pytest.mark.slow] if seed == 1 else [pytest.mark.slow, pytest.mark.long])
    for seed in range(10)
]


@dataclass(frozen=True, slots=True)
class _State:
    """Everything a reader could tell, and what must not be left behind; what was counted of it, once."""

    hashes: Mapping[str, bytes]
    chunks: Mapping[str, list[PublishedChunk]]
    vectors: Mapping[str, list[float]]
    failed: int
    promises: int
    counted: int
    queued: int
    tracked: int


@pytest.fixture(scope="module")
def server() -> Generator[RestartingServer, None, None]:
    with restarting_server() as started:
        yield started


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_run_whose_database_crashes_and_drops_connections_ends_as_an_undisturbed_one(
    server: RestartingServer, seed: int
) -> None:
    with _fresh(server, f"seed_{seed}") as name, Simulator() as provider, cutting_proxy(server.socket) as proxy:
        direct = server.database_url.replace("/embedding_assets?", f"/{name}?")
        provider.fault(FaultKind.DELAY, seconds=0.02, seconds_max=0.1)
        asyncio.run(_enqueue(direct, provider))
        luck = random.Random(seed)
        with _disturbed(server, proxy, luck, begin=lambda: provider.counters().requests > 0) as disturbances:
            failures = _drain(f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}", direct, provider)
        state = asyncio.run(_state(direct, provider))
    assert len(disturbances) == _DISTURBANCES, "the run was over before it was disturbed enough"
    assert failures, "no run noticed anything"
    assert state == _undisturbed()


def _undisturbed() -> _State:
    """What follows from the source and the model alone."""
    source = GeneratedSource(_DOCUMENTS)
    documents = [source.fetch(key) for key in generated_keys(_DOCUMENTS)]
    return _State(
        {one.document_key: one.content_hash() for one in documents},
        {one.document_key: [_only_chunk(one.content)] for one in documents},
        {one.content: expected_vector(one.content, DIMENSIONS).tolist() for one in documents},
        failed=0,
        promises=0,
        counted=_DOCUMENTS,
        queued=0,
        tracked=_DOCUMENTS,
    )


def _only_chunk(text: str) -> PublishedChunk:
    return PublishedChunk(0, text, 0, len(text), input_hash(text))


async def _state(url: str, provider: Simulator) -> _State:
    async with open_bench(url, GeneratedSource(_DOCUMENTS), simulated_model(provider)) as bench:
        chunks = await published_chunks(bench)
        async with bench.db.transaction() as tx:
            row = await (await tx.execute(_LEFT_BEHIND)).fetchone()
        assert row is not None
        vectors = {
            text: np.array(vector, np.float32).tolist() for text, vector in (await stored_vectors(bench)).items()
        }
        return _State(await content_hashes(bench), chunks, vectors, *row)


async def _enqueue(url: str, provider: Simulator) -> None:
    source = GeneratedSource(_DOCUMENTS)
    async with open_bench(url, source, simulated_model(provider)) as bench, bench.db.transaction() as tx:
        changes = [(key, None) for key in generated_keys(_DOCUMENTS)]
        await work_queue.enqueue(tx, bench.target.collection_id, changes, lane=Lane.LIVE)


def _drain(url: str, direct: str, provider: Simulator) -> list[str]:
    """Run after run, as a schedule does, until the queue is empty; what those that failed said."""
    said: list[str] = []
    deadline = time.monotonic() + _IN_TIME_SECONDS
    number = 0
    while not asyncio.run(_empty(direct, provider)):
        assert time.monotonic() < deadline, said
        number += 1
        try:
            asyncio.run(_run(url, provider, f"run-{number}"))
        except ClassifiedError as error:
            said.append(str(error))
            time.sleep(0.1)
    return said


async def _run(url: str, provider: Simulator, run_id: str) -> None:
    model = simulated_model(provider)
    async with open_bench(url, GeneratedSource(_DOCUMENTS), model, pace=_PACE, run_id=run_id) as bench:
        await EmbeddingIngestionPipeline(bench).run()


async def _empty(url: str, provider: Simulator) -> bool:
    try:
        async with open_bench(url, GeneratedSource(_DOCUMENTS), simulated_model(provider)) as bench:
            return await queue_is_empty(bench)
    except ClassifiedError:
        return False


@contextmanager
def _disturbed(
    server: RestartingServer, proxy: CuttingProxy, luck: random.Random, *, begin: Callable[[], bool]
) -> Generator[list[str], None, None]:
    """Cuts and crashes at random moments once the work has begun, until the block ends; what was done."""
    done: list[str] = []
    over = threading.Event()

    def disturb() -> None:
        while not begin() and not over.wait(0.05):
            pass
        while len(done) < _DISTURBANCES and not over.wait(luck.uniform(0.1, 0.8)):
            if luck.random() < 0.7:
                proxy.cut()
                done.append("cut")
            else:
                server.crash_and_restart()
                done.append("crash")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


@contextmanager
def _fresh(server: RestartingServer, name: str) -> Generator[str, None, None]:
    """A migrated database of this name."""
    url = server.database_url.replace("/embedding_assets?", f"/{name}?")
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrations.upgrade(url)
    yield name
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
