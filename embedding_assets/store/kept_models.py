"""What a collection keeps of each of its models, and dropping one in batches. Not here: whether it may be (pipeline/retiring)."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Identifier

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import table_name

_SQL = load_queries("kept_models")


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model of a collection: `state` is active, building or kept; `size` is that of its vectors with index, in bytes."""

    collection: str
    model_id: int
    name: str
    dimensions: int
    state: str
    documents: int
    size: int


async def models(tx: Tx, collections: Sequence[str]) -> list[KeptModel]:
    """Every model that anything is stored under, by collection and id."""
    cursor = await tx.execute(_SQL["models"], {"collections": list(collections)})
    return [KeptModel(*row) for row in await cursor.fetchall()]


async def drop_documents(tx: Tx, collection_id: int, model_id: int, *, rows: int) -> int:
    """Drop the publications of up to `rows` documents with their chunks; how many. The caller holds off settles."""
    values = {"collection_id": collection_id, "model_id": model_id, "rows": rows}
    return (await tx.execute(_SQL["drop_documents"], values)).rowcount


async def drop_chunks(tx: Tx, collection_id: int, model_id: int, *, rows: int) -> int:
    """Drop up to `rows` chunks that belong to no publication; how many. Only after the last document."""
    values = {"collection_id": collection_id, "model_id": model_id, "rows": rows}
    return (await tx.execute(_SQL["drop_chunks"], values)).rowcount


async def drop_table(tx: Tx, collection_id: int, model_id: int) -> None:
    """Drop the vectors with their index, and the marks on them; gives up where the table is read for more than 2 s."""
    await tx.execute(_SQL["drop_marks"], {"collection_id": collection_id, "model_id": model_id})
    await tx.execute(_SQL["wait_briefly"])
    embeddings = Identifier("embedding_assets", table_name(collection_id, model_id))
    await tx.execute(sql.SQL(_SQL["drop_table"]).format(embeddings=embeddings))
