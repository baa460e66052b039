"""What a selection of stages means: which documents are queued, whether the queue is drained or vectors are repaired.

Dagster's assets and the terminal both come through here. Not here: the steps themselves, or how an outcome is recorded.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from embedding_assets.domain.documents import shard_name, shard_of
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.work import Tally
from embedding_assets.pipeline.indexing import IndexOutcome, ensure_index
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.model_build import BuildOutcome, build_model
from embedding_assets.pipeline.repair import RepairOutcome, repair_vectors
from embedding_assets.pipeline.request_counts import RequestCounts, all_requests
from embedding_assets.pipeline.tracking import queue_changed, queue_stale, retrack
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import inspection
from embedding_assets.store.inspection import Freshness


class DocumentStage(str, Enum):
    """What a document becomes on its way; the value is the asset's name."""

    RAW_DOCUMENTS = "raw_documents"
    CHUNKS = "chunks"
    EMBEDDINGS = "embeddings"


ALL_STAGES = frozenset(DocumentStage)


class StagesNotRunnable(EmbeddingAssetsError):
    """The options ask for what these stages or shards cannot do; the message says what to select instead."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """How a person or a schedule wants the stages run.

    `retrack` looks at every known document again, not only at the queue; `document_keys` narrows that to these.
    `force` publishes documents anew even when nothing changed; `probe_now` probes an open circuit before its time.
    """

    retrack: bool = True
    force: bool = False
    document_keys: tuple[str, ...] = ()
    max_documents: int | None = None
    probe_now: bool = True


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The steps of a run, in this order."""

    retrack: bool = False
    queue_changed: bool = False
    queue_stale: bool = False
    drain: bool = False
    repair: bool = False


@dataclass(frozen=True, slots=True)
class StagesOutcome:
    """What was done. `shards` are those worked; `queued` counts documents this run put in the queue.

    `drained`, `repaired` and `index` are None where the selection does not include that step, `built` also while no other
    model is built. `freshness` is how the collection stands afterwards.
    """

    shards: tuple[int, ...]
    queued: int
    drained: RunOutcome | None
    repaired: RepairOutcome | None
    built: BuildOutcome | None
    index: IndexOutcome | None
    freshness: Freshness

    @property
    def requests(self) -> RequestCounts | None:
        """What was asked of providers; None where no step could ask."""
        works = [work.requests for work in (self.drained, self.repaired, self.built) if work]
        return all_requests(works) if works else None


def plan_stages(stages: Collection[DocumentStage], options: StageOptions) -> StagePlan:
    """The steps of this selection; only one that includes `embeddings` publishes.

    Raises:
        StagesNotRunnable: documents are named, but the selection does not fetch and publish.
    """
    fetches, chunks, publishes = (stage in stages for stage in DocumentStage)
    if options.document_keys and not (fetches and publishes):
        raise StagesNotRunnable(
            "document_keys works with raw_documents and embeddings selected: select all three assets, or leave it empty"
        )
    if not publishes:
        return StagePlan(queue_changed=fetches, queue_stale=chunks)
    if fetches:
        return StagePlan(retrack=options.retrack or bool(options.document_keys), drain=True)
    return StagePlan(queue_stale=chunks, drain=chunks, repair=not chunks)


async def run_stages(
    bench: Workbench,
    stages: Collection[DocumentStage],
    shards: Sequence[int],
    options: StageOptions = StageOptions(),
    *,
    on_settled: Callable[[Tally], None] | None = None,
) -> StagesOutcome:
    """Bring these stages of these shards up to date from what is stored or queued.

    Raises:
        StagesNotRunnable: before anything is done.
        ClassifiedError: systemic; what was settled stays, the rest is back in the queue.
    """
    plan = plan_stages(stages, options)
    _check_shards(options.document_keys, shards)
    queued = await _queue(bench, plan, shards, options.document_keys)
    drained = repaired = built = index = None
    if plan.drain:
        pipeline = EmbeddingIngestionPipeline(bench, on_settled=on_settled)
        drained = await pipeline.run(
            shards, force=options.force, max_documents=options.max_documents, probe_now=options.probe_now
        )
    if plan.repair:
        built = await _built(bench, shards)
        # Nobody searches the old model's vectors any more once search went over.
        repaired = RepairOutcome() if built and built.cut_over else await repair_vectors(bench, shards)
    if plan.drain or (plan.repair and not (built and built.cut_over)):
        index = await ensure_index(bench)
    worked = drained.shards if drained else tuple(shards)
    return StagesOutcome(worked, queued, drained, repaired, built, index, await _freshness(bench))


async def _built(bench: Workbench, shards: Sequence[int]) -> BuildOutcome | None:
    if bench.building is None:
        return None
    # A model that was active before may have lost vectors since.
    await repair_vectors(bench.building, shards)
    return await build_model(bench.building, shards)


async def _queue(bench: Workbench, plan: StagePlan, shards: Sequence[int], document_keys: Sequence[str]) -> int:
    queued = 0
    if plan.retrack:
        queued += await retrack(bench, shards, document_keys)
    if plan.queue_changed:
        queued += await queue_changed(bench, shards)
    if plan.queue_stale:
        queued += await queue_stale(bench, shards)
    return queued


def _check_shards(document_keys: Sequence[str], shards: Sequence[int]) -> None:
    elsewhere = {shard_name(shard_of(key)) for key in document_keys} - {shard_name(shard) for shard in shards}
    if elsewhere:
        raise StagesNotRunnable(
            f"some document_keys are in partitions {', '.join(sorted(elsewhere))}: select these too, or all partitions"
        )


async def _freshness(bench: Workbench) -> Freshness:
    async with bench.db.transaction() as tx:
        rows = await inspection.freshness(tx)
    return next(row for row in rows if row.collection == bench.target.name)
