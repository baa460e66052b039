"""For applications: tell that documents changed, in the transaction in which they change. Needs nothing else of this package.

    from embedding_assets.store.producer import enqueue

    with psycopg.connect(url) as connection:
        connection.execute("UPDATE articles SET body = %s WHERE id = %s", [body, 7])
        enqueue(connection, "docs", "7")

Only references are told: the content is read from the collection's source when it is processed. It never waits for a worker, a
poll or a migration. Not here: what becomes of arrivals (work_queue).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.store.queries import load_queries

_SQL = load_queries("producer")
# What the function refuses: an unknown collection, no key, one that is too long.
_REFUSALS = (psycopg.errors.NoDataFound, psycopg.errors.NullValueNotAllowed, psycopg.errors.InvalidParameterValue)


class NotEnqueued(EmbeddingAssetsError):
    """The collection is not known, or a key cannot be one; the message says which."""


def enqueue(
    to: str | psycopg.Connection[Any],
    collection: str,
    document_keys: str | Sequence[str],
    changed_at: datetime | None = None,
) -> None:
    """Tell that these documents of the collection changed, were made, or were deleted.

    `to` is the application's own connection, whose transaction it becomes part of, or a URL. `changed_at` is when they changed,
    None for now; it counts from the last complete poll of the source on, and never later than now.

    Raises:
        NotEnqueued: nothing was told, and a transaction given is to be rolled back.
        psycopg.Error: as of any statement of the application's own.
        ValueError: `changed_at` has no time zone.
    """
    if changed_at is not None and changed_at.tzinfo is None:
        msg = "changed_at has no time zone; give datetime.now(timezone.utc) or another aware time"
        raise ValueError(msg)
    keys = [document_keys] if isinstance(document_keys, str) else list(document_keys)
    try:
        if isinstance(to, str):
            with psycopg.connect(to, autocommit=True, application_name="embedding-assets-producer") as connection:
                _enqueue(connection, collection, keys, changed_at)
        else:
            _enqueue(to, collection, keys, changed_at)
    except _REFUSALS as error:
        raise NotEnqueued(error.diag.message_primary) from None


def _enqueue(
    connection: psycopg.Connection[Any], collection: str, document_keys: list[str], changed_at: datetime | None
) -> None:
    values = {"collection": collection, "document_keys": document_keys, "changed_at": changed_at}
    connection.execute(_SQL["enqueue"], values)
