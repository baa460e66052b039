"""A shared limit as tests set it up and draw on it, and what was used of it before."""

from collections.abc import Sequence

from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.work import Lane
from embedding_assets.store import rate_limiter
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import Account, LimitSettings, Reservation

OURS, NEIGHBOUR = "embedding-assets", "chat"


async def limit(db: Database, *, requests: int | None = 450, share: float = 0.7, **settings: object) -> None:
    """Limit `key` with our share of it and a neighbour who may use all."""
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


async def take(db: Database, consumer: str = OURS, *, lane: Lane = Lane.LIVE, requests: int = 1, **more: int) -> float:
    """Reserve as another program does; 0 or the seconds to wait."""
    async with db.session() as connection:
        return await rate_limiter.reserve(
            connection, "key", consumer, lane=lane, requests=requests, **{"inputs": 1, "tokens": 1, **more}
        )


async def used(db: Database, consumer: str, ages: Sequence[tuple[float, int]], lane: str = "live") -> None:
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


async def draw(
    db: Database,
    collection_id: int,
    *,
    lane: Lane = Lane.LIVE,
    inputs: int = 1,
    tokens: int = 1,
    usd: float = 0.0,
    limited: bool = True,
) -> Reservation | LimitWait:
    """Reserve one request of a collection of ours, as a run does."""
    account = Account(collection_id, "key" if limited else None, OURS if limited else None)
    async with db.session() as connection:
        return await rate_limiter.reserve_for_collection(
            connection, account, lane=lane, inputs=inputs, tokens=tokens, usd=usd
        )
