"""What applying another model does to a collection, and what runs are asked with while another model is being built."""

import pytest

from embedding_assets.agreement import NotApplied
from embedding_assets.domain.models import DEFAULT_INPUT_TEMPLATE
from embedding_assets.pipeline.model_build import build_model
from embedding_assets.pipeline.switching import ModelStep
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.model_changes import ALL_SHARDS, NEW, OLD, PRICES, TEMPLATES, Changing

TABLES = "SELECT relname FROM pg_class WHERE relname ~ '^embeddings_[0-9]+_[0-9]+$' ORDER BY 1"
LIMITS = '\n[limits."{name}"]\nrequests_per_minute = 600\nconsumer = "{name}"\n'


def test_without_publications_another_model_is_the_active_one_at_once(docs: Changing) -> None:
    docs.apply()
    step = docs.apply(NEW)
    assert (step.step, step.applied.building) == (ModelStep.CHANGED, None)
    assert step.applied.model.name == "openai/new"


def test_with_publications_it_is_built_beside_the_active_one(published: Changing) -> None:
    step = published.apply(NEW)
    assert step.step is ModelStep.BUILDING
    assert step.applied.building is not None
    assert (step.applied.model.name, step.applied.building.model.name) == ("openai/old", "openai/new")
    again = published.apply(NEW)
    assert (again.step, again.applied) == (ModelStep.BUILDING, step.applied)


def test_runs_go_on_under_the_active_model_asked_as_the_file_said_of_it(docs: Changing) -> None:
    docs.apply(max_inputs=5, more="extra = { input_type = 'passage' }")
    docs.run()
    step = docs.apply(NEW, max_inputs=7, more="extra = { input_type = 'document' }")
    write_documents(docs.folder, 12)
    assert docs.run().total.published == 2
    assert len(docs.published_under(step.applied.model_id)) == 12

    async def body(bench: Workbench) -> None:
        assert bench.building is not None
        facts = [
            (one.target.model.name, one.target.model.input_template, one.target.caps.max_inputs)
            for one in (bench, bench.building)
        ]
        assert facts == [("openai/old", DEFAULT_INPUT_TEMPLATE, 5), ("openai/new", TEMPLATES[NEW], 7)]
        prices = [one.embedder.usd_per_million_tokens for one in (bench, bench.building)]
        assert prices == [PRICES[OLD], PRICES[NEW]]

    docs.on_bench(body)
    kept = "SELECT active_options -> 'model' -> 'extra', building_options -> 'model' -> 'extra' FROM embedding_assets.collections"
    assert docs.rows(kept) == [({"input_type": "passage"}, {"input_type": "document"})]


def test_each_model_draws_on_the_limit_that_the_file_named_for_it(docs: Changing) -> None:
    both = LIMITS.format(name="first") + LIMITS.format(name="second")
    docs.write(others=both)
    file = docs.settings.collections_file
    of_docs = "[collections.docs]\n"
    file.write_text(file.read_text().replace(of_docs, of_docs + 'limit = "first"\n'))
    docs.apply_file()
    docs.run()
    docs.write(NEW, others=both)
    file.write_text(file.read_text().replace(of_docs, of_docs + 'limit = "second"\n'))
    docs.apply_file()

    async def while_building(bench: Workbench) -> None:
        assert bench.building is not None
        assert [one.target.account.limit_name for one in (bench, bench.building)] == ["first", "second"]
        await build_model(bench.building, ALL_SHARDS)

    async def afterwards(bench: Workbench) -> None:
        assert bench.target.account.limit_name == "second"

    limit = "SELECT limit_name, limit_consumer FROM embedding_assets.collections"
    assert docs.rows(limit) == [("first", "first")]
    docs.on_bench(while_building)
    docs.on_bench(afterwards)
    assert docs.rows(limit) == [("second", "second")]


def test_the_limit_of_a_model_that_is_still_asked_must_stay_in_the_file(docs: Changing) -> None:
    file = docs.settings.collections_file
    docs.write(others=LIMITS.format(name="first"))
    file.write_text(file.read_text().replace("[collections.docs]\n", '[collections.docs]\nlimit = "first"\n'))
    docs.apply_file()
    docs.run()
    with pytest.raises(NotApplied, match=r'keep \[limits\."first"\] in the file'):
        docs.apply(NEW)
    assert docs.rows("SELECT building_model_id FROM embedding_assets.collections") == [(None,)]


def test_putting_the_old_model_back_cancels_the_build_and_drops_what_it_held(published: Changing) -> None:
    step = published.apply(NEW)
    assert step.applied.building is not None

    async def half(bench: Workbench) -> None:
        assert bench.building is not None
        await build_model(bench.building, range(8))

    published.on_bench(half)
    assert 0 < len(published.published_under(step.applied.building.id)) < 10
    before = published.published_under(step.applied.model_id)
    cancelled = published.apply()
    assert (cancelled.step, cancelled.applied.building) == (ModelStep.CANCELLED, None)
    assert published.published_under(step.applied.building.id) == {}
    assert published.rows(TABLES) == [("embeddings_1_1",)]
    assert published.published_under(step.applied.model_id) == before


def test_a_third_model_takes_the_place_of_the_one_that_was_being_built(published: Changing) -> None:
    second = published.apply(NEW).applied.building
    third = published.apply("third")
    assert second is not None
    assert third.dropped is not None
    assert third.applied.building is not None
    assert (third.step, third.dropped.id) == (ModelStep.BUILDING, second.id)
    assert third.applied.building.model.name == "openai/third"


def test_a_process_with_the_file_from_before_the_change_works_until_the_cut_over_and_then_refuses(
    published: Changing,
) -> None:
    published.apply(NEW)
    published.write(OLD)
    write_documents(published.folder, 11)
    assert published.run().total.published == 1
    published.write(NEW)

    async def build(bench: Workbench) -> None:
        assert bench.building is not None
        assert (await build_model(bench.building, ALL_SHARDS)).cut_over

    published.on_bench(build)
    assert published.run().total.settled == 0
    published.write(OLD)
    with pytest.raises(NotApplied, match="name is 'openai/old' in the file and 'openai/new' in the database"):
        published.run()


def test_a_change_of_chunking_is_told(published: Changing) -> None:
    assert not published.apply().recut
    assert published.apply(size=300).recut
