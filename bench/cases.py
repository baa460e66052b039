"""The cases: our way beside the straightforward one, on the same database, the same simulated provider, the same input."""

import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np
from psycopg import sql

from bench.straightforward import embed_one_by_one
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.tracking import retrack
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.store import vectors
from embedding_assets.store.database import Database
from embedding_assets.store.vectors import VectorTable
from embedding_assets_tests.simulator import FaultKind, SimulatorClient
from embedding_assets_tests.support.benches import PACE, open_bench, write_documents

Way: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """Two ways to do the same `work` (in `unit`s)."""

    name: str
    title: str
    ours: str
    other: str
    work: int
    unit: str
    prepared: Callable[[str], AbstractAsyncContextManager[tuple[Way, Way]]]


@contextmanager
def _provider(dimensions: int) -> Generator[SimulatorClient, None, None]:
    """The simulator in a process of its own, so that its work is not ours."""
    command = [sys.executable, "-m", "embedding_assets_tests.simulator", "--port", "0", "--dimensions", str(dimensions)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield SimulatorClient(json.loads(process.stdout.readline())["base_url"])
    finally:
        process.terminate()
        process.wait()


_INPUTS = 64
_WIDE = 1536


@asynccontextmanager
async def _wire(_: str) -> AsyncGenerator[tuple[Way, Way], None]:
    texts = [f"input number {number} " * 20 for number in range(_INPUTS)]
    with _provider(_WIDE) as provider:
        model = EmbeddingModel("openai/simulated", _WIDE)
        one, other = (
            build_embedder(
                model, api_base=provider.api_base, api_key="k", timeout_seconds=60, wire_format=wire, extra={}
            )
            for wire in ("base64", "float")
        )

        async def base64() -> None:
            await one.embed(texts)

        async def floats() -> None:
            await other.embed(texts)

        yield base64, floats
        await one.aclose()
        await other.aclose()


_ROWS = 4096
_NARROW = 256


@asynccontextmanager
async def _storing(url: str) -> AsyncGenerator[tuple[Way, Way], None]:
    table = VectorTable(900, 1, EmbeddingModel("bench", _NARROW))
    values = np.random.default_rng(1).normal(size=(_ROWS, _NARROW)).astype(np.float32)
    hashes = [hashlib.sha256(str(number).encode()).digest() for number in range(_ROWS)]
    name = sql.Identifier("embedding_assets", table.name)
    insert = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT DO NOTHING").format(name)
    async with Database(url) as db:
        async with db.transaction() as tx:
            await vectors.create_table(tx, table)

        async def copy() -> None:
            async with db.transaction() as tx:
                await tx.execute(sql.SQL("TRUNCATE {}").format(name))
                await vectors.store_vectors(tx, table, hashes, values)

        async def one_by_one() -> None:
            async with db.transaction() as tx, tx.cursor() as cursor:
                await cursor.execute(sql.SQL("TRUNCATE {}").format(name))
                rows = [(key, str(row.tolist())) for key, row in zip(hashes, values, strict=True)]
                await cursor.executemany(insert, rows)

        yield copy, one_by_one


_DOCUMENTS = 200


@asynccontextmanager
async def _whole(url: str) -> AsyncGenerator[tuple[Way, Way], None]:
    """Both embed the same folder from nothing; the provider answers after 30 ms."""
    with _provider(8) as provider, TemporaryDirectory() as name:
        folder = Path(name)
        texts = write_documents(folder, _DOCUMENTS, paragraphs=4)
        provider.fault(FaultKind.DELAY, seconds=0.03)
        model = EmbeddingModel("openai/simulated", 8)
        embedder = build_embedder(
            model, api_base=provider.api_base, api_key="k", timeout_seconds=60, wire_format=None, extra={}
        )
        pace = replace(PACE, requests_at_once=4)
        async with open_bench(url, folder, embedder, pace=pace, max_inputs=64) as bench:
            await sync_source(bench)

            async def ours() -> None:
                async with bench.db.transaction() as tx:
                    await vectors.create_table(tx, bench.target.table)
                    await tx.execute(
                        sql.SQL("TRUNCATE {}").format(sql.Identifier("embedding_assets", bench.target.table.name))
                    )
                await retrack(bench, range(16))
                await EmbeddingIngestionPipeline(bench).run(force=True)

            async def other() -> None:
                await embed_one_by_one(bench, texts)

            yield ours, other


CASES = (
    Case(
        "wire",
        "One reply of 64 vectors of 1,536 dimensions through LiteLLM",
        "base64 on the wire",
        "floats on the wire",
        _INPUTS,
        "embeddings",
        _wire,
    ),
    Case(
        "storing",
        "4,096 vectors of 256 dimensions into PostgreSQL",
        "COPY BINARY and one merge",
        "one INSERT a row (executemany)",
        _ROWS,
        "rows",
        _storing,
    ),
    Case(
        "whole",
        f"{_DOCUMENTS} documents of 4 chunks, from a folder to searchable, provider at 30 ms",
        "Embedding Assets (queue, fences, settle included)",
        "a loop: a document, its request, its transaction",
        _DOCUMENTS,
        "documents",
        _whole,
    ),
)
