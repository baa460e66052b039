"""What the exporter shows passes Prometheus's own linter, with something in every table and with nothing."""

import subprocess
from collections.abc import Awaitable, Callable

import pytest

from embedding_assets.pipeline.scraping import scrape
from embedding_assets.store.database import Database
from embedding_assets.store.reserved import ReservedConnection
from embedding_assets.telemetry.exposition import as_text
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.queue import NOON, change

pytestmark = pytest.mark.ops


async def _nothing(_: Database) -> None:
    pass


async def _something(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await change(tx, docs, "a", "b", when=NOON)


@pytest.mark.parametrize("prepared", [_nothing, _something])
def test_promtool_has_nothing_to_say_about_a_scrape(
    database_url: str, prepared: Callable[[Database], Awaitable[None]]
) -> None:
    async def shown(db: Database) -> str:
        await prepared(db)
        connection = ReservedConnection(db.url, application_name="test")
        try:
            return as_text(await scrape(connection))
        finally:
            await connection.close()

    text = run(database_url, shown)
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
