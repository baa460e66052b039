"""What materializing a selection of the three assets does to the queue and to what is published."""

import dagster as dg
import pytest

from embedding_assets.domain.documents import shard_name, shard_of
from embedding_assets_tests.support.code_location import CHUNKS, EMBEDDINGS, RAW, CodeLocation, recorded

PUBLISHED = "SELECT document_key, version FROM embedding_assets.publications ORDER BY 1"
QUEUED = "SELECT DISTINCT document_key FROM embedding_assets.work_arrivals ORDER BY 1"
VECTORS = "SELECT input_hash FROM embedding_assets.embeddings_1_1"


def test_all_three_look_at_every_document_again_and_publish_what_changed(published: CodeLocation) -> None:
    before = dict(published.rows(PUBLISHED))
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.embed()
    after = dict(published.rows(PUBLISHED))
    assert [key for key in after if after[key] != before[key]] == ["document-003.md"]


def test_one_partition_looks_at_its_own_documents_only(published: CodeLocation) -> None:
    for path in published.corpus.iterdir():
        path.write_text("Other words now.", encoding="utf-8")
    before = dict(published.rows(PUBLISHED))
    mine = shard_of("document-003.md")
    published.embed(tags={"dagster/partition": shard_name(mine)})
    after = dict(published.rows(PUBLISHED))
    assert {key for key in after if after[key] != before[key]} == {key for key in after if shard_of(key) == mine}


def test_without_retrack_only_the_queue_is_drained(published: CodeLocation) -> None:
    before = published.rows(PUBLISHED)
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.embed(retrack=False)
    assert published.rows(PUBLISHED) == before


def test_force_publishes_unchanged_documents_anew(published: CodeLocation) -> None:
    before = dict(published.rows(PUBLISHED))
    published.embed(force=True, document_keys=["document-003.md"])
    after = dict(published.rows(PUBLISHED))
    assert [key for key in after if after[key] != before[key]] == ["document-003.md"]


def test_raw_documents_alone_queues_what_changed_and_publishes_nothing(published: CodeLocation) -> None:
    before = published.rows(PUBLISHED)
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    published.embed(RAW)
    assert published.rows(QUEUED) == [("document-003.md",)]
    assert published.rows(PUBLISHED) == before


def test_chunks_alone_queues_what_was_published_under_another_chunker(published: CodeLocation) -> None:
    _publish_under_another_chunker(published, "document-005.md")
    published.embed(CHUNKS)
    assert published.rows(QUEUED) == [("document-005.md",)]


def test_raw_documents_and_chunks_queue_both_and_publish_nothing(published: CodeLocation) -> None:
    before = published.rows(PUBLISHED)
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    _publish_under_another_chunker(published, "document-005.md")
    published.embed(RAW, CHUNKS)
    assert published.rows(QUEUED) == [("document-003.md",), ("document-005.md",)]
    assert published.rows(PUBLISHED) == before


def test_chunks_and_embeddings_publish_stale_documents_and_nothing_else(published: CodeLocation) -> None:
    before = dict(published.rows(PUBLISHED))
    (published.corpus / "document-003.md").write_text("Other words now.", encoding="utf-8")
    _publish_under_another_chunker(published, "document-005.md")
    published.embed(CHUNKS, EMBEDDINGS)
    after = dict(published.rows(PUBLISHED))
    assert [key for key in after if after[key] != before[key]] == ["document-005.md"]


def test_embeddings_alone_repairs_lost_vectors_without_reading_the_source(published: CodeLocation) -> None:
    before = sorted(published.rows(VECTORS))
    published.rows("DELETE FROM embedding_assets.embeddings_1_1 WHERE get_byte(input_hash, 0) < 128")
    for path in published.corpus.iterdir():
        path.unlink()
    published.embed(EMBEDDINGS)
    assert sorted(published.rows(VECTORS)) == before


def test_an_empty_queue_succeeds(published: CodeLocation) -> None:
    assert published.embed(retrack=False).success


def test_a_source_never_polled_leaves_nothing_to_do(location: CodeLocation) -> None:
    result = location.embed()
    assert result.success
    assert location.rows(PUBLISHED) == []


def test_named_documents_outside_the_selected_partitions_end_the_run_before_anything_is_done(
    published: CodeLocation,
) -> None:
    other = shard_name((shard_of("document-003.md") + 1) % 16)
    with pytest.raises(dg.Failure, match=f"in partitions {shard_name(shard_of('document-003.md'))}"):
        published.embed(tags={"dagster/partition": other}, document_keys=["document-003.md"])
    assert published.rows(QUEUED) == []


def test_an_unreadable_root_fails_the_run_with_one_sentence_and_loses_nothing(published: CodeLocation) -> None:
    published.corpus.rename(published.corpus.parent / "elsewhere")
    result = published.embed(raise_on_error=False)
    failed = result.failure_data_for_node("docs__documents")
    assert failed is not None
    assert failed.error is not None
    assert "cannot read" in failed.error.message
    assert "Traceback" not in failed.error.message
    assert len(published.rows(PUBLISHED)) == 12
    assert recorded(result) == set()


def _publish_under_another_chunker(location: CodeLocation, document_key: str) -> None:
    location.rows(
        "UPDATE embedding_assets.publications SET chunker_fingerprint = 'another' WHERE document_key = %s", document_key
    )
