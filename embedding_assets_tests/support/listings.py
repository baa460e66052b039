"""Listings of a source, as a poll sees them."""

from collections.abc import Iterable
from datetime import datetime

from embedding_assets.domain.documents import ChangedDocument, ListedDocument
from embedding_assets.store import source_listings
from embedding_assets.store.database import Tx
from embedding_assets.store.source_listings import ListingDifference
from embedding_assets_tests.support.queue import NOON


def listed(*document_keys: str, signature: str = "1", changed_at: datetime | None = NOON) -> list[ListedDocument]:
    """These documents, all of one signature."""
    return [ListedDocument(key, signature, changed_at) for key in document_keys]


async def staged(tx: Tx, entries: Iterable[ListedDocument | ChangedDocument]) -> None:
    """The whole listing, in this transaction's session."""
    await source_listings.open_listing(tx)
    await source_listings.stage(tx, entries)
    await source_listings.complete(tx)


async def compared(tx: Tx, collection_id: int, entries: Iterable[ListedDocument]) -> ListingDifference:
    """Staged and compared at once."""
    await staged(tx, entries)
    return await source_listings.compare(tx, collection_id)
