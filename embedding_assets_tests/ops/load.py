"""What the servers are played: a collection, a producer that changes documents all the time, and workers that drain the queue.

Each in a process of its own. Not here: what goes wrong (scenarios).
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import LimitName, Target
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.store import rate_limiter, work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import FaultKind, SimulatorClient
from embedding_assets_tests.simulator.server import SimulatorServer
from embedding_assets_tests.soak.processes import Troupe, troupe
from embedding_assets_tests.soak.worker import work
from embedding_assets_tests.support.benches import DIMENSIONS, open_bench
from embedding_assets_tests.support.generated import GeneratedSource, change, generated_keys

DOCUMENTS = 200
_LIMIT = "provider-key"
_WORKERS = 2
# What a reply takes, in seconds.
_QUICKEST, _SLOWEST = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """A load at work: provider and producer. Workers are started and stopped by `working`."""

    database_url: str
    provider: SimulatorClient
    target: Target
    changes: Path


async def prepare(database_url: str, *, freshness_seconds: float, requests_per_minute: int) -> Target:
    """Apply the collection under this limit, as after a first poll that found nothing; what workers work on."""
    model = EmbeddingModel("openai/simulated", DIMENSIONS)
    embedder = build_embedder(model, api_base=None, api_key=None, timeout_seconds=20, wire_format=None, extra={})
    async with open_bench(database_url, GeneratedSource(DOCUMENTS), embedder, max_inputs=1) as bench:
        async with bench.db.transaction() as tx:
            await tx.execute(
                "UPDATE embedding_assets.collections SET tracked_since = clock_timestamp(), freshness_seconds = %s",
                [freshness_seconds],
            )
            limit = LimitSettings(_LIMIT, "embedding-assets", 1.0, requests_per_minute, None, None, "own", 0)
            await rate_limiter.apply(tx, limit)
            await tx.execute("UPDATE embedding_assets.collections SET limit_name = %s", [_LIMIT])
        return replace(bench.target, limit=LimitName(_LIMIT, "embedding-assets", requests_per_minute))


@contextmanager
def load(database_url: str, folder: Path, target: Target, *, port: int, per_minute: int) -> Generator[Load, None, None]:
    """The provider and the producer at work."""
    changes = folder / "changes"
    changes.mkdir()
    with troupe() as others:
        others.start("provider", _provide, port)
        provider = SimulatorClient(f"http://127.0.0.1:{port}")
        found = Load(database_url, provider, target, changes)
        change_documents(others, found, per_minute=per_minute)
        yield found


def change_documents(producers: Troupe, load: Load, *, per_minute: int) -> None:
    """One more producer."""
    producers.start("producer", _produce, load.database_url, load.target.collection_id, load.changes, per_minute)


def be_slow_as_usual(provider: SimulatorClient) -> None:
    """No fault, and replies that take a little."""
    provider.reset()
    provider.fault(FaultKind.DELAY, seconds=_QUICKEST, seconds_max=_SLOWEST)


@contextmanager
def working(load: Load) -> Generator[Troupe, None, None]:
    """Workers, each over its shards, run after run."""
    with troupe() as workers:
        for number in range(_WORKERS):
            shards = range(SHARDS)[number::_WORKERS]
            api = load.provider.api_base
            workers.start(
                f"worker {number}",
                _work_quietly,
                load.database_url,
                api,
                load.target,
                f"worker-{number}",
                shards,
                load.changes,
            )
        yield workers


def _work_quietly(*arguments: Any) -> None:
    """What a fault makes of runs is to be seen in their alert, not a line for each."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        work(*arguments)


def _provide(port: int) -> None:
    SimulatorServer(port, DIMENSIONS).run()


def _produce(database_url: str, collection_id: int, changes: Path, per_minute: int) -> None:
    asyncio.run(_make_changes(database_url, collection_id, changes, per_minute))


async def _make_changes(database_url: str, collection_id: int, changes: Path, per_minute: int) -> None:
    keys, due, number = generated_keys(DOCUMENTS), time.monotonic(), 0
    async with Database(database_url, pool_size=1, application_name="producer") as db:
        while True:
            key = keys[number % len(keys)]
            number += 1
            change(changes, key, number)
            async with db.transaction() as tx:
                await work_queue.enqueue(tx, collection_id, [(key, datetime.now(timezone.utc))], lane=Lane.LIVE)
            due += 60 / per_minute
            await asyncio.sleep(max(0.0, due - time.monotonic()))
