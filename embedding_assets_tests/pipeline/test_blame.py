"""Whose fault it is: an input that fails alone is its document's, what fails everybody is nobody's document's."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import rate_limiter
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, paragraph, sync_and_run, write_documents
from embedding_assets_tests.support.failed import attempts_recorded, failed_rows

_POISON = paragraph(3, 1)[:40]


def test_an_input_the_provider_breaks_on_fails_alone_even_in_the_only_request(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=500, marker=_POISON)
        outcome = await sync_and_run(bench)
        assert outcome.total.published == 3
        failed = [(row.document_key, row.error_type) for row in await failed_rows(bench)]
        assert failed == [("document-003.md", "provider_unavailable")]

    on_bench_and_provider(database_url, tmp_path, body)


def test_the_only_input_there_is_fails_when_the_provider_takes_a_harmless_one(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "document-003.md").write_text(paragraph(3, 1), encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.NAN, marker=_POISON)
        outcome = await sync_and_run(bench)
        assert outcome.total.errors == {"non_finite": 1}

    on_bench_and_provider(database_url, tmp_path, body)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (FaultKind.NOT_JSON, ErrorType.MALFORMED_REPLY),
        (FaultKind.ONE_TOO_FEW, ErrorType.COUNT_MISMATCH),
        (FaultKind.WRONG_DIMENSION, ErrorType.DIMENSION_MISMATCH),
        (FaultKind.NAN, ErrorType.NON_FINITE),
        (FaultKind.CONTEXT_TOO_LONG, ErrorType.CONTEXT_TOO_LONG),
    ],
)
def test_what_every_input_meets_fails_the_run_and_no_document(
    database_url: str, tmp_path: Path, fault: FaultKind, error: ErrorType
) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(fault)
        await sync_source(bench)
        with pytest.raises(ClassifiedError, match="no document was charged") as raised:
            await EmbeddingIngestionPipeline(bench).run()
        assert raised.value.error_type is error
        assert await attempts_recorded(bench) == 0
        provider.reset()
        assert (await EmbeddingIngestionPipeline(bench).run(probe_now=True)).total.published == 4

    on_bench_and_provider(database_url, tmp_path, body)


_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON embedding_assets.documents
FOR EACH ROW WHEN (NEW.document_key ~ '{}') EXECUTE FUNCTION refuse()
"""


def test_a_document_that_postgresql_refuses_for_a_reason_nobody_foresaw_fails_alone(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 6)

    async def body(bench: Workbench, _: Simulator) -> None:
        async with bench.db.transaction() as tx:
            await tx.execute(_REFUSE.format("003").encode())
        outcome = await sync_and_run(bench)
        assert (outcome.total.published, outcome.total.errors) == (5, {"unexpected": 1})

    on_bench_and_provider(database_url, tmp_path, body)


def test_what_postgresql_refuses_of_every_document_fails_the_run_and_charges_none(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 6)

    async def body(bench: Workbench, _: Simulator) -> None:
        async with bench.db.transaction() as tx:
            await tx.execute(_REFUSE.format("document").encode())
        await sync_source(bench)
        together = replace(bench, pace=replace(bench.pace, settle_documents=6, settle_interval=20))
        with pytest.raises(ClassifiedError, match="P0001") as raised:
            await EmbeddingIngestionPipeline(together).run()
        assert raised.value.error_type is ErrorType.UNEXPECTED
        assert await attempts_recorded(bench) == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_an_input_larger_than_the_limits_ceiling_fails_its_document_alone(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1, paragraphs=1)
    (tmp_path / "digits.md").write_text("1234567890" * 11, encoding="utf-8")

    async def body(bench: Workbench, _: Simulator) -> None:
        async with bench.db.transaction() as tx:
            await rate_limiter.apply(tx, LimitSettings("key", "us", 1.0, None, None, 100, "own", 0))
        caps = replace(bench.target.caps, max_tokens=100)
        limited = replace(bench, target=replace(bench.target, caps=caps, limit=LimitName("key", "us", 100)))
        outcome = await sync_and_run(limited)
        assert (outcome.total.published, outcome.total.errors) == (1, {"too_large": 1})

    on_bench_and_provider(database_url, tmp_path, body)
