"""Budgets: reserved with the request, corrected by the reply, given back by a refusal; used up, they hold every request."""

from datetime import timedelta

import pytest

from embedding_assets.domain.limits import LimitWait, WaitKind
from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import Account, BudgetUse, Reservation
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.limits import OURS, draw, limit

_DAY = timedelta(days=1).total_seconds()


async def _collection(db: Database, name: str = "docs", **budgets: float) -> MadeCollection:
    made = await make_collection(db, name)
    pairs = ", ".join(f"'{key}', {most}" for key, most in budgets.items())
    statement = f"UPDATE embedding_assets.collections SET budgets = jsonb_build_object({pairs}), limit_name = 'key' WHERE id = %s"
    async with db.transaction() as tx:
        await tx.execute(statement.encode(), [made.id])
    return made


async def _uses(db: Database) -> dict[tuple[str, str, str], float]:
    async with db.transaction() as tx:
        return {(use.holder, use.period, use.unit): use.used for use in await rate_limiter.budget_use(tx)}


@pytest.mark.parametrize("limited", [True, False])
@on_database
async def test_a_budget_is_held_to_the_last_request_that_fits(db: Database, *, limited: bool) -> None:
    docs = await _collection(db, max_usd_per_day=1.0)
    await limit(db, requests=1000)
    for _ in range(4):
        assert isinstance(await draw(db, docs.id, usd=0.25, limited=limited), Reservation)
    waits = await draw(db, docs.id, usd=0.25, limited=limited)
    assert isinstance(waits, LimitWait)
    assert (waits.kind, waits.about) == (WaitKind.BUDGET, "max_usd_per_day of collection docs")
    assert 0 < waits.seconds <= _DAY
    assert await _uses(db) == {("docs", "day", "usd"): 1.0}


@on_database
async def test_tokens_are_budgeted_by_day_and_by_month(db: Database) -> None:
    docs = await _collection(db, max_tokens_per_day=1000, max_tokens_per_month=1500)
    await limit(db, requests=1000)
    assert isinstance(await draw(db, docs.id, tokens=900), Reservation)
    assert isinstance(await draw(db, docs.id, tokens=200), LimitWait)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.budgets SET used_tokens = 0 WHERE period = 'day'")
    waits = await draw(db, docs.id, tokens=700)
    assert isinstance(waits, LimitWait)
    assert waits.about == "max_tokens_per_month of collection docs"


@on_database
async def test_a_new_day_starts_with_nothing_spent(db: Database) -> None:
    docs = await _collection(db, max_usd_per_day=1.0)
    await limit(db, requests=1000)
    await draw(db, docs.id, usd=1.0)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.budgets SET starts_on = starts_on - 1 WHERE period = 'day'")
    assert isinstance(await draw(db, docs.id, usd=1.0), Reservation)


@on_database
async def test_a_limits_budget_is_shared_by_its_collections_and_a_collections_is_its_own(db: Database) -> None:
    first = await _collection(db, "first", max_tokens_per_day=1000)
    second = await _collection(db, "second", max_tokens_per_day=1000)
    await limit(db, requests=1000, budgets={"max_tokens_per_day": 1500})
    assert isinstance(await draw(db, first.id, tokens=1000), Reservation)
    waits = await draw(db, second.id, tokens=501)
    assert isinstance(waits, LimitWait)
    assert waits.about == "max_tokens_per_day of limit key"
    assert isinstance(await draw(db, second.id, tokens=500), Reservation)


@on_database
async def test_a_refused_reserve_spends_nothing(db: Database) -> None:
    docs = await _collection(db, max_tokens_per_day=1000)
    await limit(db, requests=1, share=1.0)
    await draw(db, docs.id, tokens=10)
    assert isinstance(await draw(db, docs.id, tokens=10), LimitWait)
    assert await _uses(db) == {("docs", "day", "tokens"): 10}


@on_database
async def test_the_reply_corrects_what_was_spent_and_a_refusal_gives_it_back(db: Database) -> None:
    docs = await _collection(db, max_usd_per_day=1.0, max_tokens_per_day=1000)
    await limit(db, requests=1000)
    account = Account(docs.id, "key", OURS)
    made = await draw(db, docs.id, tokens=100, usd=0.5)
    assert isinstance(made, Reservation)
    async with db.transaction() as tx:
        await rate_limiter.correct_use(tx, account, made, tokens=40, spent_tokens=40, usd=0.2)
    assert await _uses(db) == {("docs", "day", "tokens"): 40, ("docs", "day", "usd"): pytest.approx(0.2)}
    refused = await draw(db, docs.id, tokens=100, usd=0.5)
    assert isinstance(refused, Reservation)
    async with db.transaction() as tx:
        await rate_limiter.correct_use(tx, account, refused, tokens=None, spent_tokens=0, usd=0)
    assert await _uses(db) == {("docs", "day", "tokens"): 40, ("docs", "day", "usd"): pytest.approx(0.2)}


@on_database
async def test_a_used_up_budget_is_seen_before_anything_is_claimed(db: Database) -> None:
    docs = await _collection(db, max_tokens_per_day=100)
    await limit(db, requests=1000)
    async with db.transaction() as tx:
        assert await rate_limiter.held_up_by(tx, docs.id) is None
    await draw(db, docs.id, tokens=100)
    async with db.transaction() as tx:
        held = await rate_limiter.held_up_by(tx, docs.id)
    assert held is not None
    assert held.reason == "budget max_tokens_per_day of collection docs is used up"


@on_database
async def test_every_budget_is_listed_spent_from_or_not(db: Database) -> None:
    await _collection(db, max_usd_per_day=1.0, max_tokens_per_month=10)
    await limit(db, requests=10, budgets={"max_usd_per_month": 9.5})
    async with db.transaction() as tx:
        listed = await rate_limiter.budget_use(tx)
    assert listed == [
        BudgetUse("collection", "docs", "day", "usd", 1.0, 0.0),
        BudgetUse("collection", "docs", "month", "tokens", 10.0, 0.0),
        BudgetUse("limit", "key", "month", "usd", 9.5, 0.0),
    ]
