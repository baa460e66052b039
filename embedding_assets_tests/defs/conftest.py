"""The code location of one test: a folder of twelve documents, the local model, a database and an instance of its own."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.code_location import CodeLocation, build_location

DOCUMENTS = 12


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """In memory."""
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance


@pytest.fixture
def location(database_url: str, tmp_path: Path, instance: dg.DagsterInstance) -> CodeLocation:
    """Applied, never polled."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_documents(corpus, DOCUMENTS)
    return build_location(database_url, corpus, instance)


@pytest.fixture
def published(location: CodeLocation) -> CodeLocation:
    """All twelve documents are published, by a scheduled run."""
    location.sync()
    location.embed(retrack=False)
    return location
