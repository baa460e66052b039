"""Search, as the SQL function `embedding_assets.search` does it: the same rows for SQL, the terminal and Python."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("search")

# Below this many candidate rows the exact order is as quick as the index, and complete.
EXACT_BELOW = 10_000


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One input near the query. `score` is larger for nearer; `locations` are the other places that hold it.

    `headings` are those the chunk stands under, outermost first.
    """

    score: float
    document_key: str
    version: int
    ordinal: int
    content: str
    start_char: int
    end_char: int
    title: str
    uri: str
    metadata: Mapping[str, object]
    headings: Sequence[str]
    locations: Sequence[Mapping[str, object]]


async def in_one_snapshot(tx: Tx) -> None:
    """What this transaction reads is as of one moment; must be its first statement."""
    await tx.execute(_SQL["in_one_snapshot"])


async def search(
    tx: Tx,
    collection: str,
    query_vector: NDArray[np.float32],
    *,
    k: int = 10,
    filter: Mapping[str, object] | None = None,  # noqa: A002 - the name the SQL function has
    exact_below: int = EXACT_BELOW,
) -> list[SearchResult]:
    """The min(k, matching) nearest inputs, nearest first; `filter` must be contained in the document's metadata.

    Raises:
        StoreError: no such collection, or a query vector of another dimension or of norm zero.
    """
    values = {
        "collection": collection,
        "query_vector": "[" + ",".join(map(repr, query_vector.tolist())) + "]",
        "k": k,
        "filter": json.dumps(dict(filter or {})),
        "exact_below": exact_below,
    }
    return [SearchResult(*row) for row in await (await tx.execute(_SQL["search"], values)).fetchall()]
