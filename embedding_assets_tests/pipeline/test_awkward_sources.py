"""Sources whose keys, listings, metadata or errors are not what a folder's would be."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model, sync_and_run
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.published import published_chunks


@dataclass(frozen=True)
class _Awkward:
    """A source in memory: what it lists, what it says of every document, and what it raises for some."""

    listed: Sequence[tuple[str, str]]
    metadata: dict[str, object] = field(default_factory=dict[str, object])
    errors: dict[str, SourceError] = field(default_factory=dict[str, SourceError])

    def list_documents(self) -> Iterator[ListedDocument]:
        for key, signature in self.listed:
            yield ListedDocument(key, signature, None)

    def fetch(self, document_key: str) -> Document:
        if document_key in self.errors:
            raise self.errors[document_key]
        return Document(document_key, f"The text of {document_key}.", metadata=self.metadata)


def _on_source(database_url: str, source: _Awkward, body: Callable[[Workbench], Awaitable[None]]) -> None:
    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, source, simulated_model(provider)) as bench:
                await body(bench)

    asyncio.run(run())


# Random enough that PostgreSQL cannot compress it into an index's row.
_LONG = "/".join(hashlib.sha512(str(n).encode()).hexdigest() for n in range(24))


@pytest.mark.parametrize("key", ["no\0text", "no\udcfftext", _LONG], ids=["nul", "surrogate", "long"])
def test_a_key_that_cannot_be_stored_is_left_out_and_counted(database_url: str, key: str) -> None:
    async def body(bench: Workbench) -> None:
        found = await sync_source(bench)
        assert (found.enqueued, found.unnameable) == (1, 1)

    _on_source(database_url, _Awkward([("a", "1"), (key, "1")]), body)


def test_a_document_listed_twice_is_one_with_its_last_signature(database_url: str) -> None:
    async def body(bench: Workbench) -> None:
        found = await sync_source(bench)
        assert (found.difference.listed, found.enqueued) == (2, 2)
        async with bench.db.transaction() as tx:
            rows = await tx.execute("SELECT document_key, signature FROM embedding_assets.source_listings ORDER BY 1")
            assert await rows.fetchall() == [("a", "2"), ("b", "1")]

    _on_source(database_url, _Awkward([("a", "1"), ("b", "1"), ("a", "2")]), body)


@pytest.mark.parametrize("name", ["b\udcff.md", "b\0.md"])
def test_an_error_that_quotes_a_name_that_is_not_text_fails_its_document_alone(database_url: str, name: str) -> None:
    async def body(bench: Workbench) -> None:
        outcome = await sync_and_run(bench)
        assert (outcome.total.published, outcome.total.failed) == (1, 1)
        assert [row.document_key for row in await failed_rows(bench)] == ["bad"]

    error = SourceError(ErrorType.SOURCE_UNREADABLE, f"cannot read {name}")
    _on_source(database_url, _Awkward([("a", "1"), ("bad", "1")], errors={"bad": error}), body)


@pytest.mark.parametrize(
    ("value", "errors"),
    [("\\u0000", {}), ("\\\\u0000", {}), ("\0", {"undecodable": 1}), ("\\\0", {"undecodable": 1})],
)
def test_nul_in_metadata_fails_and_its_spelling_out_does_not(
    database_url: str, value: str, errors: dict[str, int]
) -> None:
    async def body(bench: Workbench) -> None:
        outcome = await sync_and_run(bench)
        assert outcome.total.errors == errors
        assert list(await published_chunks(bench)) == ([] if errors else ["a"])

    _on_source(database_url, _Awkward([("a", "1")], metadata={"pattern": value}), body)
