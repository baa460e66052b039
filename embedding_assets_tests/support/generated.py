"""A source of documents made from their keys: any number of them, each one input and unlike the others.

A file is written for a document that changed, and for no other: its name is the key, its content the number of the change.
Not here: a source that kills or hangs its worker (poison_source).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedding_assets.domain.documents import Document, ListedDocument


@dataclass(frozen=True, slots=True)
class GeneratedSource:
    """The documents `generated_keys(count)`; one outside of these is fetched all the same.

    `changes` is the folder in which `change` wrote what changed since, in whichever process.
    """

    count: int
    changes: Path | None = None

    def list_documents(self) -> Iterator[ListedDocument]:
        """As they were before any change."""
        return (ListedDocument(key, "as generated", None) for key in generated_keys(self.count))

    def fetch(self, document_key: str) -> Document:
        """Fewer than 100 characters, so that it is one chunk; what changed ends with the number of its last change."""
        text = f"The document {document_key} was made of its key and says nothing else."
        if self.changes is not None and (file := self.changes / document_key).exists():
            text += f" Then came change {file.read_text()}."
        return Document(document_key, text)


def change(changes: Path, document_key: str, number: int) -> None:
    """Make the document's next version, whole for whoever fetches it meanwhile."""
    fresh = changes / f".{document_key}"
    fresh.write_text(str(number))
    fresh.replace(changes / document_key)


def generated_keys(count: int) -> list[str]:
    """`document-000000` and on: over many, every shard gets its part."""
    return [f"document-{number:06}" for number in range(count)]
