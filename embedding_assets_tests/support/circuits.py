"""Circuits as tests see them, and how their time passes: rows are moved into the past."""

import pytest

from embedding_assets.domain.circuits import OpenCircuit
from embedding_assets.domain.failures import ProviderError
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import circuits, work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator


async def all_circuits(bench: Workbench) -> list[OpenCircuit]:
    """Every open circuit of the database."""
    async with bench.db.transaction() as tx:
        return await circuits.open_circuits(tx)


async def meet_a_failure(bench: Workbench, provider: Simulator, *, status: int = 503, code: str | None = None) -> None:
    """Poll, then run once against a provider that answers everything like this: the run that opens the circuit."""
    provider.fault(FaultKind.STATUS, status=status, code=code)
    await sync_source(bench)
    with pytest.raises(ProviderError):
        await EmbeddingIngestionPipeline(bench).run()


async def waiting(bench: Workbench) -> dict[str, int]:
    """Documents of the queue by state."""
    async with bench.db.transaction() as tx:
        return {depth.state: depth.documents for depth in await work_queue.queue_depth(tx)}


async def travel(bench: Workbench, seconds: float) -> None:
    """Let so much time pass for every circuit."""
    async with bench.db.transaction() as tx:
        await tx.execute(
            """
            UPDATE embedding_assets.circuits SET opened_at = opened_at - make_interval(secs => %(seconds)s),
                                                 probe_after = probe_after - make_interval(secs => %(seconds)s)
            """,
            {"seconds": seconds},
        )
