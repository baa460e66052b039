"""Search by text: the query becomes a vector under the collection's active model, then SQL finds its neighbours."""

from collections.abc import Mapping

import numpy as np

from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections
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

    The query is a request like any other: it is entered in the collection's shared limit. A workbench opened while another
    model was built answers before and after the cut-over.

    Raises:
        NoRoom: the limit had none for too long.
        ProviderError: the query could not be embedded.
        ClassifiedError: `model_replaced`: the collection got a model that this workbench does not know.
        StoreError: no such collection, or the database is away.
    """
    while True:
        asked = await _for_active_model(bench)
        reply = await Requester(asked).ask(query, Lane.LIVE)
        for rejected in reply.rejected:
            raise ProviderError(rejected.error_type, f"the query got no usable vector: {rejected.detail}")
        vector = np.asarray(reply.vectors[0], dtype=np.float32)
        async with bench.db.transaction() as tx:
            await store_search.in_one_snapshot(tx)
            # The vectors of two models cannot be compared, and of one dimension nothing else would notice.
            if await collections.active_model(tx, bench.target.collection_id) == asked.target.model_id:
                name = bench.target.name
                return await store_search.search(tx, name, vector, k=k, filter=filter, exact_below=exact_below)


async def _for_active_model(bench: Workbench) -> Workbench:
    """The workbench whose model search answers from now."""
    async with bench.db.transaction() as tx:
        active = await collections.active_model(tx, bench.target.collection_id)
    for one in (bench, bench.building):
        if one is not None and one.target.model_id == active:
            return one
    message = (
        f"collection {bench.target.name!r} got another model since this workbench was opened: open it again, with the "
        "collections file that was applied"
    )
    raise ClassifiedError(ErrorType.MODEL_REPLACED, message)
