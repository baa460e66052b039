"""Every error type through the real path: its fault, its class, and the row that is left, as docs/failures.md tells."""

import asyncio
import logging
from pathlib import Path

import pytest

from embedding_assets.domain.backoff import JITTER, LADDER_SECONDS
from embedding_assets.domain.failures import ClassifiedError, ErrorType, FailureClass, class_of
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import work_queue
from embedding_assets_tests.acceptance.failure_cases import BAD, CASES, MARKER, Scene
from embedding_assets_tests.contracts.dump_failures import FAILURES_FILE, failures_page
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import open_bench, paragraph, simulated_model
from embedding_assets_tests.support.failed import attempts_recorded, failed_rows
from embedding_assets_tests.support.published import published_chunks, queue_is_empty

_FIRST_RUNG = (LADDER_SECONDS[0], LADDER_SECONDS[0] * (1 + JITTER))


def test_every_error_type_has_a_case_and_the_page_is_made_of_them() -> None:
    assert set(CASES) == set(ErrorType)
    assert FAILURES_FILE.read_text(encoding="utf-8") == failures_page()


@pytest.mark.parametrize("error_type", ErrorType, ids=lambda error_type: error_type.value)
def test_a_fault_ends_in_its_class_with_its_row(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, error_type: ErrorType
) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    for number, key in enumerate(("good-1.md", BAD, "good-2.md")):
        text = f"{MARKER}. {paragraph(number, 0)[:80]}" if key == BAD else paragraph(number, 0)
        (folder / key).write_text(text, encoding="utf-8")

    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, folder, simulated_model(provider)) as bench:
                await sync_source(bench)
                async with CASES[error_type].fault(Scene(bench, folder, provider)) as faulty:
                    await _check_run(faulty, error_type)
                await _check_afterwards(bench, error_type)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert any("unexpected" in record.getMessage() for record in caplog.records) == (error_type is ErrorType.UNEXPECTED)


async def _check_run(bench: Workbench, error_type: ErrorType) -> None:
    pipeline = EmbeddingIngestionPipeline(bench)
    match class_of(error_type):
        case FailureClass.THROTTLED:
            outcome = await pipeline.run()
            assert (outcome.total.published, outcome.requests.errors) == (3, {error_type.value: 2})
        case FailureClass.SYSTEMIC:
            with pytest.raises(ClassifiedError) as raised:
                await pipeline.run()
            assert raised.value.error_type is error_type
            sentence = str(raised.value)
            assert "\n" not in sentence
            assert len(sentence) > len("a few words")
        case FailureClass.TRANSIENT | FailureClass.POISON:
            outcome = await pipeline.run()
            assert (outcome.total.published, outcome.total.errors) == (2, {error_type.value: 1})


async def _check_afterwards(bench: Workbench, error_type: ErrorType) -> None:
    """On a connection that the fault does not concern: the rows it left, then a run without it."""
    failure_class = class_of(error_type)
    if failure_class in (FailureClass.TRANSIENT, FailureClass.POISON):
        await _check_row(bench, error_type)
        return
    assert (await failed_rows(bench), await attempts_recorded(bench)) == ([], 0)
    if failure_class is FailureClass.THROTTLED:
        assert await queue_is_empty(bench)
        return
    async with bench.db.transaction() as tx:
        # A run that ends before it claims leaves them as they arrived.
        state = "arrived" if error_type is ErrorType.MODEL_REPLACED else "waiting"
        assert [(depth.state, depth.documents) for depth in await work_queue.queue_depth(tx)] == [(state, 3)]
    assert (await EmbeddingIngestionPipeline(bench).run(probe_now=True)).total.published == 3
    assert await attempts_recorded(bench) == 0


async def _check_row(bench: Workbench, error_type: ErrorType) -> None:
    [row] = await failed_rows(bench)
    assert (row.document_key, row.status, row.error_type, row.attempts) == (BAD, "retrying", error_type.value, 1)
    assert row.retry_in_seconds is not None
    assert _FIRST_RUNG[0] <= round(row.retry_in_seconds, 3) <= _FIRST_RUNG[1]
    assert await attempts_recorded(bench) == 1
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            SELECT a.failure_class, a.error_type, f.failure_class
            FROM embedding_assets.failed_attempts AS a JOIN embedding_assets.failed_documents AS f USING (document_key)
            """
        )
        told = class_of(error_type).value
        assert await cursor.fetchall() == [(told, error_type.value, told)]
    assert await queue_is_empty(bench)
    assert sorted(await published_chunks(bench)) == ["good-1.md", "good-2.md"]
