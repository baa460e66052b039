"""The table, the collection that holds all of its rows as published, the provider and the worker, each a process of its own.

Not here: what is done to them (measuring).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import numpy as np
from typing_extensions import LiteralString

from embedding_assets.domain.chunking import ChunkingStrategy, chunk_text
from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.tables import TableColumns, TableRow, document_of
from embedding_assets.domain.work import ClaimedItem, Lane, PreparedDocument
from embedding_assets.pipeline.reading import prepare_chunks
from embedding_assets.pipeline.table_tracking import track
from embedding_assets.pipeline.workbench import Pace, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.providers.sources.postgres_table import PostgresTableSource
from embedding_assets.store import corpus, source_listings, vectors
from embedding_assets.store.change_triggers import TrackedTable
from embedding_assets.store.foreign_tables import ForeignTable
from embedding_assets_tests.support.benches import DIMENSIONS, open_bench

WORKER = "worker"
COLUMNS = TableColumns("public", "articles", ("id",), ("body",), title="title", updated_at="updated_at")
_CHUNKING = ChunkingStrategy(size=800, overlap=0)
_TABLE: tuple[LiteralString, ...] = (
    "CREATE TABLE public.articles (id bigint PRIMARY KEY, title text, body text, updated_at timestamptz NOT NULL)",
    """
    INSERT INTO public.articles
    SELECT n, 'Article ' || n, 'No change of article ' || n || ' yet. ' || repeat('It has some words that stay. ', 12),
           now() - interval '1 year'
    FROM generate_series(1, %(rows)s) AS n
    """,
)
_AT_ONCE = 2000
_STOP_SECONDS = 60.0


@asynccontextmanager
async def open_table_bench(database_url: str, api_base: str | None, run_id: str) -> AsyncGenerator[Workbench, None]:
    """The workbench of the table's collection."""
    model = EmbeddingModel("openai/simulated", DIMENSIONS)
    embedder = build_embedder(model, api_base=api_base, api_key="a-key", timeout_seconds=20, wire_format=None, extra={})
    source = PostgresTableSource(ForeignTable(lambda: database_url, COLUMNS, named="the bench's"), COLUMNS)
    async with open_bench(
        database_url, source, embedder, chunking=_CHUNKING, pace=Pace(), max_inputs=64, run_id=run_id
    ) as bench:
        try:
            yield bench
        finally:
            source.close()


async def prepare(database_url: str, rows: int, *, tracked: bool = False) -> TrackedTable:
    """So many rows, all of them published, and seen by a poll: as after the initial load; with triggers where it is `tracked`."""
    async with open_table_bench(database_url, None, "prepare") as bench:
        async with bench.db.transaction() as tx:
            for statement in _TABLE:
                await tx.execute(statement, {"rows": rows} if "%" in statement else None)
            await vectors.create_table(tx, bench.target.table)
        for first in range(1, rows + 1, _AT_ONCE):
            await _publish(bench, first, min(first + _AT_ONCE, rows + 1))
        await _as_polled(bench)
        async with bench.db.autocommit() as connection:
            await connection.execute("VACUUM (ANALYZE)")
        table = TrackedTable(bench.target.name, bench.target.collection_id, COLUMNS)
        if tracked:
            await track(bench.db, table)
        return table


async def _publish(bench: Workbench, first: int, end: int) -> None:
    async with bench.db.transaction() as tx:
        query = "SELECT id::text, title, body, updated_at FROM articles WHERE id >= %s AND id < %s ORDER BY id"
        rows = await (await tx.execute(query, [first, end])).fetchall()
        prepared = [_prepared(bench, *row) for row in rows]
        hashes = [chunk.input_hash for one in prepared for chunk in one.chunks]
        await vectors.store_vectors(
            tx, bench.target.table, hashes, np.ones((len(hashes), DIMENSIONS), dtype=np.float32)
        )
        target = bench.target
        await corpus.publish(tx, target.collection_id, target.model_id, target.chunking.fingerprint, prepared)


def _prepared(bench: Workbench, key: str, title: str, body: str, updated_at: object) -> PreparedDocument:
    row = TableRow(len(body), [body], title, updated_at=updated_at)  # pyright: ignore[reportArgumentType]
    document = document_of(COLUMNS, key, row, max_bytes=len(body))
    item = ClaimedItem(key, shard_of(key), Lane.BACKFILL, 0, 0, updated_at)  # pyright: ignore[reportArgumentType]
    chunks = prepare_chunks(bench, document, chunk_text(_CHUNKING, document.content))
    return PreparedDocument(item, document, document.content_hash(), chunks)


async def _as_polled(bench: Workbench) -> None:
    async with bench.db.session() as session:
        polled_at = await source_listings.server_time(session)
        await source_listings.open_listing(session)
        await source_listings.stage(session, bench.source.list_documents())
        await source_listings.complete(session)
        await source_listings.remember(session, bench.target.collection_id, polled_at=polled_at)
        await source_listings.drop_listing(session)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process, which runs the engine over and over."""

    process: "subprocess.Popen[bytes]"

    def pause(self) -> None:
        """It stops where it is, whatever it holds."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """From where it stopped."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def working(database_url: str, api_base: str) -> Generator[Worker, None, None]:
    """One at work once it is given; it gives back what it holds at the end."""
    command = [sys.executable, "-m", "bench.tracking.worker", database_url, api_base]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    worker = Worker(process)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield worker
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
    finally:
        worker.go_on()
        process.terminate()
        process.wait(_STOP_SECONDS)
        process.stdout.close()


@contextmanager
def provider() -> Generator[str, None, None]:
    """The address of a simulated provider in a process of its own."""
    command = [sys.executable, "-m", "embedding_assets_tests.simulator", "--dimensions", str(DIMENSIONS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["base_url"] + "/v1"
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
        process.stdout.close()
