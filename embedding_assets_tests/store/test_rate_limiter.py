"""The shared limit: a true sliding minute over all consumers, ceilings, blocks; one procedure that commits by itself."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from embedding_assets.domain.failures import StoreError
from embedding_assets.domain.work import Lane
from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.support.database import on_database

OURS, NEIGHBOUR = "embedding-assets", "chat"
_FORBIDDEN = (
    b"SELECT * FROM embedding_assets.rate_limit_slots",
    b"UPDATE embedding_assets.rate_limits SET requests_per_minute = 1000000",
    b"INSERT INTO embedding_assets.work_arrivals (collection_id, document_key) VALUES (1, 'a')",
    b"SELECT embedding_assets.provider_refused('key', 600)",
    b"SELECT embedding_assets.spend('limit', 'key', '{}', 1, 1)",
    b"CALL embedding_assets.reserve_for_collection('key', 'chat', 1, 'live', 1, 1, 1, 0, NULL, NULL, NULL, NULL)",
)


async def _limit(db: Database, *, requests: int | None = 450, share: float = 0.7, **settings: object) -> None:
    values: dict[str, object] = {
        "inputs_per_minute": None,
        "tokens_per_minute": None,
        "ceiling_on": "own",
        "min_per_minute": 0,
        **settings,
    }
    async with db.transaction() as tx:
        for consumer, its_share in ((OURS, share), (NEIGHBOUR, 1.0)):
            await rate_limiter.apply(tx, LimitSettings("key", consumer, its_share, requests, **values))  # pyright: ignore[reportArgumentType]


async def _take(db: Database, consumer: str = OURS, *, lane: Lane = Lane.LIVE, requests: int = 1, **more: int) -> float:
    async with db.session() as connection:
        return await rate_limiter.reserve(
            connection, "key", consumer, lane=lane, requests=requests, **{"inputs": 1, "tokens": 1, **more}
        )


async def _used(db: Database, consumer: str, ages: Sequence[tuple[float, int]], lane: str = "live") -> None:
    """Enter past uses: (seconds ago, requests)."""
    async with db.transaction() as tx:
        for age, requests in ages:
            await tx.execute(
                """
                INSERT INTO embedding_assets.rate_limit_slots
                VALUES ('key', floor((extract(epoch FROM clock_timestamp()) - %s) * 10), %s, %s, %s, 0, 0)
                """,
                [age, consumer, lane, requests],
            )


@on_database
async def test_a_consumer_stops_at_its_share_and_the_neighbour_finds_the_rest(db: Database) -> None:
    await _limit(db)
    assert await _take(db, requests=315) == 0
    assert await _take(db) > 0
    assert await _take(db, NEIGHBOUR, requests=135) == 0
    assert await _take(db, NEIGHBOUR) > 0


@on_database
async def test_everybody_together_never_exceeds_the_capacity(db: Database) -> None:
    await _limit(db)
    assert await _take(db, NEIGHBOUR, requests=250) == 0
    assert await _take(db, requests=201) > 0
    assert await _take(db, requests=200) == 0


@on_database
async def test_with_the_ceiling_on_the_total_we_yield_to_a_busy_neighbour_but_keep_our_minimum(db: Database) -> None:
    await _limit(db, ceiling_on="total", min_per_minute=20)
    assert await _take(db, NEIGHBOUR, requests=310) == 0
    assert await _take(db, requests=21) > 0
    assert await _take(db, requests=20) == 0
    assert await _take(db) > 0


@on_database
async def test_the_wait_ends_when_the_use_in_the_way_leaves_the_minute(db: Database) -> None:
    await _limit(db)
    await _used(db, OURS, [(50, 100), (30, 215)])
    assert 0 < await _take(db) < 11
    assert 0 < await _take(db, requests=100) < 11
    assert 11 < await _take(db, requests=101) < 31


@on_database
async def test_a_use_counts_a_minute_and_the_margin_and_no_longer(db: Database) -> None:
    await _limit(db)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.rate_limits SET skew_margin = 60")
    await _used(db, OURS, [(80, 315)])
    assert 0 < await _take(db) < 41
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.rate_limits SET skew_margin = 10")
    assert await _take(db, requests=315) == 0


@on_database
async def test_a_refused_reserve_writes_nothing(db: Database) -> None:
    await _limit(db)
    await _used(db, OURS, [(10, 315)])
    assert await _take(db) > 0
    async with db.transaction() as tx:
        [use] = [one for one in await rate_limiter.limit_use(tx) if one.consumer == OURS]
    assert (use.own, use.everybody, use.ceiling, use.capacity) == (315, 315, 315, 450)


@on_database
async def test_each_resource_holds_on_its_own(db: Database) -> None:
    await _limit(db, requests=None, inputs_per_minute=100, tokens_per_minute=1000, share=1.0)
    assert await _take(db, inputs=10, tokens=990) == 0
    assert await _take(db, inputs=1, tokens=11) > 0
    assert await _take(db, inputs=90, tokens=10) == 0


@on_database
async def test_a_blocked_limit_lets_nobody_pass_until_then_and_is_never_shortened(db: Database) -> None:
    await _limit(db)
    async with db.transaction() as tx:
        await rate_limiter.provider_refused(tx, "key", seconds=30)
        await rate_limiter.provider_refused(tx, "key", seconds=1)
    for consumer in (OURS, NEIGHBOUR):
        assert 1 < await _take(db, consumer) <= 30


@on_database
async def test_backfill_is_paced_and_leaves_a_fifth_to_live_work(db: Database) -> None:
    await _limit(db)
    await _used(db, OURS, [(-20, 10)], lane="backfill")  # ahead of the clock, so that this second cannot pass meanwhile
    assert await _take(db, lane=Lane.BACKFILL) > 0
    assert await _take(db) == 0
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM embedding_assets.rate_limit_slots")
    await _used(db, OURS, [(20, 251)], lane="backfill")
    assert await _take(db, lane=Lane.BACKFILL, requests=2) > 2
    assert await _take(db, requests=2) == 0


@on_database
async def test_a_request_larger_than_the_ceiling_is_an_error_and_not_a_wait_for_ever(db: Database) -> None:
    await _limit(db)
    with pytest.raises(StoreError, match="316 requests in one request can never pass"):
        await _take(db, requests=316)


@on_database
async def test_reserve_refuses_to_run_inside_a_transaction(db: Database) -> None:
    await _limit(db)
    with pytest.raises(StoreError, match="transaction"):
        async with db.transaction() as tx:
            await rate_limiter.reserve(tx, "key", OURS, lane=Lane.LIVE, requests=1, inputs=1, tokens=1)


@on_database
async def test_many_callers_at_once_get_exactly_what_there_is(db: Database) -> None:
    await _limit(db, requests=100, share=0.5)
    waits = await asyncio.gather(*(_take(db, consumer) for consumer in [OURS, NEIGHBOUR] * 80))
    assert sum(wait == 0 for wait in waits) == 100
    async with db.transaction() as tx:
        used = {use.consumer: use.own for use in await rate_limiter.limit_use(tx)}
    assert used[OURS] <= 50
    assert sum(used.values()) == 100


@on_database
async def test_unknown_limits_and_consumers_are_named(db: Database) -> None:
    with pytest.raises(StoreError, match="there is no rate limit 'key'"):
        await _take(db)
    await _limit(db)
    with pytest.raises(StoreError, match="'key' has no consumer 'stranger'"):
        await _take(db, "stranger")


@on_database
async def test_a_role_that_may_only_reserve_can_do_nothing_else(db: Database) -> None:
    await _limit(db)
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
