"""A bucket through the whole pipeline: changed, deleted, away, half listed, and with keys and contents nobody wants."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.registry import build_source
from embedding_assets.store import source_listings
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import changed_run, open_bench, simulated_model, sync_and_run
from embedding_assets_tests.support.bucket_server import Bucket, BucketServer, new_bucket
from embedding_assets_tests.support.circuits import all_circuits
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.published import published_chunks


@pytest.fixture
def server() -> Iterator[BucketServer]:
    with BucketServer() as running:
        yield running


@pytest.fixture
def bucket(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return new_bucket(server, monkeypatch)


def _on_bucket(database_url: str, bucket: Bucket, body: Callable[[Workbench], Awaitable[None]]) -> None:
    async def run() -> None:
        source = build_source({"type": "bucket", "url": bucket.url, "max_bytes": 1000})
        with Simulator() as provider:
            async with open_bench(database_url, source, simulated_model(provider)) as bench:
                await body(bench)

    asyncio.run(run())


def test_what_changes_in_a_bucket_is_published_and_what_goes_is_deleted(database_url: str, bucket: Bucket) -> None:
    bucket.put({"a.md": "one", "sub/b.md": "two", "c.md": "three"})

    async def body(bench: Workbench) -> None:
        found, tally = await changed_run(bench)
        assert (found.initial, tally.published) == (True, 3)
        bucket.put({"a.md": "one, edited", "d.md": "four"})
        bucket.delete("c.md")
        found, tally = await changed_run(bench)
        difference = found.difference
        assert (difference.new, difference.changed, difference.missing, found.whole) == (1, 1, 1, True)
        assert (tally.published, tally.deleted, tally.freshness_met) == (2, 1, 3)
        assert set(await published_chunks(bench)) == {"a.md", "sub/b.md", "d.md"}
        found, tally = await changed_run(bench)
        assert (found.enqueued, tally.settled) == (0, 0)

    _on_bucket(database_url, bucket, body)


def test_awkward_objects_fail_alone_or_are_published(database_url: str, bucket: Bucket) -> None:
    keys = ['it\'s "q"/ünd 😀.md', "a+b %41&c=d?versionId=3#x.md", "x/" * 400 + "deep.md"]
    bucket.put({key: f"text {number}" for number, key in enumerate(keys)})
    bucket.put({"empty.md": "", "large.md": "x" * 1001, "binary.md": b"\xff\xfe", "nul.md": "a\0b", "denied.md": "x"})
    bucket.put(
        {"page.html": "<p>shown</p><script>hidden()</script>", "k" * 900 + "/" + "ü" * 600 + ".md": "too long a key"}
    )
    bucket.deny("s3:GetObject", "denied.md")

    async def body(bench: Workbench) -> None:
        found, tally = await changed_run(bench)
        assert (found.enqueued, found.unnameable) == (9, 1)
        assert tally.published == len(keys) + 2
        assert tally.errors == {"too_large": 1, "undecodable": 2, "source_unreadable": 1}
        failed = {row.document_key: row.error_type for row in await failed_rows(bench)}
        assert failed == {
            "large.md": "too_large",
            "binary.md": "undecodable",
            "nul.md": "undecodable",
            "denied.md": "source_unreadable",
        }
        assert set(await published_chunks(bench)) == {*keys, "page.html", "empty.md"}

    _on_bucket(database_url, bucket, body)


def test_an_object_that_vanishes_between_listing_and_reading_is_a_deletion(database_url: str, bucket: Bucket) -> None:
    bucket.put({"a.md": "one", "b.md": "two"})

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        bucket.put({"a.md": "one, edited", "c.md": "never seen"})
        await sync_source(bench)
        bucket.delete("a.md", "c.md")
        _, tally = await changed_run(bench)
        assert (tally.deleted, tally.failed) == (2, 0)
        assert set(await published_chunks(bench)) == {"b.md"}

    _on_bucket(database_url, bucket, body)


def test_a_bucket_that_cannot_be_listed_any_more_deletes_nothing_and_opens_its_circuit(
    database_url: str, bucket: Bucket, server: BucketServer
) -> None:
    bucket.put({"a.md": "one", "b.md": "two"})

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        bucket.put({"a.md": "one, edited"})
        await sync_source(bench)
        server.refuses = bucket.name
        with pytest.raises(SourceError) as caught:
            await sync_source(bench)
        assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
        assert [circuit.provider for circuit in await all_circuits(bench)] == ["source docs"]
        server.refuses = ""
        _, tally = await changed_run(bench)
        assert (tally.published, tally.deleted, tally.failed) == (1, 0, 0)
        assert await all_circuits(bench) == []

    _on_bucket(database_url, bucket, body)


def test_a_listing_that_stops_half_way_changes_nothing(database_url: str, bucket: Bucket, server: BucketServer) -> None:
    bucket.put({f"{number:05}.md": "the same text" for number in range(1030)})

    async def body(bench: Workbench) -> None:
        assert (await sync_source(bench)).enqueued == 1030
        bucket.put({"00000.md": "edited", "01029.md": "edited"})
        server.refuses = "continuation-token"
        with pytest.raises(SourceError):
            await sync_source(bench)
        async with bench.db.transaction() as tx:
            rows = await tx.execute("SELECT count(*) FROM embedding_assets.work_arrivals")
            assert await rows.fetchone() == (1030,), "not even the change that the first page showed"
        server.refuses = ""
        found = await sync_source(bench)
        assert (found.difference.changed, found.difference.missing) == (2, 0)

    _on_bucket(database_url, bucket, body)


def test_a_bucket_that_is_suddenly_empty_keeps_its_documents_until_somebody_confirms(
    database_url: str, bucket: Bucket
) -> None:
    bucket.put({f"{number}.md": f"text {number}" for number in range(25)})

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        bucket.delete(*(f"{number}.md" for number in range(25)))
        found, tally = await changed_run(bench)
        assert (found.withheld, tally.deleted) == (25, 0)
        async with bench.db.transaction() as tx:
            assert (await source_listings.poll_state(tx, bench.target.collection_id)).withheld_deletions == 25
        await sync_source(bench, confirm_deletions=True)
        _, tally = await changed_run(bench)
        assert tally.deleted == 25

    _on_bucket(database_url, bucket, body)


def test_a_folder_with_links_out_of_it_and_a_root_that_is_gone(database_url: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.md").write_text("not for search")
    (root / "a.md").write_text("inside")
    (root / "link.md").symlink_to(tmp_path / "outside.md")
    (root / "up").symlink_to(tmp_path)
    (root / 'it\'s "q"\nü.md').write_text("odd")

    async def run() -> None:
        source = build_source({"type": "bucket", "url": f"file://{root}"})
        with Simulator() as provider:
            async with open_bench(database_url, source, simulated_model(provider)) as bench:
                await sync_and_run(bench)
                assert set(await published_chunks(bench)) == {"a.md", 'it\'s "q"\nü.md'}
                root.rename(tmp_path / "unmounted")
                with pytest.raises(SourceError) as caught:
                    await sync_source(bench)
                assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
                (tmp_path / "unmounted").rename(root)
                _, tally = await changed_run(bench)
                assert (tally.deleted, tally.failed) == (0, 0)

    asyncio.run(run())
