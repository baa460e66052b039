"""A published collection whose file is about to name another model or chunk size, and the provider behind both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.model_changes import Changing, changing

DOCUMENTS = 10


@pytest.fixture
def provider() -> Iterator[Simulator]:
    """Honest until told otherwise."""
    with Simulator() as provider:
        yield provider


@pytest.fixture
def docs(database_url: str, tmp_path: Path, provider: Simulator) -> Changing:
    """Ten documents of three chunks; nothing applied."""
    made = changing(database_url, tmp_path, provider)
    write_documents(made.folder, DOCUMENTS)
    return made


@pytest.fixture
def published(docs: Changing, provider: Simulator) -> Changing:
    """The same, published under the old model; the provider has forgotten it."""
    docs.apply()
    docs.run()
    provider.reset()
    return docs
