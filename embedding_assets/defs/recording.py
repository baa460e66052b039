"""A run's outcome as Dagster events: which shards are recorded, as what, with which numbers.

By hand every worked shard is recorded; a scheduled run records only those that had work, because 48 rows a minute would
fill Dagster's storage. While a live change is overdue nothing is materialized, so that the freshness policy turns.
"""

from collections.abc import Collection, Iterator, Mapping

import dagster as dg
from typing_extensions import assert_never

from embedding_assets.defs.names import asset_key
from embedding_assets.domain.documents import shard_name
from embedding_assets.domain.work import Tally
from embedding_assets.pipeline.model_build import BuildOutcome
from embedding_assets.pipeline.run_stages import DocumentStage, StagesOutcome

Numbers = dict[str, dg.MetadataValue]


def outcome_events(
    collection: str, stages: Collection[DocumentStage], outcome: StagesOutcome, *, by_hand: bool
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation]:
    """One event for each recorded shard and selected asset."""
    kind = dg.AssetObservation if outcome.freshness.overdue else dg.AssetMaterialization
    tallies = outcome.drained.tallies if outcome.drained else {}
    run = run_numbers(outcome)
    for shard in outcome.shards if by_hand else sorted(tallies):
        for stage in DocumentStage:
            if stage in stages:
                metadata = {**_shard_numbers(stage, tallies.get(shard, Tally())), **run}
                yield kind(asset_key=asset_key(collection, stage), partition=shard_name(shard), metadata=metadata)


def run_numbers(outcome: StagesOutcome) -> Numbers:
    """What belongs to the run and to no single shard; each name begins with `run_`."""
    numbers: dict[str, float] = {"run_queued": outcome.queued, "run_overdue": outcome.freshness.overdue}
    errors: Mapping[str, int] = {}
    if outcome.drained:
        done, whole = outcome.drained, outcome.drained.total
        errors = whole.errors
        numbers["run_seconds"] = done.seconds
        numbers["run_documents"] = whole.settled
        numbers["run_documents_per_second"] = whole.settled / done.seconds if done.seconds else 0.0
    if outcome.repaired:
        numbers["run_repaired"] = outcome.repaired.repaired
        errors = outcome.repaired.refused
    if outcome.built:
        numbers |= {"run_built": outcome.built.documents, "run_not_built": outcome.built.lacking}
        errors = {**errors, **outcome.built.refusals.errors}
    requests = outcome.requests
    if requests:
        numbers |= {"run_requests": requests.requests, "run_tokens": requests.tokens, "run_cost_usd": requests.cost_usd}
        numbers["run_throttled_seconds"] = requests.throttled_seconds
        numbers["run_throttled"] = int(bool(outcome.drained and outcome.drained.stopped_by))
        numbers["run_reordered_replies"] = requests.reordered_replies
    values = {name: _number(value) for name, value in numbers.items()}
    return values | ({"run_errors": _errors_table(errors)} if errors else {})


def summary(outcome: StagesOutcome) -> str:
    """One sentence for the log."""
    worked = "1 shard" if len(outcome.shards) == 1 else f"{len(outcome.shards)} shards"
    if outcome.repaired:
        return f"{outcome.repaired.repaired} inputs of {worked} were embedded anew{_of_build(outcome.built)}"
    if not outcome.drained:
        return f"{outcome.queued} documents of {worked} were put in the queue; a run with embeddings publishes them"
    if not outcome.shards:
        return (
            "nothing was done: another run works these shards, and takes what is in their queue "
            "(one that was killed keeps them for EMBEDDING_ASSETS_LEASE_SECONDS)"
        )
    whole = outcome.drained.total
    if not whole.settled and not outcome.drained.stopped_by:
        polled = "" if outcome.freshness.last_poll_at else "; the source was never polled: run sync_sources first"
        return f"the queue of {worked} was empty{polled}"
    stopped = f"; throttled: {outcome.drained.stopped_by.reason}" if outcome.drained.stopped_by else ""
    return (
        f"{worked}: {whole.published} documents published, {whole.unchanged} unchanged, {whole.deleted} deleted, "
        f"{whole.failed} failed{stopped}"
    )


def _of_build(built: BuildOutcome | None) -> str:
    if built is None:
        return ""
    state = "search answers from it" if built.cut_over else f"{built.lacking} are not built yet"
    return f"; {built.documents} documents were built under the new model, {state}"


def _shard_numbers(stage: DocumentStage, tally: Tally) -> Numbers:
    match stage:
        case DocumentStage.RAW_DOCUMENTS:
            numbers = {
                "documents": tally.published,
                "unchanged": tally.unchanged,
                "deleted": tally.deleted,
                "failed": tally.failed,
                "freshness_lag_max_seconds": tally.max_lag_seconds,
                "freshness_missed": tally.freshness_missed,
            }
        case DocumentStage.CHUNKS:
            numbers = {"chunks": tally.chunks, "reused": tally.chunks_reused}
        case DocumentStage.EMBEDDINGS:
            numbers = {"embedded": tally.chunks - tally.chunks_reused, "documents": tally.published}
        case _:
            assert_never(stage)
    return {name: _number(value) for name, value in numbers.items()}


def _number(value: float) -> dg.MetadataValue:
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(round(value, 6))


def _errors_table(errors: Mapping[str, int]) -> dg.MetadataValue:
    rows = "\n".join(f"| {error} | {count} |" for error, count in sorted(errors.items()))
    return dg.MetadataValue.md(f"| error type | documents |\n|---|---:|\n{rows}")
