"""Bringing up to date what is stale: first what it costs, then, if that may be spent, repair, the build of a model, the queue.

Documents that another chunker cut are only queued, in the backfill lane: a run of the queue embeds them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.failures import ClassifiedError, EmbeddingAssetsError
from embedding_assets.domain.reembedding import Approval, Decision, Estimate, decide
from embedding_assets.pipeline.estimating import estimate
from embedding_assets.pipeline.model_build import BuildOutcome, build_model
from embedding_assets.pipeline.repair import RepairOutcome, repair_vectors
from embedding_assets.pipeline.request_counts import RequestCounts, all_requests
from embedding_assets.pipeline.tracking import queue_stale
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections

_log = logging.getLogger(__name__)

_ALL_SHARDS = range(SHARDS)


class NotThisFile(EmbeddingAssetsError):
    """Another model is being built than the collections file of this process names; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ReembedOutcome:
    """What is stale, what was decided, and what was done and sent; None and 0 for what was not."""

    estimate: Estimate
    decision: Decision
    repaired: RepairOutcome | None = None
    built: BuildOutcome | None = None
    queued: int = 0
    requests: RequestCounts = field(default_factory=RequestCounts)


async def reembed(
    bench: Workbench,
    approval: Approval,
    *,
    in_full: bool = True,
    on_estimated: Callable[[Estimate], None] | None = None,
    on_built: Callable[[int], None] | None = None,
) -> ReembedOutcome:
    """Estimate what is stale, and bring it up to date where that may be spent.

    Not `in_full`: counting ends once it costs more than may be spent without approval.

    Raises:
        NotThisFile: before anything is looked at.
        ClassifiedError: systemic, a circuit is open, or a budget is used up: what was done so far stays; or
            `model_replaced`: the build was cancelled meanwhile.
    """
    await _require_file_of_build(bench)
    found = await estimate(bench, stop_above=None if in_full else approval.automatic_usd)
    if on_estimated:
        on_estimated(found)
    decision = decide(found, approval)
    if decision is not Decision.BEGIN:
        return ReembedOutcome(found, decision)
    repaired = await _repaired(bench, found)
    sent, built = [repaired.requests], None
    if bench.building:
        # A model that was active before may have lost vectors since.
        sent.append((await repair_vectors(bench.building, _ALL_SHARDS)).requests)
        built = await build_model(bench.building, _ALL_SHARDS, on_built=on_built)
        sent.append(built.requests)
    # Cut anew before the cut-over, they would be paid for under both models.
    queued = await queue_stale(bench, _ALL_SHARDS) if built is None or built.cut_over else 0
    return ReembedOutcome(found, decision, repaired, built, queued, all_requests(sent))


async def _repaired(bench: Workbench, found: Estimate) -> RepairOutcome:
    """What the active model has to make good; left out where it cannot be asked and another one is to take its place."""
    if not found.vectors.to_send:
        return RepairOutcome()
    try:
        return await repair_vectors(bench, _ALL_SHARDS)
    except ClassifiedError as error:
        if bench.building is None:
            raise
        _log.warning("%s; model %s is built all the same", error, bench.building.target.model.name)
        return RepairOutcome()


async def _require_file_of_build(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        applied = await collections.find(tx, bench.target.name)
    if applied and applied.building and bench.building is None:
        raise NotThisFile(
            f"model {applied.building.model.name} is being built for collection {bench.target.name!r}, and the collections "
            "file of this process does not name it: give it the file that does, or run `embedding-assets collections "
            "apply` with this one, which cancels the build"
        )
