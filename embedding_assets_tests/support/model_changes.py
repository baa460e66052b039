"""A collection whose chunk size and model change in its file, as an operator changes them, behind the simulated provider."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from typing_extensions import LiteralString

from embedding_assets import runtime
from embedding_assets.domain.documents import SHARDS
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.switching import AppliedStep
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.settings import Settings
from embedding_assets.store.database import Database
from embedding_assets_tests.simulator import Simulator, SimulatorClient

_FILE = """\
[collections.docs]
source = {{ type = "directory", path = "{folder}" }}
chunking = {{ strategy = "{strategy}", size = {size}, overlap = 0 }}
[collections.docs.model]
name = "openai/{model}"
dimensions = 8
input_template = "{template}"
max_inputs_per_request = {max_inputs}
usd_per_million_tokens = {price}
{more}
"""
_PUBLISHED = """
    SELECT p.document_key, c.content FROM embedding_assets.publications AS p
    LEFT JOIN embedding_assets.chunks AS c USING (collection_id, model_id, document_key, version)
    WHERE p.model_id = %s ORDER BY p.document_key, c.ordinal
"""
_SHOWN = """
    SELECT c.active_model_id, s.document_key, s.ordinal, s.content, s.version, p.version, p.chunks,
           count(*) OVER (PARTITION BY s.document_key)
    FROM embedding_assets.collections AS c
    CROSS JOIN embedding_assets.search('docs', %(vector)s::vector, 10000) AS s
    LEFT JOIN embedding_assets.publications AS p
        ON p.collection_id = c.id AND p.model_id = c.active_model_id AND p.document_key = s.document_key
    WHERE c.name = 'docs' ORDER BY s.document_key, s.ordinal
"""
ALL_SHARDS = range(SHARDS)
OLD, NEW = "old", "new"
# Another text for each model: one that search asked under the other would be seen by its vector.
TEMPLATES = {OLD: "{content}", NEW: "new: {title}: {content}"}
PRICES = {OLD: 10.0, NEW: 50.0}


@dataclass(frozen=True, slots=True)
class Changing:
    """Collection `docs` over a folder of documents; nothing is applied before `apply`."""

    settings: Settings
    folder: Path

    def apply(self, model: str = OLD, **settings: Any) -> AppliedStep:
        """Write the file so, and apply it."""
        return asyncio.run(self.apply_now(model, **settings))

    async def apply_now(self, model: str = OLD, **settings: Any) -> AppliedStep:
        """The same in an event loop that runs already."""
        self.write(model, **settings)
        return await self._apply_file()

    def apply_file(self) -> AppliedStep:
        """Apply the file as it is."""
        return asyncio.run(self._apply_file())

    async def _apply_file(self) -> AppliedStep:
        [step] = await runtime.apply_collections(self.settings, runtime.collections_file(self.settings))
        return step

    def write(
        self,
        model: str = OLD,
        *,
        strategy: str = "recursive",
        template: str | None = None,
        size: int = 120,
        max_inputs: int = 16,
        more: str = "",
        others: str = "",
    ) -> None:
        """Only the file; `more` goes into the model's table, `others` are tables after it."""
        text = _FILE.format(
            folder=self.folder,
            strategy=strategy,
            size=size,
            model=model,
            template=template or TEMPLATES.get(model, "{content}"),
            max_inputs=max_inputs,
            price=PRICES.get(model, 1.0),
            more=more,
        )
        self.settings.collections_file.write_text(text + others, encoding="utf-8")

    @asynccontextmanager
    async def open(self, run_id: str = "test-run") -> AsyncGenerator[Workbench, None]:
        """A workbench as any process of ours opens it."""
        async with runtime.open_workbench(self.settings, "docs", run_id=run_id) as bench:
            yield bench

    def on_bench(self, body: Callable[[Workbench], Awaitable[None]]) -> None:
        """Run an async test body on a workbench."""

        async def opened() -> None:
            async with self.open() as bench:
                await body(bench)

        asyncio.run(opened())

    def run(self) -> RunOutcome:
        """Poll the source and drain the queue, in a workbench of its own."""
        return asyncio.run(self.run_now())

    async def run_now(self) -> RunOutcome:
        """The same in an event loop that runs already."""
        async with self.open() as bench:
            await sync_source(bench)
            return await EmbeddingIngestionPipeline(bench).run()

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query on our tables."""
        with psycopg.connect(self.settings.database_url.get_secret_value(), autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def published_under(self, model_id: int) -> dict[str, list[str]]:
        """The chunks of every publication under this model, in their order, by key."""
        found: dict[str, list[str]] = {}
        for key, content in self.rows(_PUBLISHED, model_id):
            found.setdefault(key, [])
            if content is not None:
                found[key].append(content)
        return found


@dataclass(frozen=True, slots=True)
class Shown:
    """What search showed at one moment: the active model, and the chunks' texts of every document, in their order."""

    model_id: int
    texts: dict[str, list[str]]


async def shown(db: Database) -> Shown:
    """Everything, by one call of search in one snapshot; fails unless every document is there whole, in one version."""
    async with db.transaction() as tx:
        rows = await (await tx.execute(_SHOWN, {"vector": str([1.0] * 8)})).fetchall()
    models = {row[0] for row in rows}
    texts: dict[str, list[str]] = {}
    for _, key, ordinal, content, version, published, chunks, whole in rows:
        assert version == published, f"{key}: a chunk of another version than the one that is published"
        assert whole == chunks, f"{key}: {whole} of {chunks} chunks"
        assert len(texts.setdefault(key, [])) == ordinal
        texts[key].append(content)
    assert len(models) == 1
    return Shown(models.pop(), texts)


async def asked(provider: SimulatorClient, *, inputs: int) -> None:
    """Return once the provider was asked for so many inputs."""
    while provider.counters().inputs < inputs:  # noqa: ASYNC110 - it counts in another thread
        await asyncio.sleep(0.01)


def changing(database_url: str, folder: Path, provider: Simulator | SimulatorClient) -> Changing:
    """The collection in its own folder beside its file."""
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    settings = Settings(
        database_url=SecretStr(database_url),
        home=folder / "home",
        collections_file=folder / "collections.toml",
        api_base=provider.api_base,
        api_key=SecretStr("a-key"),
        settle_interval_seconds=0.02,
        pool_size=6,
    )
    return Changing(settings, corpus)
