"""The multi-asset of a collection: raw_documents → chunks → embeddings, streamed in one step, each selectable."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg
from pydantic import Field

from embedding_assets.collections_file import CollectionEntry
from embedding_assets.defs.checks import refusal_check, refusal_check_spec
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.names import asset_key, embed_documents_step, valid_owners
from embedding_assets.defs.partitions import SHARD_PARTITIONS, shards_of
from embedding_assets.defs.recording import outcome_events, summary
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.pipeline.run_stages import DocumentStage, StageOptions, StagesOutcome, run_stages

_DESCRIPTIONS = {
    DocumentStage.RAW_DOCUMENTS: (
        "Documents as the source holds them. Materialized alone: fetches, compares, queues what changed."
    ),
    DocumentStage.CHUNKS: (
        "Spans of each published document. Materialized alone: queues documents published under another chunker."
    ),
    DocumentStage.EMBEDDINGS: (
        "The vector of every published input, searchable. Materialized alone: gives every published input a valid "
        "vector again, from what is stored, and builds the model that is to be built."
    ),
}
# Dagster takes no shorter window than a minute.
_SHORTEST_FRESHNESS_SECONDS = 80
_KINDS = {
    DocumentStage.RAW_DOCUMENTS: {"python", "postgres"},
    DocumentStage.CHUNKS: {"python", "postgres"},
    DocumentStage.EMBEDDINGS: {"litellm", "postgres"},
}


class EmbedDocumentsConfig(dg.Config):
    """How a run by hand may differ; the schedule sets `retrack` to false."""

    retrack: bool = Field(
        True, description="Look at every known document of the partitions again; unchanged ones cost no request."
    )
    force: bool = Field(False, description="Publish documents anew even when nothing changed.")
    document_keys: list[str] = Field([], description="Only these documents; they must be in the selected partitions.")
    max_documents: int | None = Field(None, ge=1, description="Process at most so many, then end.")

    def options(self) -> StageOptions:
        """As the engine takes them."""
        # A person waits for the answer; the schedule comes again.
        by_hand = self.retrack
        return StageOptions(self.retrack, self.force, tuple(self.document_keys), self.max_documents, probe_now=by_hand)


def document_specs(collection: str, entry: CollectionEntry, *, freshness_seconds: float) -> list[dg.AssetSpec]:
    """The three assets of a collection, each downstream of the one before."""
    promise = timedelta(seconds=max(freshness_seconds, _SHORTEST_FRESHNESS_SECONDS))
    specs: list[dg.AssetSpec] = []
    for stage in DocumentStage:
        spec = dg.AssetSpec(
            asset_key(collection, stage),
            deps=[specs[-1].key] if specs else [],
            description=_DESCRIPTIONS[stage],
            metadata=_static_metadata(stage, entry),
            skippable=True,
            group_name=collection,
            owners=valid_owners(entry.owner),
            kinds=_KINDS[stage],
            partitions_def=SHARD_PARTITIONS,
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=promise, warn_window=promise * 0.75),
        )
        specs.append(spec)
    return specs


def build_document_assets(collection: str, entry: CollectionEntry, *, freshness_seconds: float) -> dg.AssetsDefinition:
    """The multi-asset. Its one step runs the selected stages of its partitions' shards."""

    @dg.multi_asset(
        name=embed_documents_step(collection),
        specs=document_specs(collection, entry, freshness_seconds=freshness_seconds),
        check_specs=[refusal_check_spec(collection)],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def documents(
        context: dg.AssetExecutionContext,
        config: EmbedDocumentsConfig,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> Iterator[dg.AssetCheckResult]:
        stages = [DocumentStage(key.path[-1]) for key in context.selected_asset_keys]
        shards = shards_of(context.partition_keys)
        with clear_failures(), embedding_metrics.recorded("embed_documents", collection):
            outcome = run_interruptibly(
                _run(workbenches, collection, context.run.run_id, stages, shards, config.options())
            )
        context.log.info(summary(outcome))
        for event in outcome_events(collection, stages, outcome, by_hand=config.retrack):
            context.log_event(event)
        if context.selected_asset_check_keys:
            yield refusal_check(collection, outcome)

    return documents


async def _run(
    workbenches: Workbenches,
    collection: str,
    run_id: str,
    stages: Sequence[DocumentStage],
    shards: Sequence[int],
    options: StageOptions,
) -> StagesOutcome:
    async with workbenches.open(collection, run_id=run_id) as bench:
        return await run_stages(bench, stages, shards, options)


def _static_metadata(stage: DocumentStage, entry: CollectionEntry) -> dict[str, str | int]:
    match stage:
        case DocumentStage.RAW_DOCUMENTS:
            return {"source": str(entry.source.get("type", ""))}
        case DocumentStage.CHUNKS:
            chunking = entry.chunking_strategy()
            sizes = {"size": chunking.size, "overlap": chunking.overlap, "unit": chunking.unit}
            return {"strategy": chunking.name, **sizes}
        case DocumentStage.EMBEDDINGS:
            model = entry.embedding_model()
            return {"model": model.name, "dimensions": model.dimensions, "distance": model.distance.value}
