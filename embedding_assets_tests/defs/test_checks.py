"""Asset checks find what is planted in what is stored, and are silent about a sound store."""

import dagster as dg
import pytest

from embedding_assets_tests.defs.conftest import DOCUMENTS
from embedding_assets_tests.support.code_location import CHUNKS, EMBEDDINGS, RAW, CodeLocation

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def test_a_sound_store_passes_every_check(published: CodeLocation) -> None:
    evaluations = check(published)
    assert len(evaluations) == 9
    assert failed(published) == {}
    counted = [evaluation.metadata["found"].value for evaluation in evaluations if "found" in evaluation.metadata]
    assert counted == [0] * 6
    told = {evaluation.check_name: evaluation.metadata for evaluation in evaluations}
    assert told["few_documents_fail"]["processed"].value == DOCUMENTS
    assert str(told["index_is_valid"]["state"].value).startswith("none needed")
    assert str(told["index_finds_what_exact_search_finds"]["state"].value).startswith("not judged")


def test_before_the_first_run_they_pass_and_say_that_nothing_is_stored(location: CodeLocation) -> None:
    evaluations = check(location)
    assert [evaluation.passed for evaluation in evaluations] == [True] * 9
    assert all(evaluation.metadata["state"].value == "nothing stored yet" for evaluation in evaluations)


def test_a_zero_vector_is_found_and_repaired_by_materializing_embeddings_alone(published: CodeLocation) -> None:
    published.rows(
        "UPDATE embedding_assets.embeddings_1_1 "
        "SET embedding = ('[' || array_to_string(array_fill(0, ARRAY[256]), ',') || ']')::vector "
        "WHERE input_hash = (SELECT min(input_hash::text)::bytea FROM embedding_assets.embeddings_1_1)"
    )
    assert failed(published) == {"vectors_are_finite_and_not_zero": (EMBEDDINGS, 1, ERROR)}
    published.embed(EMBEDDINGS)
    assert failed(published) == {}


def test_missing_vectors_are_counted(published: CodeLocation) -> None:
    published.rows(
        "DELETE FROM embedding_assets.embeddings_1_1 WHERE input_hash IN "
        "(SELECT input_hash FROM embedding_assets.chunks ORDER BY document_key, ordinal LIMIT 3)"
    )
    assert failed(published) == {"every_input_has_its_vector": (EMBEDDINGS, 3, ERROR)}


def test_chunks_of_a_version_that_is_not_published_are_found(published: CodeLocation) -> None:
    published.rows("DELETE FROM embedding_assets.publications WHERE document_key = 'document-003.md'")
    assert failed(published) == {"no_orphaned_chunks": (CHUNKS, 3, ERROR)}


def test_an_overdue_change_and_an_escalated_document_warn(published: CodeLocation) -> None:
    published.break_a_promise()
    (published.corpus / "document-003.md").write_bytes(b"\xff\xfe\xff not text")
    published.sync()
    published.embed(retrack=False)
    published.rows("UPDATE embedding_assets.failed_documents SET status = 'escalated', next_retry_at = NULL")
    told = {evaluation.check_name: evaluation.metadata for evaluation in check(published)}
    assert told["nothing_is_escalated"]["examples"] == dg.MetadataValue.text("'document-003.md'")
    assert told["nothing_is_overdue"]["examples"] == dg.MetadataValue.text("'elsewhere.md'")
    assert failed(published) == {"nothing_is_overdue": (RAW, 1, WARN), "nothing_is_escalated": (RAW, 1, WARN)}


def test_so_many_failures_in_a_day_warn_and_name_documents_as_text(published: CodeLocation) -> None:
    for number in range(3):
        (published.corpus / f"[bad](http:{number}).md".replace("/", "")).write_bytes(b"\xff\xfe\xff not text")
    published.sync()
    published.embed(retrack=False)
    [rate] = [evaluation for evaluation in check(published) if not evaluation.passed]
    assert (rate.check_name, rate.severity) == ("few_documents_fail", WARN)
    assert rate.metadata["failure_rate"].value == 3 / 15
    lines = str(rate.metadata["examples"].value).splitlines()
    assert lines == [f"'[bad](http:{number}).md'" for number in range(3)]
    assert isinstance(rate.metadata["examples"], dg.TextMetadataValue)


@pytest.mark.parametrize("assets", [(), (EMBEDDINGS,)])
def test_a_run_that_publishes_or_repairs_says_that_it_refused_no_vector(
    published: CodeLocation, assets: tuple[dg.AssetKey, ...]
) -> None:
    result = published.embed(*assets)
    [evaluation] = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("no_vector_was_refused", True)


def test_a_run_that_publishes_nothing_has_no_say_about_vectors(published: CodeLocation) -> None:
    assert list(published.embed(RAW).get_asset_check_evaluations()) == []


def check(location: CodeLocation) -> list[dg.AssetCheckEvaluation]:
    return list(location.run_job("docs__check_stored_data").get_asset_check_evaluations())


def failed(location: CodeLocation) -> dict[str, tuple[dg.AssetKey, object, dg.AssetCheckSeverity]]:
    return {
        evaluation.check_name: (evaluation.asset_key, evaluation.metadata["found"].value, evaluation.severity)
        for evaluation in check(location)
        if not evaluation.passed
    }
