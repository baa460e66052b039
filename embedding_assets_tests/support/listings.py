"""Listings of a source, as a poll sees them."""

from datetime import datetime

from embedding_assets.domain.documents import ListedDocument
from embedding_assets_tests.support.queue import NOON


def listed(*document_keys: str, signature: str = "1", changed_at: datetime | None = NOON) -> list[ListedDocument]:
    """These documents, all of one signature."""
    return [ListedDocument(key, signature, changed_at) for key in document_keys]
