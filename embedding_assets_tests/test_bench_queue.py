"""The program that measures the queue goes its whole way over a small one, and empties it twice."""

from collections import Counter

from bench.queue.measuring import ClaimPlan, ClaimTimes, Rate, Sizes, measure
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets_tests.support.database import on_database

_REFERENCES = 4_000


@on_database
async def test_a_small_queue_is_measured_from_empty_to_empty_twice_and_no_claim_sorts_or_reads_it_whole(
    db: Database,
) -> None:
    measured = [each async for each in measure(db, _REFERENCES, patience=0)]
    assert Counter(type(each) for each in measured)[Sizes] == 12
    plans = [each.plan for each in measured if isinstance(each, ClaimPlan)]
    assert [(plan.rows, plan.of_types("Sort", "Seq Scan")) for plan in plans] == [(200, [])] * 6
    folded = [each.references for each in measured if isinstance(each, Rate) and "fold" in each.what]
    assert folded == [_REFERENCES, _REFERENCES]
    claims = sum(len(each.milliseconds) for each in measured if isinstance(each, ClaimTimes))
    assert claims >= 2 * _REFERENCES / 200
    async with db.transaction() as tx:
        assert await work_queue.queue_depth(tx) == []
    assert all(str(each) for each in measured)
