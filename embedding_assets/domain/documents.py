"""Documents and references: what a source holds, and how one is told from another.

Not here: how documents are read (providers/sources) or stored (store/corpus).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SHARDS = 16


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """One entry of a source's listing; cheap to make, holds no content.

    `signature` changes whenever the content may have changed (for a file: its mtime and size); it is compared for
    equality only. `changed_at` is the source's own time stamp of the last change, None where it keeps none.
    """

    document_key: str
    signature: str
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """One change that a source tells of; `signature` as in its listing, None where the document is no longer there."""

    document_key: str
    signature: str | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """One source text as it was when it was fetched. `metadata` must be JSON-serialisable.

    `signature` is what a listing would have shown at that moment, None where the source cannot tell: with it, a poll does not find
    again what was told by a notification and is published already.
    """

    document_key: str
    content: str
    title: str = ""
    uri: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    source_updated_at: datetime | None = None
    signature: str | None = None

    def content_hash(self) -> bytes:
        """SHA-256 over everything a reader can see (text, title, uri, metadata); 32 bytes."""
        seen = [self.content, self.title, self.uri, dict(self.metadata)]
        text = json.dumps(seen, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


def shard_of(document_key: str) -> int:
    """The shard of a document: first 4 bytes of MD5 of the UTF-8 key, big-endian, mod 16.

    The same rule stands in SQL (`embedding_assets.shard_of`); a test holds both to fixed examples.
    """
    digest = hashlib.md5(document_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") % SHARDS


def shard_name(shard: int) -> str:
    """The shard's name as a Dagster partition key: `00` … `15`."""
    return f"{shard:02d}"
