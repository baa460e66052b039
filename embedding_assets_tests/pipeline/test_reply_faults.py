"""A provider that lies: no wrong vector reaches the store, each lie is reported as itself, neighbours are published."""

import asyncio
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline.ingest import RunOutcome
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import FaultKind, Simulator, expected_vector
from embedding_assets_tests.support.benches import (
    DIMENSIONS,
    open_bench,
    paragraph,
    simulated_model,
    sync_and_run,
    write_documents,
)
from embedding_assets_tests.support.failed import FailedRow, failed_rows
from embedding_assets_tests.support.published import count_stored_vectors, published_chunks, stored_vectors

_POISON = paragraph(3, 1)[:40]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (FaultKind.NAN, ErrorType.NON_FINITE),
        (FaultKind.ZERO, ErrorType.ZERO_VECTOR),
        (FaultKind.WRONG_DIMENSION, ErrorType.DIMENSION_MISMATCH),
    ],
)
def test_a_bad_vector_fails_its_document_alone(
    database_url: str, tmp_path: Path, lie: FaultKind, error: ErrorType
) -> None:
    outcome, failed, vectors = _run(database_url, tmp_path, lie, marker=_POISON)
    assert outcome.total.published == 9
    assert [(row.document_key, row.error_type, row.attempts) for row in failed] == [("document-003.md", error.value, 1)]
    assert len(vectors) == 27  # of the nine published; the two good ones of the tenth are stored and wait
    _assert_right(vectors)


def test_a_value_that_a_halfvec_cannot_hold_fails_its_document_alone(database_url: str, tmp_path: Path) -> None:
    outcome, failed, vectors = _run(database_url, tmp_path, FaultKind.HUGE, marker=_POISON, storage="halfvec")
    assert outcome.total.published == 9
    assert [(row.document_key, row.error_type) for row in failed] == [("document-003.md", "non_finite")]
    assert len(vectors) == 27


def test_a_reply_with_a_vector_too_few_stores_nothing_and_halving_finds_its_input(
    database_url: str, tmp_path: Path
) -> None:
    outcome, failed, vectors = _run(database_url, tmp_path, FaultKind.ONE_TOO_FEW, marker=_POISON)
    assert outcome.total.published == 9
    assert [(row.document_key, row.error_type) for row in failed] == [("document-003.md", "count_mismatch")]
    _assert_right(vectors)


def test_a_reply_whose_indexes_lie_stores_nothing_until_it_can_be_matched(database_url: str, tmp_path: Path) -> None:
    outcome, failed, vectors = _run(database_url, tmp_path, FaultKind.WRONG_INDEXES, marker=_POISON)
    assert (outcome.total.published, failed) == (10, [])  # alone, the input's one vector can only be its own
    assert outcome.requests.errors.keys() == {"order_mismatch"}
    _assert_right(vectors)


def test_a_reply_in_another_order_is_put_right_by_its_indexes_and_counted(database_url: str, tmp_path: Path) -> None:
    outcome, failed, vectors = _run(database_url, tmp_path, FaultKind.REORDERED, marker="")
    assert (outcome.total.published, failed, len(vectors)) == (10, [], 30)
    assert outcome.requests.reordered_replies == outcome.requests.requests
    _assert_right(vectors)


def _run(
    database_url: str, folder: Path, lie: FaultKind, marker: str, storage: str = "vector"
) -> tuple[RunOutcome, list[FailedRow], dict[str, list[float]]]:
    write_documents(folder, 10)

    async def body(bench: Workbench) -> tuple[RunOutcome, list[FailedRow], dict[str, list[float]]]:
        outcome = await sync_and_run(bench)
        assert len(await published_chunks(bench)) == outcome.total.published
        assert await count_stored_vectors(bench) == 3 * 10 - len(await failed_rows(bench))
        return outcome, await failed_rows(bench), await stored_vectors(bench)

    async def run() -> tuple[RunOutcome, list[FailedRow], dict[str, list[float]]]:
        with Simulator() as provider:
            provider.fault(lie, marker=marker)
            async with open_bench(database_url, folder, simulated_model(provider, storage=storage)) as bench:
                return await body(bench)

    return asyncio.run(run())


def _assert_right(vectors: dict[str, list[float]]) -> None:
    for text, vector in vectors.items():
        assert vector == pytest.approx(expected_vector(text, DIMENSIONS).tolist(), abs=1e-6)
