"""A builder process of its own: builds the model that the collections file names, to be killed.

`python -m embedding_assets_tests.support.builder DATABASE_URL FOLDER BASE_URL`; the collection is applied already.
"""

import asyncio
import sys
from pathlib import Path

from embedding_assets.pipeline.model_build import BuildOutcome, build_model
from embedding_assets_tests.simulator import SimulatorClient
from embedding_assets_tests.support.model_changes import ALL_SHARDS, changing


async def build(database_url: str, folder: Path, provider: SimulatorClient) -> BuildOutcome:
    """One builder over all shards."""
    async with changing(database_url, folder, provider).open() as bench:
        assert bench.building is not None
        return await build_model(bench.building, ALL_SHARDS)


if __name__ == "__main__":
    url, documents, base_url = sys.argv[1:]
    asyncio.run(build(url, Path(documents), SimulatorClient(base_url)))
