"""A worker process of its own: drains the queue of a folder's collection against a running simulator, to be killed.

`python -m embedding_assets_tests.support.worker DATABASE_URL FOLDER BASE_URL LEASE_SECONDS`
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.providers.embedders import build_embedder
from embedding_assets_tests.simulator import SimulatorClient
from embedding_assets_tests.support.benches import DIMENSIONS, PACE, open_bench

# Small enough that a kill finds some documents settled, some stored, some on the wire and some not begun.
MAX_INPUTS = 4
REQUESTS_AT_ONCE = 2


async def drain(database_url: str, folder: Path, provider: SimulatorClient, lease_seconds: float) -> int:
    """One run; how many documents it published."""
    embedder = build_embedder(
        EmbeddingModel("openai/simulated", DIMENSIONS),
        api_base=provider.api_base,
        api_key="a-key",
        timeout_seconds=20,
        wire_format=None,
        extra={},
    )
    pace = replace(PACE, lease_seconds=lease_seconds, requests_at_once=REQUESTS_AT_ONCE, claim_documents=20)
    async with open_bench(database_url, folder, embedder, pace=pace, max_inputs=MAX_INPUTS) as bench:
        return (await EmbeddingIngestionPipeline(bench).run()).total.published


if __name__ == "__main__":
    url, documents, base_url, lease = sys.argv[1:]
    asyncio.run(drain(url, Path(documents), SimulatorClient(base_url), float(lease)))
