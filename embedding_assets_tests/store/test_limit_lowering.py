"""A provider that refuses below its capacity: the limit is lowered for everybody, once for each round, and grows back."""

import pytest

from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.limits import NEIGHBOUR, OURS, limit, take, used


async def _part(db: Database) -> float:
    async with db.transaction() as tx:
        return (await rate_limiter.limit_use(tx))[0].part


async def _refused(db: Database, *, seconds: float = 0.0) -> None:
    async with db.transaction() as tx:
        await rate_limiter.provider_refused(tx, "key", seconds=seconds)


async def _lowered(db: Database, *, to: float, minutes_ago: float) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE embedding_assets.rate_limits SET lowered_to = %s, blocked_until = NULL, "
            "lowered_at = clock_timestamp() - make_interval(secs => 60 * %s)",
            [to, minutes_ago],
        )


@on_database
async def test_a_refusal_lowers_the_limit_to_nine_tenths_of_what_was_in_use(db: Database) -> None:
    await limit(db)
    await used(db, OURS, [(20, 200)])
    await used(db, NEIGHBOUR, [(10, 100)])
    await _refused(db)
    assert await _part(db) == pytest.approx(0.9 * 300 / 450, abs=0.001)


@on_database
async def test_a_refusal_halves_it_at_the_most(db: Database) -> None:
    await limit(db)
    await _refused(db)
    assert await _part(db) == pytest.approx(0.5, abs=0.001)


@on_database
async def test_requests_refused_together_lower_it_once(db: Database) -> None:
    await limit(db)
    for _ in range(16):
        await _refused(db, seconds=30)
    assert await _part(db) == pytest.approx(0.5, abs=0.001)


@on_database
async def test_a_lowered_limit_holds_everybody_and_our_share_of_it(db: Database) -> None:
    await limit(db)
    await _lowered(db, to=0.5, minutes_ago=0)
    assert await take(db, requests=157) == 0
    assert await take(db) > 0
    assert await take(db, NEIGHBOUR, requests=68) == 0
    assert await take(db, NEIGHBOUR) > 0


@pytest.mark.parametrize(("minutes", "part"), [(1, 0.405), (2, 0.42), (6, 0.58), (10, 0.9), (11, 1.0), (600, 1.0)])
@on_database
async def test_it_grows_back_slowly_at_first_and_then_quickly(db: Database, minutes: float, part: float) -> None:
    await limit(db)
    await _lowered(db, to=0.4, minutes_ago=minutes)
    assert await _part(db) == pytest.approx(part, abs=0.002)


@on_database
async def test_a_request_larger_than_a_lowered_limit_passes_alone(db: Database) -> None:
    await limit(db, requests=None, tokens_per_minute=1000, share=1.0)
    await _lowered(db, to=0.1, minutes_ago=0)
    assert await take(db, tokens=900) == 0
    assert await take(db, tokens=1) > 0
