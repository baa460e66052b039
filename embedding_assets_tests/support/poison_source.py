"""A source with one document that kills whoever fetches it and one whose fetch never ends.

Not here: the worker that dies of it (supervisor).
"""

import os
import signal
import threading
from collections.abc import Iterator

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets_tests.support.generated import GeneratedSource, generated_keys

DOCUMENTS = 500
KILLS, HANGS = (generated_keys(DOCUMENTS)[number] for number in (100, 300))


class PoisonSource:
    """`DOCUMENTS` generated documents; the fetch of `KILLS` is the process's end, that of `HANGS` has none."""

    def __init__(self) -> None:
        self._documents = GeneratedSource(DOCUMENTS)

    def list_documents(self) -> Iterator[ListedDocument]:
        """All of them."""
        return self._documents.list_documents()

    def fetch(self, document_key: str) -> Document:
        """The document, for all but the two."""
        if document_key == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if document_key == HANGS:
            threading.Event().wait()
        return self._documents.fetch(document_key)
