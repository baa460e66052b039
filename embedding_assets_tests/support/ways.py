"""The ways in which a change reaches us, as tests make one: a folder or a table, polled, told of or tracked, with year-old times.

Not here: what has to come of it.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import psycopg
from anyio import to_thread

from embedding_assets.domain.ports import Source
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.table_tracking import track
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.providers.sources.postgres_table import PostgresTableSource
from embedding_assets.store.change_triggers import TrackedTable
from embedding_assets.store.foreign_tables import ForeignTable
from embedding_assets.store.producer import enqueue
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, simulated_model
from embedding_assets_tests.support.tracked import ARTICLES, COLUMNS

YEAR_AGO = datetime.now(timezone.utc) - timedelta(days=365)
_WITHOUT_TIME = replace(COLUMNS, updated_at=None, deleted_at=None)


class Corpus(Protocol):
    """Documents as an application changes them; each carries a time that lies a year back."""

    def write(self, number: int, text: str) -> None:
        """Make or change one."""
        ...

    def remove(self, number: int) -> None:
        """Delete one."""
        ...

    def key(self, number: int) -> str:
        """Its document key."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Files."""

    path: Path

    def write(self, number: int, text: str) -> None:
        file = self.path / self.key(number)
        file.write_text(text, encoding="utf-8")
        os.utime(file, (YEAR_AGO.timestamp(), YEAR_AGO.timestamp()))

    def remove(self, number: int) -> None:
        (self.path / self.key(number)).unlink()

    def key(self, number: int) -> str:
        return f"{number}.md"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of `articles`."""

    url: str

    def write(self, number: int, text: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO articles (id, body, updated_at) VALUES (%s, %s, %s) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [number, text, YEAR_AGO],
            )

    def remove(self, number: int) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute("DELETE FROM articles WHERE id = %s", [number])

    def key(self, number: int) -> str:
        return str(number)


@dataclass(frozen=True, slots=True)
class Stage:
    """A collection over a corpus; `way` is how its changes reach us: polled, told or tracked."""

    bench: Workbench
    corpus: Corpus
    way: str

    async def noticed(self, *numbers: int) -> None:
        """The changes of these documents reach the queue, in this stage's way."""
        if self.way == "polled":
            await self.poll()
        elif self.way == "told":
            keys = [self.corpus.key(number) for number in numbers]
            await to_thread.run_sync(lambda: enqueue(self.bench.db.url, "docs", keys, YEAR_AGO))

    async def poll(self) -> int:
        """List the whole source; how many documents that found."""
        return (await sync_source(self.bench, whole=True)).enqueued


WAYS = ("folder polled", "folder told", "table polled", "table told", "table tracked")


@asynccontextmanager
async def staged(database_url: str, folder: Path, name: str) -> AsyncGenerator[Stage, None]:
    """The stage of one of `WAYS`, before its first poll."""
    kind, way = name.split()
    with Simulator() as provider:
        source = DirectorySource(folder) if kind == "folder" else _table(database_url)
        async with open_bench(database_url, source, simulated_model(provider)) as bench:
            if way == "tracked":
                await track(bench.db, TrackedTable("docs", bench.target.collection_id, _WITHOUT_TIME))
            yield Stage(bench, Folder(folder) if kind == "folder" else Table(database_url), way)
        if isinstance(source, PostgresTableSource):
            source.close()


def _table(database_url: str) -> Source:
    with psycopg.connect(database_url) as connection:
        connection.execute(ARTICLES)
    return PostgresTableSource(ForeignTable(lambda: database_url, _WITHOUT_TIME, named="the test's"), _WITHOUT_TIME)
