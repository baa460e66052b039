"""The shared limit and budgets: reserve before a request, correct after it, block after a refusal.

All workers and other programs draw on the same rows. The rules stand in SQL (`look_at_limit`), where every program can
call them. Not here: waiting (pipeline).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from psycopg.types.json import Jsonb

from embedding_assets.domain.limits import LimitWait, Room, WaitKind
from embedding_assets.domain.work import Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("rate_limiter")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """One limit and one consumer's share of it; a resource that is None is not limited. Sizes per minute.

    `budgets` maps `max_usd_per_day`, `max_usd_per_month`, `max_tokens_per_day`, `max_tokens_per_month` to the most.
    """

    name: str
    consumer: str
    share: float
    requests_per_minute: int | None
    inputs_per_minute: int | None
    tokens_per_minute: int | None
    ceiling_on: str
    min_per_minute: int
    budgets: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Account:
    """Who a request is charged to: a collection, and the consumer of the limit that it draws on (None: no limit)."""

    collection_id: int
    limit_name: str | None
    consumer: str | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A use that was entered: one request of so many inputs, tokens and USD. `slot` finds it again.

    `age` is how many seconds ago it was granted, at the most, when the answer came; `granted_at` when that was, at the
    earliest, by this process's monotonic clock.
    """

    lane: Lane
    slot: int
    tokens: int
    usd: float
    age: float = 0.0
    granted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One resource of one limit in the trailing minute, as one consumer sees it.

    `part` is the part of the limit that is used at the moment: below 1 after the provider refused.
    """

    limit: str
    consumer: str
    resource: str
    capacity: int
    ceiling: int
    own: int
    everybody: int
    blocked_seconds: float
    part: float


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One budget of a collection or a limit in its current period; `unit` is `usd` or `tokens`."""

    kind: str
    holder: str
    period: str
    unit: str
    most: float
    used: float


async def reserve(
    connection: Tx, limit_name: str, consumer: str, *, lane: Lane, requests: int, inputs: int, tokens: int
) -> float:
    """What other programs call: 0.0 when the use was entered, else the seconds after which to ask again.

    A refused one writes nothing. `connection` must be in autocommit and outside any transaction: the procedure commits
    by itself.

    Raises:
        StoreError: no such limit or consumer, or a request larger than the consumer's ceiling.
    """
    values = {
        "limit_name": limit_name,
        "consumer": consumer,
        "lane": lane.value,
        "requests": requests,
        "inputs": inputs,
        "tokens": tokens,
    }
    row = await (await connection.execute(_SQL["reserve"], values)).fetchone()
    return row[0] if row else 0.0


async def reserve_for_collection(
    connection: Tx, account: Account, *, lane: Lane, inputs: int, tokens: int, usd: float
) -> Reservation | LimitWait:
    """Enter one request of ours, or learn what it has to wait for; the rest as for `reserve`."""
    values = {
        **_charged(account),
        "lane": lane.value,
        "requests": 1,
        "inputs": inputs,
        "tokens": tokens,
        "usd": usd,
    }
    asked = time.monotonic()
    row = await (await connection.execute(_SQL["reserve_for_collection"], values)).fetchone()
    assert row is not None
    wait, kind, about, slot, granted_after = row
    if wait > 0:
        return LimitWait(wait, WaitKind(kind), about or "")
    granted_at = asked + granted_after
    return Reservation(lane, slot, tokens, usd, time.monotonic() - granted_at, granted_at)


async def move_use(tx: Tx, account: Account, made: Reservation, *, inputs: int) -> Reservation:
    """Hold a use from now on: its request may have reached the provider so late. The use as it stands then."""
    values = {
        **_charged(account),
        "lane": made.lane.value,
        "slot": made.slot,
        "inputs": inputs,
        "tokens": made.tokens,
    }
    row = await (await tx.execute(_SQL["move_use"], values)).fetchone()
    return replace(made, slot=row[0]) if row else made


async def correct_use(
    tx: Tx, account: Account, made: Reservation, *, tokens: int | None, spent_tokens: int, usd: float
) -> None:
    """Put a use right once the provider's own count is known; `tokens` None leaves the window as it is.

    A request that was sent stays sent: it is never given back to the window. One that was refused cost nothing.
    """
    values = {
        **_charged(account),
        "lane": made.lane.value,
        "slot": made.slot,
        "tokens": 0 if tokens is None else tokens - made.tokens,
        "spent_tokens": spent_tokens - made.tokens,
        "usd": usd - made.usd,
    }
    await tx.execute(_SQL["correct_use"], values)


async def room(tx: Tx, account: Account, *, lane: Lane) -> Room:
    """What of the limit and of the budgets is free for this account now, without taking any of it."""
    held_up = await held_up_by(tx, account.collection_id)
    if held_up is not None or account.limit_name is None:
        return Room(wait=held_up)
    row = await (await tx.execute(_SQL["room"], {**_charged(account), "lane": lane.value})).fetchone()
    if row is None:
        return Room()
    wait, kind, about, *free = row
    return Room(LimitWait(wait, WaitKind(kind), about or "") if wait > 0 else None, *free)


async def say_waiting(tx: Tx, account: Account, *, lane: Lane) -> None:
    """Work of this lane waits for the limit: for some seconds, what is to yield to it does."""
    await tx.execute(_SQL["say_waiting"], {**_charged(account), "lane": lane.value})


async def held_up_by(tx: Tx, collection_id: int) -> LimitWait | None:
    """What keeps every request of a collection back, whatever the window holds: a budget, or the provider's own word."""
    row = await (await tx.execute(_SQL["held_up_by"], {"collection_id": collection_id})).fetchone()
    return LimitWait(row[0], WaitKind(row[1]), row[2]) if row else None


async def provider_refused(tx: Tx, limit_name: str, *, seconds: float) -> None:
    """The provider asked to be left alone: nobody's reserve passes for so long, and the limit is lowered for a while.

    Never shortens an earlier block; requests refused together lower it once.
    """
    await tx.execute(_SQL["provider_refused"], {"limit_name": limit_name, "seconds": seconds})


async def apply(tx: Tx, settings: LimitSettings) -> None:
    """Write a limit and a consumer of it; what is in use meanwhile goes on counting."""
    values: dict[str, object] = {
        "name": settings.name,
        "consumer": settings.consumer,
        "share": settings.share,
        "requests_per_minute": settings.requests_per_minute,
        "inputs_per_minute": settings.inputs_per_minute,
        "tokens_per_minute": settings.tokens_per_minute,
        "ceiling_on": settings.ceiling_on,
        "min_per_minute": settings.min_per_minute,
        "budgets": Jsonb(dict(settings.budgets)),
    }
    await tx.execute(_SQL["apply_limit"], values)
    await tx.execute(_SQL["apply_consumer"], values)


async def limit_use(tx: Tx) -> list[LimitUse]:
    """What every consumer used of every limit in the trailing minute."""
    return [LimitUse(*row) for row in await (await tx.execute(_SQL["limit_use"])).fetchall()]


async def budget_use(tx: Tx) -> list[BudgetUse]:
    """Every budget with what was spent of it in its current period."""
    return [BudgetUse(*row) for row in await (await tx.execute(_SQL["budget_use"])).fetchall()]


def _charged(account: Account) -> dict[str, object]:
    return {
        "limit_name": account.limit_name,
        "consumer": account.consumer,
        "collection_id": account.collection_id,
    }
