"""The program that measures scrapes fills a small database, and every question of a scrape is answered on it."""

from bench.scrape.filling import fill_database
from embedding_assets.pipeline.scraping import scrape
from embedding_assets.store.database import Database
from embedding_assets.store.reserved import ReservedConnection
from embedding_assets_tests.support.database import on_database


@on_database
async def test_what_is_filled_is_what_a_scrape_shows(db: Database) -> None:
    await fill_database(db, 300)
    connection = ReservedConnection(db.url, application_name="test")
    shown = (await scrape(connection)).gauges
    await connection.close()
    assert set(shown["embedding_exporter_query_up"].values()) == {1.0}
    assert shown["embedding_documents_tracked"] == {("docs",): 300}
    assert shown["embedding_queue_documents"]["docs", "live", "waiting"] == 300
    assert shown["embedding_documents_overdue"] == {("docs",): 30}
