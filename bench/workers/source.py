"""Documents made of their keys, four chunks each, every chunk unlike all others: nothing is reused. Not here: the queue of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedding_assets.domain.documents import Document, ListedDocument

CHUNKS = 4


@dataclass(frozen=True, slots=True)
class FourChunks:
    """As many documents as anybody asks for."""

    count: int

    def list_documents(self) -> Iterator[ListedDocument]:
        """`document-000000` and on."""
        return (ListedDocument(key, "as generated", None) for key in keys(self.count))

    def fetch(self, document_key: str) -> Document:
        """Four paragraphs of nearly 800 characters, as documentation has them."""
        parts = (f"Part {part} of {document_key}. " for part in range(CHUNKS))
        return Document(document_key, "\n\n".join((part * 60)[:790] for part in parts))


def keys(count: int) -> list[str]:
    """Their keys."""
    return [f"document-{number:06}" for number in range(count)]
