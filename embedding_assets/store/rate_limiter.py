"""The shared limit: reserve before a request, block after a 429. All workers and other programs draw on the same rows.

The rules stand in SQL (`take_from_limit`), where every program can call them. Not here: waiting (pipeline).
"""

from dataclasses import dataclass

from embedding_assets.domain.work import Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("rate_limiter")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """One limit and one consumer's share of it; a resource that is None is not limited. Sizes per minute."""

    name: str
    consumer: str
    share: float
    requests_per_minute: int | None
    inputs_per_minute: int | None
    tokens_per_minute: int | None
    ceiling_on: str
    min_per_minute: int


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One resource of one limit in the trailing minute, as one consumer sees it."""

    limit: str
    consumer: str
    resource: str
    capacity: int
    ceiling: int
    own: int
    everybody: int
    blocked_seconds: float


async def reserve(
    connection: Tx, limit_name: str, consumer: str, *, lane: Lane, requests: int, inputs: int, tokens: int
) -> float:
    """0.0 when the use was entered, else the seconds after which to ask again; a refused one writes nothing.

    `connection` must be in autocommit and outside any transaction: the procedure commits by itself.

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


async def block(tx: Tx, limit_name: str, *, seconds: float) -> None:
    """The provider asked to be left alone: nobody's reserve passes for so long. Never shortens an earlier block."""
    await tx.execute(_SQL["block"], {"limit_name": limit_name, "seconds": seconds})


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
    }
    await tx.execute(_SQL["apply_limit"], values)
    await tx.execute(_SQL["apply_consumer"], values)


async def limit_use(tx: Tx) -> list[LimitUse]:
    """What every consumer used of every limit in the trailing minute."""
    return [LimitUse(*row) for row in await (await tx.execute(_SQL["limit_use"])).fetchall()]
