"""Poison inputs among many: all others are published in the same run, for few requests more, wherever the poison lies."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.isolating import InputResult, Isolator
from embedding_assets.pipeline.requesting import Input, Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import (
    PACE,
    on_bench_and_provider,
    open_bench,
    simulated_model,
    sync_and_run,
)
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.generated import GeneratedSource, generated_keys
from embedding_assets_tests.support.published import count_stored_vectors, published_chunks

INPUTS, BATCH = 2048, 64


def extra_allowed(poison: int) -> int:
    """2 k log2(n), for k poison inputs in batches of n."""
    return 2 * poison * int(math.log2(BATCH))


@pytest.mark.parametrize("poison", [[0], [100, 101, 102], [5, 900, 2000]])
def test_all_but_the_poison_is_published_in_one_run_within_the_bound(database_url: str, poison: list[int]) -> None:
    keys = [generated_keys(INPUTS)[number] for number in poison]
    # So that every batch is full, however slow the machine is.
    pace = replace(PACE, claim_documents=INPUTS, batch_linger=60)

    async def run() -> None:
        with Simulator() as provider:
            for key in keys:
                provider.fault(FaultKind.STATUS, status=400, marker=key)
            source = GeneratedSource(INPUTS)
            async with open_bench(
                database_url, source, simulated_model(provider), pace=pace, max_inputs=BATCH
            ) as bench:
                outcome = await sync_and_run(bench)
                assert outcome.total.published == INPUTS - len(keys)
                assert [row.document_key for row in await failed_rows(bench)] == keys
                assert await count_stored_vectors(bench) == len(await published_chunks(bench)) == INPUTS - len(keys)
            extra = provider.counters().requests - math.ceil(INPUTS / BATCH)
        assert 0 < extra <= extra_allowed(len(keys))

    asyncio.run(run())


@pytest.mark.parametrize(
    "positions", [(0,), (31,), (63,), (0, 1, 2), (0, 31, 63), (0, 32, 33), (61, 62, 63), tuple(range(32))]
)
def test_one_batch_is_taken_apart_within_the_bound_though_nothing_went_well_before(
    database_url: str, tmp_path: Path, positions: Sequence[int]
) -> None:
    texts = [f"{'poison' if number in positions else 'plain'} {number}" for number in range(BATCH)]

    async def body(bench: Workbench, provider: Simulator) -> None:
        async with bench.db.transaction() as tx:
            await vectors.create_table(tx, bench.target.table)
        provider.fault(FaultKind.STATUS, status=400, marker="poison")
        results = await _embed(bench, texts)
        refused = {result.input_hash for result in results if result.error is not None}
        assert refused == {input_hash(texts[position]) for position in positions}
        assert len(results) == BATCH
        assert await count_stored_vectors(bench) == BATCH - len(positions)
        assert provider.counters().requests - 1 <= extra_allowed(len(positions))

    on_bench_and_provider(database_url, tmp_path, body)


async def _embed(bench: Workbench, texts: Sequence[str]) -> list[InputResult]:
    inputs = [Input(input_hash(text), text, 10, Lane.LIVE) for text in texts]
    return await Isolator(bench, Requester(bench)).embed(inputs)
