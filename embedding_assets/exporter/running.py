"""The exporter from settings: opened, served, closed. Not here: HTTP (serving), the terminal (cli)."""

import asyncio

from embedding_assets import runtime
from embedding_assets.exporter.collecting import Collecting
from embedding_assets.exporter.serving import serve
from embedding_assets.pipeline.scraping import scrape
from embedding_assets.settings import Settings
from embedding_assets.store.reserved import ReservedConnection
from embedding_assets.telemetry.exposition import Snapshot

APPLICATION_NAME = "embedding-assets-exporter"


async def run_exporter(settings: Settings, host: str, port: int, *, started: asyncio.Event | None = None) -> None:
    """Serve until told to stop. It starts with the database away, and says so to whoever scrapes.

    Raises:
        PortTaken: the address is in use.
    """
    connection = reserved_connection(settings)
    try:
        await serve(Collecting(lambda: scrape(connection)), host, port, started=started)
    finally:
        await connection.close()


async def one_snapshot(settings: Settings) -> Snapshot:
    """Everything as it stands now, once."""
    connection = reserved_connection(settings)
    try:
        return await scrape(connection)
    finally:
        await connection.close()


def reserved_connection(settings: Settings) -> ReservedConnection:
    """The exporter's own, not connected yet."""
    return ReservedConnection(runtime.database_urls(settings).database, application_name=APPLICATION_NAME)
