"""Which shards a run records, as what, and with which numbers."""

import dagster as dg

from embedding_assets.domain.documents import shard_name, shard_of
from embedding_assets_tests.support.code_location import ALL, CHUNKS, EMBEDDINGS, RAW, CodeLocation, recorded

EVERY_SHARD = {f"{shard:02d}" for shard in range(16)}
OBSERVED = dg.DagsterEventType.ASSET_OBSERVATION


def test_by_hand_every_selected_partition_is_recorded_though_nothing_changed(published: CodeLocation) -> None:
    assert recorded(published.embed()) == {(key, shard) for key in ALL for shard in EVERY_SHARD}


def test_by_hand_one_partition_is_recorded_for_the_selected_assets_only(published: CodeLocation) -> None:
    result = published.embed(EMBEDDINGS, tags={"dagster/partition": "03"})
    assert recorded(result) == {(EMBEDDINGS, "03")}


def test_a_scheduled_run_records_only_shards_that_had_work(published: CodeLocation) -> None:
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.sync()
    shard = shard_name(shard_of("document-003.md"))
    assert recorded(published.embed(retrack=False)) == {(key, shard) for key in ALL}


def test_a_scheduled_run_over_an_empty_queue_records_nothing(published: CodeLocation) -> None:
    assert recorded(published.embed(retrack=False)) == set()


def test_while_a_change_is_overdue_numbers_are_observed_and_nothing_is_materialized(published: CodeLocation) -> None:
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.sync()
    published.break_a_promise()
    result = published.embed(retrack=False)
    shard = shard_name(shard_of("document-003.md"))
    assert recorded(result) == set()
    assert recorded(result, OBSERVED) == {(key, shard) for key in ALL}


def test_an_overdue_change_that_the_run_publishes_does_not_hold_back_its_materialization(
    published: CodeLocation,
) -> None:
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.sync()
    published.rows("UPDATE embedding_assets.work_arrivals SET enqueued_at = now() - interval '2 hours'")
    published.rows("UPDATE embedding_assets.work_arrivals SET changed_at = enqueued_at, not_before = NULL")
    published.rows("UPDATE embedding_assets.collections SET tracked_since = now() - interval '1 day'")
    result = published.embed(retrack=False)
    shard = shard_name(shard_of("document-003.md"))
    assert recorded(result) == {(key, shard) for key in ALL}
    # Counted when the run began, which looks for what is past its deadline first.
    assert _numbers(published, RAW, shard)["freshness_missed"] == 0
    counted = "SELECT sum(value) FROM embedding_assets.metric_counters WHERE name = %s AND labels[2] = 'missed'"
    assert published.rows(counted, "embedding_freshness_sla_documents_total") == [(1,)]


def test_numbers_of_a_shard_are_its_own(published: CodeLocation) -> None:
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    (published.corpus / "document-004.md").unlink()
    published.sync()
    published.embed(retrack=False)
    changed, gone = shard_name(shard_of("document-003.md")), shard_name(shard_of("document-004.md"))
    assert changed != gone
    assert _part(published, RAW, changed, "documents", "deleted") == (1, 0)
    assert _part(published, RAW, gone, "documents", "deleted") == (0, 1)
    assert _part(published, CHUNKS, changed, "chunks", "reused") == (1, 0)
    assert _part(published, EMBEDDINGS, changed, "embedded", "run_documents", "run_requests") == (1, 2, 1)


def test_failed_documents_are_counted_by_error_type(published: CodeLocation) -> None:
    (published.corpus / "document-003.md").write_bytes(b"\xff\xfe\xff not text")
    published.sync()
    published.embed(retrack=False)
    numbers = _numbers(published, RAW, shard_name(shard_of("document-003.md")))
    assert numbers["failed"] == 1
    assert "| undecodable | 1 |" in str(numbers["run_errors"])


def _part(location: CodeLocation, key: dg.AssetKey, shard: str, *names: str) -> tuple[object, ...]:
    numbers = _numbers(location, key, shard)
    return tuple(numbers[name] for name in names)


def _numbers(location: CodeLocation, key: dg.AssetKey, shard: str) -> dict[str, object]:
    filters = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[shard])
    newest = location.instance.fetch_materializations(filters, limit=1).records[0].asset_materialization
    assert newest is not None
    return {name: value.value for name, value in newest.metadata.items()}
