"""One round: a queue, a provider and so many worker processes; how long they take, and what of it is whose CPU.

Not here: what it means for more workers (projecting).
"""

import multiprocessing
import os
import resource
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import anyio
import psycopg

from bench.queue.loading import fold_all
from bench.workers.source import FourChunks, keys
from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import Embedder
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.workbench import Pace, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.store import work_queue
from embedding_assets_tests.soak.processes import troupe
from embedding_assets_tests.support.benches import open_bench

DIMENSIONS = 256
INPUTS_PER_REQUEST = 16
REQUESTS_AT_ONCE = 4
_CHUNKING = ChunkingStrategy(size=800, overlap=0)
_PACE = Pace(requests_at_once=REQUESTS_AT_ONCE, max_run_seconds=600)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Round:
    """What a round took: seconds of the clock, and of CPU for each document, in the workers and in PostgreSQL."""

    workers: int
    documents: int
    seconds: float
    worker_cpu: float
    database_cpu: float

    @property
    def per_hour(self) -> float:
        """Documents."""
        return self.documents / self.seconds * 3600


async def fill(url: str, documents: int) -> None:
    """Apply the collection and queue that many, folded: a worker that comes while another folds finds nothing, and ends."""
    async with _bench(url, _embedder("http://127.0.0.1:1/v1"), documents) as bench:
        async with bench.db.transaction() as tx:
            changes = [(key, None) for key in keys(documents)]
            await work_queue.enqueue(tx, bench.target.collection_id, changes, lane=Lane.BACKFILL)
        await fold_all(bench.db, bench.target.collection_id)


def drain(url: str, api_base: str, workers: int, documents: int, server: int) -> Round:
    """All of it, by this many processes, each its own shards. Imports are paid before the clock starts."""
    context = multiprocessing.get_context("forkserver")
    ready, told, go = context.Queue(), context.Queue(), context.Event()
    with troupe() as processes:
        for worker in range(workers):
            shards = list(range(SHARDS))[worker::workers]
            processes.start(f"worker {worker}", _work, url, api_base, documents, shards, ready, told, go)
        for _ in range(workers):
            ready.get(timeout=180)
        database, began = _cpu_of(server), time.monotonic()
        go.set()
        cpu = sum(told.get(timeout=600) for _ in range(workers))
        seconds = time.monotonic() - began
    assert _published(url) == documents
    return Round(workers, documents, seconds, cpu / documents, (_cpu_of(server) - database) / documents)


def _work(
    url: str, api_base: str, documents: int, shards: list[int], ready: "Queue[int]", told: "Queue[float]", go: Event
) -> None:
    async def run() -> float:
        async with _bench(url, _embedder(api_base), documents, name=f"worker-{shards[0]}") as bench:
            await bench.embedder.prepare()
            ready.put(shards[0])
            await anyio.to_thread.run_sync(go.wait)
            before = _own_cpu()
            done = await EmbeddingIngestionPipeline(bench).run(shards)
            assert done.total.published == done.total.settled, done
            return _own_cpu() - before

    told.put(anyio.run(run))


def _bench(
    url: str, embedder: Embedder, documents: int, *, name: str = "bench"
) -> AbstractAsyncContextManager[Workbench]:
    return open_bench(
        url, FourChunks(documents), embedder, chunking=_CHUNKING, pace=_PACE, max_inputs=INPUTS_PER_REQUEST, run_id=name
    )


def _embedder(api_base: str) -> Embedder:
    model = EmbeddingModel("openai/simulated", DIMENSIONS)
    return build_embedder(model, api_base=api_base, api_key="a-key", timeout_seconds=60, wire_format="base64", extra={})


def _published(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM embedding_assets.publications").fetchone()
    return row[0] if row else 0


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_of(server: int) -> float:
    """Seconds of CPU of the postmaster, of its children, and of those that ended."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii").split()
    return _ticks(server, slice(13, 17)) + sum(_ticks(int(child), slice(13, 15)) for child in children)


def _ticks(process: int, fields: slice) -> float:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    values = text.rpartition(")")[2].split()
    # Fields are counted from the first, and two of them stand before the bracket.
    return sum(map(int, values[fields.start - 2 : fields.stop - 2])) / _TICKS
