"""Collections that share a limit divide it by weight, as far as they want it; what nobody waits for is lent."""

from embedding_assets.domain.limits import LimitWait, WaitKind
from embedding_assets.domain.work import Lane
from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import Account, Reservation
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.limits import OURS, draw, limit


async def _two(db: Database, *, weight: float = 1.0) -> tuple[MadeCollection, MadeCollection]:
    """Collections `large` and `small`, of which `small` has this weight; a limit of 100 requests."""
    large, small = await make_collection(db, "large"), await make_collection(db, "small")
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.collections SET weight = %s WHERE id = %s", [weight, small.id])
    await limit(db, requests=100, share=1.0)
    return large, small


async def _use(db: Database, collection: MadeCollection, requests: int, *, age: float = 30, lane: str = "live") -> None:
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO embedding_assets.rate_limit_slots "
            "VALUES ('key', floor((extract(epoch FROM clock_timestamp()) - %s) * 10), %s, %s, %s, 0, 0, %s)",
            [age, OURS, lane, requests, collection.id],
        )


async def _room_again(db: Database) -> None:
    """Raise the capacity as if uses had left the window."""
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.rate_limits SET requests_per_minute = 200")


@on_database
async def test_what_nobody_else_waits_for_is_lent(db: Database) -> None:
    large, small = await _two(db)
    await _use(db, large, 99)
    assert isinstance(await draw(db, large.id), Reservation)
    assert isinstance(await draw(db, small.id), LimitWait)


@on_database
async def test_whoever_waits_with_less_goes_first_when_there_is_room(db: Database) -> None:
    large, small = await _two(db)
    await _use(db, large, 100)
    assert isinstance(await draw(db, small.id), LimitWait)
    await _room_again(db)
    waits = await draw(db, large.id)
    assert isinstance(waits, LimitWait)
    assert waits.kind is WaitKind.TURN
    assert isinstance(await draw(db, small.id), Reservation)
    assert isinstance(await draw(db, large.id), Reservation)


@on_database
async def test_a_weight_of_three_is_owed_three_times_as_much(db: Database) -> None:
    large, small = await _two(db, weight=3.0)
    await _use(db, large, 30)
    await _use(db, small, 70)
    assert isinstance(await draw(db, small.id), LimitWait)
    await _room_again(db)
    assert isinstance(await draw(db, large.id), LimitWait)
    await _use(db, small, 30, age=20)
    assert isinstance(await draw(db, large.id), Reservation)


@on_database
async def test_live_work_does_not_yield_to_the_backfill_of_another_collection(db: Database) -> None:
    large, small = await _two(db)
    await _use(db, large, 100)
    assert isinstance(await draw(db, small.id, lane=Lane.BACKFILL), LimitWait)
    await _room_again(db)
    assert isinstance(await draw(db, large.id, lane=Lane.LIVE), Reservation)


@on_database
async def test_backfill_yields_to_live_work_that_waits_even_of_its_own_collection(db: Database) -> None:
    large, small = await _two(db)
    await _use(db, large, 100, lane="backfill")
    assert isinstance(await draw(db, small.id), LimitWait)
    await _room_again(db)
    for collection in (large, small):
        waits = await draw(db, collection.id, lane=Lane.BACKFILL)
        assert isinstance(waits, LimitWait)
        assert (waits.kind, waits.seconds) == (WaitKind.LIVE_PART, 0.5)
    assert isinstance(await draw(db, small.id), Reservation)
    assert isinstance(await draw(db, small.id, lane=Lane.BACKFILL), Reservation)


@on_database
async def test_backfill_keeps_a_twentieth_of_the_ceiling_whoever_waits(db: Database) -> None:
    large, _ = await _two(db)
    await _use(db, large, 90)
    await _use(db, large, 4, lane="backfill")
    async with db.transaction() as tx:
        await rate_limiter.say_waiting(tx, Account(large.id, "key", OURS), lane=Lane.LIVE)
    assert isinstance(await draw(db, large.id, lane=Lane.BACKFILL), Reservation)
    assert isinstance(await draw(db, large.id, lane=Lane.BACKFILL), LimitWait)


@on_database
async def test_one_that_stopped_waiting_holds_nobody_up(db: Database) -> None:
    large, small = await _two(db)
    await _use(db, large, 100)
    await draw(db, small.id)
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE embedding_assets.rate_limit_waiting SET waiting_at = waiting_at - interval '5 seconds'"
        )
    await _room_again(db)
    assert isinstance(await draw(db, large.id), Reservation)


@on_database
async def test_the_providers_count_goes_to_its_own_use_even_beyond_the_ceiling(db: Database) -> None:
    docs = await make_collection(db)
    await limit(db, requests=None, tokens_per_minute=1000, share=0.5)
    made = await draw(db, docs.id, tokens=500)
    assert isinstance(made, Reservation)
    account = Account(docs.id, "key", OURS)
    for counted in (700, 300):
        async with db.transaction() as tx:
            await rate_limiter.correct_use(tx, account, made, tokens=counted, spent_tokens=counted, usd=0)
            uses = await rate_limiter.limit_use(tx)
            await tx.execute("UPDATE embedding_assets.rate_limit_slots SET tokens = 500")
        assert {use.own for use in uses if use.consumer == OURS} == {counted}


@on_database
async def test_the_room_is_what_of_each_resource_is_free(db: Database) -> None:
    docs = await make_collection(db)
    await limit(db, requests=100, share=0.5, inputs_per_minute=1000)
    await draw(db, docs.id, inputs=100)
    async with db.transaction() as tx:
        free = await rate_limiter.room(tx, Account(docs.id, "key", OURS), lane=Lane.LIVE)
    assert (free.wait, free.requests, free.inputs, free.tokens) == (None, 49, 400, None)
