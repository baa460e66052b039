"""What Kubernetes is to workers: starts one after another over the poison source until the queue is empty, and counts the lost.

`python -m embedding_assets_tests.support.supervisor DATABASE_URL BASE_URL` prints the count as JSON. Workers are forked
from this process, which has paid for LiteLLM's import and has no event loop.
"""

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import psycopg

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.providers.litellm_loading import load_litellm
from embedding_assets_tests.simulator import SimulatorClient
from embedding_assets_tests.support.benches import DIMENSIONS, PACE, open_bench
from embedding_assets_tests.support.poison_source import PoisonSource

# A killed worker's claims and shards wait for the lease, a hung fetch keeps its document for the claim's whole time. Few
# documents a claim: those that lost two workers along with the poison are each claimed alone.
_PACE = replace(PACE, lease_seconds=1.5, max_claim_seconds=3.0, claim_documents=20)
# Ten times what a worker takes that gives up a hung fetch; one that does not is hung itself.
_WORKER_SECONDS = 30.0
_ALL_SECONDS = 150.0
_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class Lost:
    """Workers started; of these, killed by a document, and killed by us because they hung."""

    started: int = 0
    killed: int = 0
    hung: int = 0

    @property
    def total(self) -> int:
        """Lost one way or the other."""
        return self.killed + self.hung


def drain(database_url: str, api_base: str) -> None:
    """One worker: one run over all shards."""
    asyncio.run(_drain(database_url, api_base))


async def _drain(database_url: str, api_base: str) -> None:
    model = EmbeddingModel("openai/simulated", DIMENSIONS)
    embedder = build_embedder(model, api_base=api_base, api_key="a-key", timeout_seconds=20, wire_format=None, extra={})
    run_id = f"worker-{time.monotonic_ns()}"
    async with open_bench(database_url, PoisonSource(), embedder, pace=_PACE) as bench:
        await EmbeddingIngestionPipeline(replace(bench, run_id=run_id)).run()


def supervise(body: Callable[[str, str], None], database_url: str, api_base: str) -> Lost:
    """Start workers until nothing is queued, or for so long that this will not happen."""
    fork = multiprocessing.get_context("fork")
    lost = Lost()
    deadline = time.monotonic() + _ALL_SECONDS
    while not _queue_is_empty(database_url) and time.monotonic() < deadline:
        worker = fork.Process(target=body, args=(database_url, api_base))
        worker.start()
        lost.started += 1
        worker.join(_WORKER_SECONDS)
        lost.hung += worker.is_alive()
        lost.killed += worker.exitcode is not None and worker.exitcode < 0
        worker.kill()
        worker.join()
        time.sleep(_PAUSE_SECONDS)
    return lost


def _queue_is_empty(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT NOT EXISTS (SELECT FROM embedding_assets.work_items) "
            "AND NOT EXISTS (SELECT FROM embedding_assets.work_arrivals)"
        ).fetchone()
    return bool(row and row[0])


if __name__ == "__main__":
    load_litellm()
    url, base_url = sys.argv[1:]
    print(json.dumps(asdict(supervise(drain, url, SimulatorClient(base_url).api_base))))
