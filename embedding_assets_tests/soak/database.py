"""The soak's database: a full queue, the limit with its two consumers, and what is read back during and after the load.

Not here: starting the server (scene).
"""

from dataclasses import dataclass, replace

import psycopg
from typing_extensions import LiteralString

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import LimitName, Target, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.store import collections, migrations, rate_limiter, work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.soak.freshness import RECORD_PUBLICATIONS
from embedding_assets_tests.soak.scenarios import CAPACITY, CEILING, LIMIT, NEIGHBOUR, OURS, SHARE, Scenario
from embedding_assets_tests.support.benches import DIMENSIONS, open_bench
from embedding_assets_tests.support.collections import collection_settings
from embedding_assets_tests.support.generated import GeneratedSource, generated_keys

MODEL = "simulated"
OTHER = "changing"
# So that 100,000 documents last longer than five minutes on two cores: with 8 inputs a request they took less.
_INPUTS_UNLIMITED = 4
# The queue forgets a lost claim when its document is settled; the soak counts each as it is noticed.
_COUNT_LOST_CLAIMS: tuple[LiteralString, ...] = (
    "CREATE TABLE public.lost_claims (document_key text)",
    """
    CREATE FUNCTION public.count_lost_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.lost_claims VALUES (new.document_key); RETURN NULL; END $$
    """,
    """
    CREATE TRIGGER count_lost_claim AFTER UPDATE OF lost_claims ON embedding_assets.work_items
    FOR EACH ROW WHEN (new.lost_claims > old.lost_claims) EXECUTE FUNCTION public.count_lost_claim()
    """,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the queue stands: claims noticed as lost and claims held now; `by_shard` counts what is published."""

    published: int
    failed_attempts: int
    lost_claims: int
    held: int
    by_shard: dict[int, int]


async def prepare(database_url: str, scenario: Scenario, documents: int, lane: Lane) -> Target:
    """Migrate, apply the collection and the limit, queue the documents; what the workers work on."""
    migrations.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        for statement in (*_COUNT_LOST_CLAIMS, *(RECORD_PUBLICATIONS if scenario.live_per_minute else ())):
            connection.execute(statement)
    model = EmbeddingModel(f"openai/{MODEL}", DIMENSIONS)
    embedder = build_embedder(model, api_base=None, api_key=None, timeout_seconds=20, wire_format=None, extra={})
    # One input a request, so that requests are what the limit binds.
    inputs = 1 if scenario.limited else _INPUTS_UNLIMITED
    async with open_bench(database_url, GeneratedSource(documents), embedder, max_inputs=inputs) as bench:
        async with bench.db.transaction() as tx:
            changes = [(key, None) for key in generated_keys(documents)]
            await work_queue.enqueue(tx, bench.target.collection_id, changes, lane=lane)
            # As after the first complete poll: a live change from here on is promised.
            await tx.execute("UPDATE embedding_assets.collections SET tracked_since = clock_timestamp()")
        if not scenario.limited:
            return bench.target
        await _apply_limit(bench, scenario)
        return replace(bench.target, limit=LimitName(LIMIT, OURS, CEILING))


async def prepare_other(database_url: str, target: Target) -> Target:
    """Another collection of the same model and limit, with nothing in its queue, whose first poll was just now."""
    async with Database(database_url) as db, db.transaction() as tx:
        await collections.apply(tx, collection_settings(OTHER, target.model, chunker=target.chunking.fingerprint))
        found = await collections.find(tx, OTHER)
        assert found is not None
        values = [target.limit.name if target.limit else None, OURS, found.id]
        await tx.execute(
            "UPDATE embedding_assets.collections SET tracked_since = clock_timestamp(), limit_name = %s, limit_consumer = %s "
            "WHERE id = %s",
            values,
        )
    return replace(target, name=OTHER, collection_id=found.id, model_id=found.model_id)


async def _apply_limit(bench: Workbench, scenario: Scenario) -> None:
    ours = LimitSettings(LIMIT, OURS, SHARE, CAPACITY, None, None, scenario.ceiling_on, scenario.min_per_minute)
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, ours)
        await rate_limiter.apply(tx, replace(ours, consumer=NEIGHBOUR, share=1.0, min_per_minute=0))


def standing(database_url: str) -> Standing:
    """As of now."""
    with psycopg.connect(database_url) as connection:
        by_shard = connection.execute(
            "SELECT shard, count(*) FROM embedding_assets.publications JOIN embedding_assets.documents "
            "USING (collection_id, document_key) GROUP BY shard"
        ).fetchall()
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM embedding_assets.failed_attempts), (SELECT count(*) FROM public.lost_claims), "
            "(SELECT count(lease_owner) FROM embedding_assets.work_items)"
        ).fetchone()
    assert counts is not None
    failed_attempts, lost_claims, held = counts
    return Standing(sum(row[1] for row in by_shard), failed_attempts, lost_claims, held, dict(by_shard))
