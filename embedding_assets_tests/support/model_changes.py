"""A collection whose chunk size and model change in its file, as an operator changes them, behind the simulated provider."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from embedding_assets import runtime
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.switching import AppliedStep
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.settings import Settings
from embedding_assets_tests.simulator import Simulator, SimulatorClient

_FILE = """\
[collections.docs]
source = {{ type = "directory", path = "{folder}" }}
chunking = {{ size = {size}, overlap = 0 }}
{more}
[collections.docs.model]
name = "openai/{model}"
dimensions = 8
input_template = "{template}"
max_inputs_per_request = {max_inputs}
usd_per_million_tokens = {price}
"""
OLD, NEW = "old", "new"
# Another text for each model: one that search asked under the other would be seen by its vector.
TEMPLATES = {OLD: "{content}", NEW: "{title} | {content}"}
PRICES = {OLD: 10.0, NEW: 50.0}


@dataclass(frozen=True, slots=True)
class Changing:
    """Collection `docs` over a folder of documents; nothing is applied before `apply`."""

    settings: Settings
    folder: Path

    def apply(
        self, model: str = OLD, *, size: int = 120, max_inputs: int = 16, more: str = "", limits: str = ""
    ) -> AppliedStep:
        """Write the file so, and apply it."""
        self.write(model, size=size, max_inputs=max_inputs, more=more, limits=limits)
        [step] = asyncio.run(runtime.apply_collections(self.settings, runtime.collections_file(self.settings)))
        return step

    def write(
        self, model: str = OLD, *, size: int = 120, max_inputs: int = 16, more: str = "", limits: str = ""
    ) -> None:
        """Only the file."""
        text = _FILE.format(
            folder=self.folder,
            size=size,
            model=model,
            template=TEMPLATES.get(model, "{content}"),
            max_inputs=max_inputs,
            price=PRICES.get(model, 1.0),
            more=more,
        )
        self.settings.collections_file.write_text(text + limits, encoding="utf-8")

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

        async def opened() -> RunOutcome:
            async with self.open() as bench:
                await sync_source(bench)
                return await EmbeddingIngestionPipeline(bench).run()

        return asyncio.run(opened())


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
