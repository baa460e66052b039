"""Work somebody asked for by hand: look at documents again, find those published under another chunker.

Everything here only enqueues, in the backfill lane: nobody's change, no freshness promise.
"""

from collections.abc import Sequence

from anyio import to_thread

from embedding_assets.domain.failures import ClassifiedError, DocumentMissing, FailureClass
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.circuits import opens_circuits
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, failures, work_queue

_COMPARED_AT_ONCE = 200


async def retrack(bench: Workbench, shards: Sequence[int], document_keys: Sequence[str] = ()) -> int:
    """Enqueue every known document of these shards, or just those named; how many."""
    async with bench.db.transaction() as tx:
        keys = list(document_keys) or await corpus.known_keys(tx, bench.target.collection_id, shards)
        return await _enqueue(tx, bench, keys)


async def queue_stale(bench: Workbench, shards: Sequence[int]) -> int:
    """Enqueue documents of these shards published under another chunker than the collection's; how many."""
    async with bench.db.transaction() as tx:
        return await _enqueue(tx, bench, await corpus.stale_keys(tx, bench.target.collection_id, shards))


async def queue_changed(bench: Workbench, shards: Sequence[int]) -> int:
    """Fetch every known document of these shards, compare its content with what is stored, enqueue what differs."""
    async with bench.db.transaction() as tx:
        keys = await corpus.known_keys(tx, bench.target.collection_id, shards)
    queued = 0
    for start in range(0, len(keys), _COMPARED_AT_ONCE):
        part = keys[start : start + _COMPARED_AT_ONCE]
        async with bench.db.transaction() as tx:
            stored = await corpus.content_hashes(tx, bench.target.collection_id, part)
        async with opens_circuits(bench):
            fetched = await to_thread.run_sync(lambda part=part: {key: _source_hash(bench, key) for key in part})
        changed = [key for key in part if fetched[key] != stored.get(key)]
        async with bench.db.transaction() as tx:
            queued += await _enqueue(tx, bench, changed)
    return queued


async def requeue_due(bench: Workbench) -> int:
    """Move failed documents whose next retry is due back to the queue; how many. Safe to run twice at once."""
    async with bench.db.transaction() as tx:
        due = await failures.take_due(tx, bench.target.collection_id)
        for lane in Lane:
            keys = [key for key, its_lane in due if its_lane is lane]
            await _enqueue(tx, bench, keys, lane)
        return len(due)


async def _enqueue(tx: work_queue.Tx, bench: Workbench, keys: Sequence[str], lane: Lane = Lane.BACKFILL) -> int:
    if keys:
        await work_queue.enqueue(tx, bench.target.collection_id, [(key, None) for key in keys], lane=lane)
    return len(keys)


def _source_hash(bench: Workbench, document_key: str) -> bytes | None:
    """None where the run must look closer: gone, or not readable just now."""
    try:
        return bench.source.fetch(document_key).content_hash()
    except DocumentMissing:
        return None
    except ClassifiedError as error:
        if error.failure_class is FailureClass.SYSTEMIC:
            raise
        return None
