"""How the index of a collection's active model is: its table, a sampled recall, what the server has. Reads only."""

from embedding_assets.domain.index_health import IndexHealth, graph_bytes
from embedding_assets.pipeline.stored_checks import examine
from embedding_assets.store import collections, index_health, vectors
from embedding_assets.store.database import Database

_RECALL = "index_finds_what_exact_search_finds"


async def look(db: Database, collection: str) -> IndexHealth | None:
    """None where nothing was ever stored."""
    async with db.transaction() as tx:
        applied = await collections.find(tx, collection)
        if applied is None or not (facts := await vectors.table_facts(tx, applied.table)).exists:
            return None
        rows = await vectors.count_vectors(tx, applied.table)
        around = await index_health.facts(tx, applied.table)
    finding = (await examine(db, collection, [_RECALL])).get(_RECALL)
    all_rows = around.live_rows + around.dead_rows
    return IndexHealth(
        rows=rows,
        table_bytes=facts.table_bytes,
        index_bytes=facts.index_bytes,
        valid=facts.index_valid,
        recall=finding.numbers.get("recall_at_10") if finding else None,
        dead_part=around.dead_rows / all_rows if all_rows else 0.0,
        graph_bytes=graph_bytes(rows, applied.model.dimensions, applied.model.storage, around.m),
        maintenance_memory=around.maintenance_memory,
        shared_buffers=around.shared_buffers,
        cache=around.cache,
    )
