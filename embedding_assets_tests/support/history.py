"""Days that passed: standings of every day before today, as the nightly job would have left them."""

from datetime import timedelta

import numpy as np

from embedding_assets.store.database import Database, Tx

_WEEK = np.array([1.3, 1.3, 1.2, 1.2, 1.0, 0.6, 0.4])


async def write_history(
    db: Database,
    collection: str,
    *,
    days: int,
    documents_a_day: float,
    growth: float = 0.003,
    model: str = "test/vector-4",
) -> None:
    """So many days until yesterday, growing a little each day, with a weekly pattern; and the counters as they stand now."""
    number = np.arange(days)
    daily = documents_a_day * (1 + growth * number) * _WEEK[number % 7]
    daily *= np.random.default_rng(5).lognormal(0, 0.1, days)
    total = np.cumsum(daily)
    async with db.transaction() as tx:
        row = await (
            await tx.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp()")
        ).fetchone()
        assert row is not None
        today, now = row
        for at in range(days):
            moment = now - timedelta(days=days - at)
            for name, (labels, per_document, base) in _series(collection, model).items():
                value = base + per_document * float(total[at])
                day = today - timedelta(days=days - at)
                await _insert(tx, (day, name, list(labels), value, moment))
        for name, (labels, per_document, _) in _series(collection, model).items():
            if name.startswith("embedding_") and name.endswith("_total"):
                value = per_document * float(total[-1] + daily[-7])
                await tx.execute(
                    "INSERT INTO embedding_assets.metric_counters VALUES (%s, %s, 0, %s)"
                    " ON CONFLICT (name, labels, shard) DO UPDATE SET value = metric_counters.value + excluded.value",
                    (name, list(labels), value),
                )


def _series(collection: str, model: str) -> dict[str, tuple[tuple[str, ...], float, float]]:
    """Labels, what each document adds, and where it begins."""
    return {
        "embedding_changes_total": ((collection, "success"), 1.0, 0.0),
        "embedding_documents_processed_total": ((collection, "success"), 1.0, 0.0),
        "embedding_chunks_processed_total": ((collection,), 8.0, 0.0),
        "embedding_tokens_total": ((model,), 1200.0, 0.0),
        "embedding_cost_usd_total": ((model,), 0.000_024, 0.0),
        "embedding_api_requests_total": ((model, "200"), 0.4, 0.0),
        "embedding_run_duration_seconds_sum": (("embed_documents", collection), 0.5, 0.0),
        "embedding_stage_duration_seconds_sum": (("storage",), 0.01, 0.0),
        "live_queue": ((collection,), 0.0, 0.0),
        "index_bytes": ((collection, model), 9000.0, 1e8),
        "database_bytes": ((), 40_000.0, 2e9),
        "connections": ((), 0.0, 14.0),
    }


async def _insert(tx: Tx, row: tuple[object, ...]) -> None:
    await tx.execute(
        "INSERT INTO embedding_assets.daily_stats VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (name, labels, day) DO UPDATE SET value = daily_stats.value + excluded.value",
        row,
    )
