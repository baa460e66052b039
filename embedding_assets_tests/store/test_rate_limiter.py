"""The shared limit: a true sliding minute over all consumers, ceilings, blocks; one procedure that commits by itself."""

import asyncio

import psycopg
import pytest

from embedding_assets.domain.failures import StoreError
from embedding_assets.domain.work import Lane
from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.limits import NEIGHBOUR, OURS, limit, take, used

_FORBIDDEN = (
    b"SELECT * FROM embedding_assets.rate_limit_slots",
    b"UPDATE embedding_assets.rate_limits SET requests_per_minute = 1000000",
    b"INSERT INTO embedding_assets.work_arrivals (collection_id, document_key) VALUES (1, 'a')",
    b"SELECT embedding_assets.provider_refused('key', 600)",
    b"SELECT embedding_assets.spend('limit', 'key', '{}', 1, 1)",
    b"CALL embedding_assets.reserve_for_collection('key', 'chat', 1, 'live', 1, 1, 1, 0, NULL, NULL, NULL, NULL, NULL)",
)


@on_database
async def test_a_consumer_stops_at_its_share_and_the_neighbour_finds_the_rest(db: Database) -> None:
    await limit(db)
    assert await take(db, requests=315) == 0
    assert await take(db) > 0
    assert await take(db, NEIGHBOUR, requests=135) == 0
    assert await take(db, NEIGHBOUR) > 0


@on_database
async def test_everybody_together_never_exceeds_the_capacity(db: Database) -> None:
    await limit(db)
    assert await take(db, NEIGHBOUR, requests=250) == 0
    assert await take(db, requests=201) > 0
    assert await take(db, requests=200) == 0


@on_database
async def test_with_the_ceiling_on_the_total_we_yield_to_a_busy_neighbour_but_keep_our_minimum(db: Database) -> None:
    await limit(db, ceiling_on="total", min_per_minute=20)
    assert await take(db, NEIGHBOUR, requests=310) == 0
    assert await take(db, requests=21) > 0
    assert await take(db, requests=20) == 0
    assert await take(db) > 0


@on_database
async def test_the_wait_ends_when_the_use_in_the_way_leaves_the_minute(db: Database) -> None:
    await limit(db)
    await used(db, OURS, [(50, 100), (30, 215)])
    assert 0 < await take(db) < 11
    assert 0 < await take(db, requests=100) < 11
    assert 11 < await take(db, requests=101) < 31


@on_database
async def test_a_use_counts_a_minute_and_the_margin_and_no_longer(db: Database) -> None:
    await limit(db)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.rate_limits SET skew_margin = 60")
    await used(db, OURS, [(80, 315)])
    assert 0 < await take(db) < 41
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.rate_limits SET skew_margin = 10")
    assert await take(db, requests=315) == 0


@on_database
async def test_a_refused_reserve_writes_nothing(db: Database) -> None:
    await limit(db)
    await used(db, OURS, [(10, 315)])
    assert await take(db) > 0
    async with db.transaction() as tx:
        [use] = [one for one in await rate_limiter.limit_use(tx) if one.consumer == OURS]
    assert (use.own, use.everybody, use.ceiling, use.capacity) == (315, 315, 315, 450)


@on_database
async def test_each_resource_holds_on_its_own(db: Database) -> None:
    await limit(db, requests=None, inputs_per_minute=100, tokens_per_minute=1000, share=1.0)
    assert await take(db, inputs=10, tokens=990) == 0
    assert await take(db, inputs=1, tokens=11) > 0
    assert await take(db, inputs=90, tokens=10) == 0


@on_database
async def test_a_blocked_limit_lets_nobody_pass_until_then_and_is_never_shortened(db: Database) -> None:
    await limit(db)
    async with db.transaction() as tx:
        await rate_limiter.provider_refused(tx, "key", seconds=30)
        await rate_limiter.provider_refused(tx, "key", seconds=1)
    for consumer in (OURS, NEIGHBOUR):
        assert 1 < await take(db, consumer) <= 30


@on_database
async def test_backfill_is_paced_and_leaves_a_fifth_to_live_work(db: Database) -> None:
    await limit(db)
    await used(db, OURS, [(-20, 10)], lane="backfill")  # ahead of the clock, so that this second cannot pass meanwhile
    assert await take(db, lane=Lane.BACKFILL) > 0
    assert await take(db) == 0
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM embedding_assets.rate_limit_slots")
    await used(db, OURS, [(20, 251)], lane="backfill")
    assert await take(db, lane=Lane.BACKFILL, requests=2) > 2
    assert await take(db, requests=2) == 0


@on_database
async def test_a_request_larger_than_the_ceiling_is_an_error_and_not_a_wait_for_ever(db: Database) -> None:
    await limit(db)
    with pytest.raises(StoreError, match="316 requests in one request can never pass"):
        await take(db, requests=316)


@on_database
async def test_reserve_refuses_to_run_inside_a_transaction(db: Database) -> None:
    await limit(db)
    with pytest.raises(StoreError, match="transaction"):
        async with db.transaction() as tx:
            await rate_limiter.reserve(tx, "key", OURS, lane=Lane.LIVE, requests=1, inputs=1, tokens=1)


@on_database
async def test_many_callers_at_once_get_exactly_what_there_is(db: Database) -> None:
    await limit(db, requests=100, share=0.5)
    waits = await asyncio.gather(*(take(db, consumer) for consumer in [OURS, NEIGHBOUR] * 80))
    assert sum(wait == 0 for wait in waits) == 100
    async with db.transaction() as tx:
        uses = {use.consumer: use.own for use in await rate_limiter.limit_use(tx)}
    assert uses[OURS] <= 50
    assert sum(uses.values()) == 100


@on_database
async def test_unknown_limits_and_consumers_are_named(db: Database) -> None:
    with pytest.raises(StoreError, match="there is no rate limit 'key'"):
        await take(db)
    await limit(db)
    with pytest.raises(StoreError, match="'key' has no consumer 'stranger'"):
        await take(db, "stranger")


@on_database
async def test_a_role_that_may_only_reserve_can_do_nothing_else(db: Database) -> None:
    await limit(db)
    async with db.transaction() as tx:
        await tx.execute("CREATE ROLE only_reserves")
        await tx.execute("GRANT USAGE ON SCHEMA embedding_assets TO only_reserves")
        await tx.execute("GRANT EXECUTE ON PROCEDURE embedding_assets.reserve TO only_reserves")
        await tx.execute("GRANT EXECUTE ON FUNCTION embedding_assets.take_from_limit TO only_reserves")
    try:
        async with db.autocommit() as connection:
            await connection.execute("SET ROLE only_reserves")
            asked = {"lane": Lane.LIVE, "requests": 1, "inputs": 1, "tokens": 1}
            assert await rate_limiter.reserve(connection, "key", OURS, **asked) == 0  # pyright: ignore[reportArgumentType]
            for forbidden in _FORBIDDEN:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(forbidden)
    finally:
        async with db.transaction() as tx:
            await tx.execute("DROP OWNED BY only_reserves")
            await tx.execute("DROP ROLE only_reserves")
