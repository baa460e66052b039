"""Building another model from what is stored, until search goes over to it."""

import asyncio
from dataclasses import replace

import pytest

from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError
from embedding_assets.pipeline.indexing import ensure_index_before_search
from embedding_assets.pipeline.model_build import BuildOutcome, build_model
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors
from embedding_assets_tests.pipeline.test_applying_models import TABLES
from embedding_assets_tests.simulator import FaultKind, Simulator, expected_vector
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.model_changes import ALL_SHARDS, NEW, OLD, Changing, asked, shown
from embedding_assets_tests.support.published import stored_vectors

INPUTS = 30
# The first vector that is stored is gone when its document is about to be copied.
_LOSE_THE_FIRST = """
    CREATE SEQUENCE stored;
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RETURN CASE WHEN nextval('stored') > 1 THEN NEW END; END $$;
    CREATE TRIGGER lose BEFORE INSERT ON embedding_assets.embeddings_1_2 FOR EACH ROW EXECUTE FUNCTION lose()
"""


async def build(bench: Workbench, shards: range = ALL_SHARDS) -> BuildOutcome:
    """Build the model that is to be built."""
    assert bench.building is not None
    return await build_model(bench.building, shards)


def test_every_document_is_embedded_under_the_new_template_from_what_is_stored(
    published: Changing, provider: Simulator
) -> None:
    (published.folder / "empty.md").write_text("", encoding="utf-8")
    published.run()
    step = published.apply(NEW)
    published.folder.rename(published.folder.with_name("gone"))

    async def body(bench: Workbench) -> None:
        before = await shown(bench.db)
        outcome = await build(bench)
        assert (outcome.documents, outcome.lacking, outcome.cut_over) == (11, 0, True)
        assert outcome.requests.inputs == provider.counters().inputs == INPUTS
        after = await shown(bench.db)
        assert (after.texts, after.model_id != before.model_id) == (before.texts, True)
        assert bench.building is not None
        stored = await stored_vectors(bench.building)
        sent = f"new: document-003: {paragraph(3, 1)}"
        assert stored[paragraph(3, 1)] == pytest.approx(expected_vector(sent, 8).tolist(), abs=1e-6)

    published.on_bench(body)
    assert step.applied.building is not None
    of_both = [published.published_under(model.id) for model in (step.applied.active, step.applied.building)]
    assert of_both[0] == of_both[1]
    assert of_both[0]["empty.md"] == []


def test_going_back_to_the_model_that_was_kept_costs_only_what_changed_since(
    published: Changing, provider: Simulator
) -> None:
    published.apply(NEW)
    published.on_bench(_built)
    (published.folder / "document-003.md").write_text("Words of today.", encoding="utf-8")
    (published.folder / "document-004.md").unlink()
    published.run()
    provider.reset()
    published.apply(OLD)
    published.on_bench(_built)
    assert provider.counters().inputs == 1

    async def body(bench: Workbench) -> None:
        now = await shown(bench.db)
        assert bench.target.model.name == "openai/old"
        assert (len(now.texts), now.texts["document-003.md"]) == (9, ["Words of today."])

    published.on_bench(body)


async def _built(bench: Workbench) -> None:
    assert (await build(bench)).cut_over


def test_an_input_that_the_new_model_refuses_keeps_search_under_the_old_one_until_it_is_corrected(
    published: Changing, provider: Simulator
) -> None:
    provider.fault(FaultKind.NAN, marker=f"document-006: {paragraph(6, 2)[:40]}")
    published.apply(NEW)

    async def refused(bench: Workbench) -> None:
        before = await shown(bench.db)
        outcome = await build(bench)
        assert (outcome.documents, outcome.lacking, outcome.cut_over) == (9, 1, False)
        assert (outcome.refusals.errors, outcome.refusals.keys) == ({"non_finite": 1}, ["document-006.md"])
        assert await shown(bench.db) == before

    published.on_bench(refused)
    (published.folder / "document-006.md").write_text("Harmless now.", encoding="utf-8")
    published.run()
    published.on_bench(_built)


def test_a_systemic_failure_ends_the_build_with_one_sentence_and_the_next_pays_for_the_rest(
    published: Changing, provider: Simulator
) -> None:
    provider.fault(FaultKind.STATUS, status=401, marker=f"document-007: {paragraph(7, 0)[:40]}")
    published.apply(NEW, max_inputs=3)

    async def failing(bench: Workbench) -> None:
        with pytest.raises(ProviderError) as caught:
            await build(replace(bench, building=_one_at_a_time(bench)))
        assert caught.value.error_type is ErrorType.CREDENTIALS_REJECTED

    published.on_bench(failing)
    paid = provider.counters()
    provider.reset()
    published.on_bench(_built)
    # And the small request that closes the circuit which the first one opened.
    assert paid.distinct_inputs + provider.counters().inputs == INPUTS + 1


def test_a_budget_that_is_used_up_ends_the_build_and_is_named(published: Changing) -> None:
    published.apply(NEW, others="\n[collections.docs.budgets]\nmax_tokens_per_day = 100\n")

    async def body(bench: Workbench) -> None:
        with pytest.raises(ClassifiedError, match="budget max_tokens_per_day of collection docs is used up"):
            await build(bench)

    published.on_bench(body)


def test_builders_started_twice_pay_for_nothing_twice(published: Changing, provider: Simulator) -> None:
    provider.fault(FaultKind.DELAY, seconds=0.05)
    published.apply(NEW, max_inputs=3)

    async def body(bench: Workbench) -> None:
        outcomes = await asyncio.gather(build(bench), build(bench))
        assert sorted(len(outcome.shards) for outcome in outcomes) == [0, 16]
        assert sum(outcome.documents for outcome in outcomes) == 10
        assert any(outcome.cut_over for outcome in outcomes)

    published.on_bench(body)
    assert provider.counters().inputs == INPUTS


def test_builders_of_different_shards_share_the_work_and_the_last_one_cuts_over(published: Changing) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        first = await build(bench, range(5))
        assert (first.lacking, first.cut_over) == (10 - first.documents, False)
        second = await build(bench, range(5, 16))
        assert (first.documents + second.documents, second.cut_over) == (10, True)

    published.on_bench(body)


def test_a_build_that_is_cancelled_under_its_builder_ends_and_leaves_nothing(
    published: Changing, provider: Simulator
) -> None:
    provider.fault(FaultKind.DELAY, seconds=0.05, marker="new: ")
    published.apply(NEW, max_inputs=1)

    async def body(bench: Workbench) -> None:
        builder = asyncio.create_task(build(replace(bench, building=_one_at_a_time(bench))))
        await asked(provider, inputs=5)
        await published.apply_now(OLD)
        with pytest.raises(ClassifiedError, match="the build of model openai/new was cancelled while it went on"):
            await builder

    published.on_bench(body)
    assert published.rows(TABLES) == [("embeddings_1_1",)]
    assert published.rows("SELECT DISTINCT model_id FROM embedding_assets.chunks") == [(1,)]


def test_a_vector_that_was_collected_before_its_document_is_copied_is_embedded_again(
    published: Changing, provider: Simulator
) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        async with bench.db.transaction() as tx:
            await vectors.create_table(tx, bench.building.target.table)
            await tx.execute(_LOSE_THE_FIRST)
        assert (await build(bench)).cut_over

    published.on_bench(body)
    assert provider.counters().inputs == INPUTS + 1


def test_a_large_table_gets_its_index_before_it_is_searched(published: Changing) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        await build(bench)
        assert not (await ensure_index_before_search(bench.building, at_least_rows=INPUTS + 1)).built
        at_once = await asyncio.gather(
            *(ensure_index_before_search(bench.building, at_least_rows=INPUTS) for _ in range(2))
        )
        assert sorted(outcome.built for outcome in at_once) == [False, True]
        async with bench.db.transaction() as tx:
            assert (await vectors.table_facts(tx, bench.building.target.table)).index_valid

    published.on_bench(body)


def test_changes_that_come_without_a_pause_do_not_keep_the_cut_over_off(
    published: Changing, provider: Simulator
) -> None:
    published.apply(NEW)
    provider.fault(FaultKind.DELAY, seconds=0.2, marker="new: ")

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        builder = asyncio.create_task(build(bench))
        changes = 0
        while not builder.done():
            changes += 1
            (published.folder / "document-003.md").write_text(f"Words of moment {changes}.", encoding="utf-8")
            try:
                await published.run_now()
            except ClassifiedError as error:
                assert error.error_type is ErrorType.MODEL_REPLACED  # noqa: PT017 - one run may meet the cut-over
        assert (await builder).cut_over
        await published.run_now()
        assert (await shown(bench.db)).texts["document-003.md"] == [f"Words of moment {changes}."]

    published.on_bench(body)


def _one_at_a_time(bench: Workbench) -> Workbench:
    assert bench.building is not None
    return replace(bench.building, pace=replace(bench.pace, requests_at_once=1))
