"""Settle: end claims in one transaction — published, unchanged, deleted, failed or released — and count them.

First the locks, then the fence of every claim; a claim that is no longer ours writes nothing, on the failing path too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from embedding_assets.domain.failures import ErrorType, FailureClass, StoreError
from embedding_assets.domain.work import (
    ClaimedItem,
    Delete,
    Fail,
    Outcome,
    PreparedDocument,
    Publish,
    Release,
    Stage,
    Tally,
    Unchanged,
    total,
)
from embedding_assets.pipeline.failing import Recorded, record_failures
from embedding_assets.pipeline.settled_counts import Sorted, settled_counts
from embedding_assets.pipeline.switching import require_active
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, failures, promises, source_listings, vectors, work_queue
from embedding_assets.store.database import BUSY_TRIES, Tx
from embedding_assets.store.promises import ClosedObligation

# What may be about one document's rows alone: found by halving.
_ABOUT_ROWS = frozenset({ErrorType.INVALID_DATA, ErrorType.DATABASE_BUSY, ErrorType.UNEXPECTED})


async def settle(bench: Workbench, outcomes: Sequence[Outcome]) -> dict[int, Tally]:
    """Settle these outcomes; counts by shard.

    What PostgreSQL refuses, or whose rows another session holds, is found by halving and fails alone; the others are
    published.

    Raises:
        StoreError: the database is away, or none of several outcomes went through although it takes their data: no document
            is charged.
        ClassifiedError: `model_replaced`: the collection got another model meanwhile, and nothing was written.
    """
    refused: list[Fail] = []
    tallies = await _settle_all_but(bench, outcomes, refused, tries=BUSY_TRIES)
    may_pass = [failure for failure in refused if failure.error.failure_class is FailureClass.TRANSIENT]
    if 1 < len(may_pass) == len(outcomes):
        raise may_pass[0].error
    if refused:
        return _merged(tallies, await bench.db.atomically(lambda tx: _settle(tx, bench, refused)))
    return tallies


async def _settle_all_but(
    bench: Workbench, outcomes: Sequence[Outcome], refused: list[Fail], *, tries: int
) -> dict[int, Tally]:
    """Settle them but for those that cannot be, which are added to `refused`."""
    try:
        return await bench.db.atomically(lambda tx: _settle(tx, bench, outcomes), tries=tries)
    except StoreError as error:
        if error.error_type not in _ABOUT_ROWS:
            raise
        if len(outcomes) == 1:
            if isinstance(outcomes[0], (Fail, Release)):
                raise
            refused.append(Fail(outcomes[0].item, error, Stage.STORAGE))
            return {}
        if error.error_type is ErrorType.DATABASE_BUSY:
            tries = 1  # the whole was tried often enough, and each try may last as long as a lock time-out
    half = len(outcomes) // 2
    first = await _settle_all_but(bench, outcomes[:half], refused, tries=tries)
    return _merged(first, await _settle_all_but(bench, outcomes[half:], refused, tries=tries))


async def _settle(tx: Tx, bench: Workbench, outcomes: Sequence[Outcome]) -> dict[int, Tally]:
    target = bench.target
    await vectors.hold_off_collector(tx, target.table)
    # In a later statement than the lock, which may have waited for a cut-over.
    await require_active(tx, target)
    held = await work_queue.lock_claims(tx, target.collection_id, [outcome.item for outcome in outcomes])
    tallies: dict[int, Tally] = defaultdict(Tally)
    for outcome in outcomes:
        tallies[outcome.item.shard].refused += outcome.item.document_key not in held
    groups = await _without_vectors_released(
        tx, bench, _sort(outcome for outcome in outcomes if outcome.item.document_key in held)
    )
    recorded = await _write(tx, bench, groups)
    await source_listings.remember_fetched(tx, target.collection_id, _signatures(groups), _keys(groups.delete))
    closed = await _close_obligations(tx, bench, groups, tallies)
    done = [outcome.item.document_key for outcome in (*_ended_well(groups), *groups.fail)]
    await work_queue.finish(tx, target.collection_id, done)
    await work_queue.release(tx, target.collection_id, [outcome.item for outcome in groups.release])
    _count(groups, tallies)
    whole = total(tallies.values())
    await bench.ledger.enter(tx, settled_counts(target.name, groups, closed, recorded, whole))
    return dict(tallies)


def _sort(outcomes: Iterable[Outcome]) -> Sorted:
    groups = Sorted([], [], [], [], [])
    for outcome in outcomes:
        match outcome:
            case Publish():
                groups.publish.append(outcome)
            case Unchanged():
                groups.unchanged.append(outcome)
            case Delete():
                groups.delete.append(outcome)
            case Fail():
                groups.fail.append(outcome)
            case Release():
                groups.release.append(outcome)
    return groups


async def _without_vectors_released(tx: Tx, bench: Workbench, groups: Sorted) -> Sorted:
    """A vector collected between its check and this settle: the document goes back and is embedded again."""
    needed = {chunk.input_hash for outcome in groups.publish for chunk in outcome.prepared.chunks}
    missing = await vectors.missing_inputs(tx, bench.target.table, list(needed)) if needed else set[bytes]()
    if not missing:
        return groups
    whole = [outcome for outcome in groups.publish if not _lacks(outcome.prepared, missing)]
    back = [Release(outcome.item) for outcome in groups.publish if _lacks(outcome.prepared, missing)]
    return Sorted(whole, groups.unchanged, groups.delete, groups.fail, [*groups.release, *back])


def _lacks(prepared: PreparedDocument, missing: set[bytes]) -> bool:
    return any(chunk.input_hash in missing for chunk in prepared.chunks)


async def _write(tx: Tx, bench: Workbench, groups: Sorted) -> Recorded:
    target = bench.target
    if groups.publish and groups.delete:
        await corpus.drop_versions(
            tx, target.collection_id, [outcome.prepared for outcome in groups.publish], _keys(groups.delete)
        )
    if groups.publish:
        documents = [outcome.prepared for outcome in groups.publish]
        await corpus.publish(tx, target.collection_id, target.model_id, target.chunking.fingerprint, documents)
    if groups.delete:
        await corpus.erase(tx, target.collection_id, _keys(groups.delete))
    well = [item.document_key for item in _items(_ended_well(groups))]
    await failures.resolve(tx, target.collection_id, well)
    return await record_failures(tx, bench, groups.fail) if groups.fail else Recorded()


async def _close_obligations(
    tx: Tx, bench: Workbench, groups: Sorted, tallies: dict[int, Tally]
) -> list[ClosedObligation]:
    items = {item.document_key: item for item in _items(_ended_well(groups))}
    all_closed = await promises.close_obligations(tx, bench.target.collection_id, list(items.values()))
    for closed in all_closed:
        tally = tallies[items[closed.document_key].shard]
        tally.max_lag_seconds = max(tally.max_lag_seconds, closed.lag_seconds)
        if not closed.counted:
            tally.freshness_met += closed.in_time
            tally.freshness_missed += not closed.in_time
    return all_closed


def _signatures(groups: Sorted) -> dict[str, str]:
    published = [(outcome.item, outcome.prepared.document.signature) for outcome in groups.publish]
    unchanged = [(outcome.item, outcome.signature) for outcome in groups.unchanged]
    return {item.document_key: signature for item, signature in (*published, *unchanged) if signature is not None}


def _ended_well(groups: Sorted) -> list[Publish | Unchanged | Delete]:
    return [*groups.publish, *groups.unchanged, *groups.delete]


def _keys(outcomes: Iterable[Outcome]) -> list[str]:
    return [outcome.item.document_key for outcome in outcomes]


def _items(outcomes: Iterable[Outcome]) -> list[ClaimedItem]:
    return [outcome.item for outcome in outcomes]


def _count(groups: Sorted, tallies: dict[int, Tally]) -> None:
    for outcome in groups.publish:
        tally = tallies[outcome.item.shard]
        tally.published += 1
        tally.chunks += len(outcome.prepared.chunks)
        tally.chunks_reused += len(outcome.prepared.chunks) - outcome.embedded
    for outcome in groups.fail:
        tally = tallies[outcome.item.shard]
        tally.failed += 1
        tally.errors[outcome.error.error_type.value] = tally.errors.get(outcome.error.error_type.value, 0) + 1
    for outcome in groups.unchanged:
        tallies[outcome.item.shard].unchanged += 1
    for outcome in groups.delete:
        tallies[outcome.item.shard].deleted += 1
    for outcome in groups.release:
        tallies[outcome.item.shard].released += 1


def _merged(first: dict[int, Tally], second: dict[int, Tally]) -> dict[int, Tally]:
    for shard, tally in second.items():
        first.setdefault(shard, Tally()).add(tally)
    return first
