"""A source of documents made from their keys: any number of them, no file written, each one input and unlike the others.

Not here: a source that kills or hangs its worker (poison_source).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from embedding_assets.domain.documents import Document, ListedDocument


@dataclass(frozen=True, slots=True)
class GeneratedSource:
    """The documents `generated_keys(count)`; one outside of these is fetched all the same."""

    count: int

    def list_documents(self) -> Iterator[ListedDocument]:
        """Never changes."""
        return (ListedDocument(key, "as generated", None) for key in generated_keys(self.count))

    def fetch(self, document_key: str) -> Document:
        """Fewer than 100 characters, so that it is one chunk."""
        return Document(document_key, f"The document {document_key} was made of its key and says nothing else.")


def generated_keys(count: int) -> list[str]:
    """`document-000000` and on: over many, every shard gets its part."""
    return [f"document-{number:06}" for number in range(count)]
