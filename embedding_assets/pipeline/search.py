"""Search by text: the query becomes a vector under the collection's model, then SQL finds its neighbours."""

from collections.abc import Mapping

import numpy as np

from embedding_assets.domain.failures import ProviderError
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import search as store_search
from embedding_assets.store.search import EXACT_BELOW, SearchResult


async def search_text(
    bench: Workbench,
    query: str,
    *,
    k: int = 10,
    filter: Mapping[str, object] | None = None,  # noqa: A002 - the name the SQL function has
    exact_below: int = EXACT_BELOW,
) -> list[SearchResult]:
    """The min(k, matching) published inputs nearest to the query, nearest first, each input once.

    The query is a request like any other: it is entered in the collection's shared limit.

    Raises:
        NoRoom: the limit had none for too long.
        ProviderError: the query could not be embedded.
        StoreError: no such collection, or the database is away.
    """
    reply = await Requester(bench).ask(query, Lane.LIVE)
    for rejected in reply.rejected:
        raise ProviderError(rejected.error_type, f"the query got no usable vector: {rejected.detail}")
    vector = np.asarray(reply.vectors[0], dtype=np.float32)
    async with bench.db.transaction() as tx:
        return await store_search.search(tx, bench.target.name, vector, k=k, filter=filter, exact_below=exact_below)
