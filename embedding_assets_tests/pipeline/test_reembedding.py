"""What reembed shows is what it then sends: inputs exactly, tokens never fewer than the provider counts."""

from pathlib import Path

import pytest

from embedding_assets.domain.prices import PriceOrigin
from embedding_assets.domain.reembedding import Approval, Decision, StalePart
from embedding_assets.pipeline.estimating import estimate, price_of
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reembedding import NotThisFile, ReembedOutcome, reembed
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.model_changes import NEW, OLD, PRICES, Changing, changing, shown

APPROVED = Approval(approved=True)
# The provider counts a token for four characters; we guess high for a model whose tokenizer nobody has here.
MOST_TOKENS_PER_COUNTED = 3.0


@pytest.fixture
def docs(database_url: str, tmp_path: Path, provider: Simulator) -> Changing:
    """Documents that other chunk sizes cut elsewhere in part: a short paragraph stays, two long ones move together."""
    made = changing(database_url, tmp_path, provider)
    for number in range(12):
        short_then_long = paragraph(number, 0) + "\n\n" + paragraph(number, 1) + " " + paragraph(number, 2)
        (made.folder / f"{number}.md").write_text(short_then_long, encoding="utf-8")
    # An input in two documents is sent once.
    (made.folder / "twin.md").write_text(paragraph(5, 1) + " " + paragraph(5, 2), encoding="utf-8")
    return made


def now(docs: Changing, approval: Approval) -> ReembedOutcome:
    """What reembed does, and a run of the queue after it where it queued something."""
    outcomes: list[ReembedOutcome] = []

    async def body(bench: Workbench) -> None:
        outcomes.append(await reembed(bench, approval))

    async def drain(bench: Workbench) -> None:
        await EmbeddingIngestionPipeline(bench).run()

    docs.on_bench(body)
    if outcomes[0].queued:
        docs.on_bench(drain)
    return outcomes[0]


def assert_was_sent(outcome: ReembedOutcome, provider: Simulator) -> None:
    """The estimate against the provider's own count."""
    found, sent = outcome.estimate, provider.counters()
    assert found.to_send == sent.inputs == sent.distinct_inputs > 0
    assert sent.tokens <= found.tokens <= MOST_TOKENS_PER_COUNTED * sent.tokens


def lose_vectors(docs: Changing) -> None:
    """Delete the vectors of two published inputs and zero those of two more."""
    some = "(SELECT DISTINCT input_hash FROM embedding_assets.chunks ORDER BY 1 LIMIT 2 OFFSET {})"
    docs.rows("DELETE FROM embedding_assets.embeddings_1_1 WHERE input_hash IN " + some.format(0))  # pyright: ignore[reportArgumentType]
    docs.rows(
        f"UPDATE embedding_assets.embeddings_1_1 SET embedding = '{[0] * 8}' WHERE input_hash IN " + some.format(2)  # pyright: ignore[reportArgumentType]
    )


def test_another_chunk_size_costs_the_inputs_that_moved_and_is_queued_once_approved(
    published: Changing, provider: Simulator
) -> None:
    published.apply(size=230)
    preview = now(published, Approval())
    assert (preview.decision, provider.counters().requests) == (Decision.NEEDS_APPROVAL, 0)
    chunker = preview.estimate.chunker
    assert (chunker.documents, chunker.inputs, chunker.to_send, chunker.unchanged) == (13, 24, 12, 12)
    assert published.rows("SELECT count(*) FROM embedding_assets.work_arrivals") == [(0,)]
    done = now(published, APPROVED)
    assert (done.decision, done.queued) == (Decision.BEGIN, 13)
    assert_was_sent(done, provider)
    assert now(published, Approval()).decision is Decision.NOTHING_STALE


def test_documents_that_are_queued_already_are_not_queued_again(published: Changing) -> None:
    published.apply(size=230)

    async def twice(bench: Workbench) -> None:
        assert [(await reembed(bench, APPROVED)).queued for _ in range(2)] == [13, 0]

    published.on_bench(twice)
    assert published.rows("SELECT DISTINCT lane::text FROM embedding_assets.work_arrivals") == [("backfill",)]


def test_another_model_costs_every_input_once(published: Changing, provider: Simulator) -> None:
    published.apply(NEW)
    preview = now(published, Approval(automatic_usd=0.01))
    assert (preview.decision, preview.estimate.building) == (Decision.NEEDS_APPROVAL, "openai/new")
    model = preview.estimate.model
    assert (model.documents, model.inputs, model.to_send) == (13, 38, 38)
    assert model.usd == pytest.approx(model.tokens * PRICES[NEW] / 1e6)
    assert provider.counters().requests == 0
    done = now(published, APPROVED)
    assert done.built is not None
    assert done.built.cut_over
    assert_was_sent(done, provider)
    assert done.requests.tokens == provider.counters().tokens


def test_missing_and_bad_vectors_are_counted_priced_and_made_again(published: Changing, provider: Simulator) -> None:
    lose_vectors(published)
    preview = now(published, Approval())
    assert (preview.decision, preview.estimate.vectors.to_send) == (Decision.NEEDS_APPROVAL, 4)
    done = now(published, APPROVED)
    assert done.repaired is not None
    assert done.repaired.repaired == 4
    assert_was_sent(done, provider)


def test_all_three_at_once_send_what_is_shown_and_end_with_everything_new(
    published: Changing, provider: Simulator
) -> None:
    lose_vectors(published)
    published.apply(NEW, size=230)
    preview = now(published, Approval()).estimate
    assert [part.documents for part in preview.parts] == [0, 13, 13]
    done = now(published, APPROVED)
    assert done.queued == 13
    assert_was_sent(done, provider)

    async def body(bench: Workbench) -> None:
        assert bench.target.model.name == "openai/new"
        assert (await shown(bench.db)).texts["7.md"] == [
            paragraph(7, 0),
            paragraph(7, 1) + " " + paragraph(7, 2).strip(),
        ]

    published.on_bench(body)
    assert now(published, Approval()).decision is Decision.NOTHING_STALE


def test_an_old_model_that_is_out_of_reach_does_not_keep_the_new_one_off(
    published: Changing, provider: Simulator
) -> None:
    lose_vectors(published)
    published.apply(NEW)
    provider.fault(FaultKind.STATUS, status=401, times=1)
    done = now(published, APPROVED)
    assert done.repaired is not None
    assert done.built is not None
    assert (done.repaired.repaired, done.built.cut_over) == (0, True)


def test_what_costs_no_more_than_the_automatic_price_needs_no_approval(published: Changing) -> None:
    lose_vectors(published)
    usd = now(published, Approval()).estimate.usd
    assert now(published, Approval(automatic_usd=usd)).decision is Decision.BEGIN


def test_counting_ends_where_it_costs_more_than_may_be_spent(published: Changing) -> None:
    published.apply(NEW)

    async def body(bench: Workbench) -> None:
        whole, part = await estimate(bench), await estimate(bench, stop_above=0.0)
        assert (whole.complete, part.complete) == (True, False)
        assert part.chunker == StalePart(part.chunker.price)

    published.on_bench(body)


@pytest.mark.parametrize(
    ("name", "price", "origin"),
    [
        ("openai/any", 3.0, PriceOrigin.FILE),
        ("openai/text-embedding-3-small", None, PriceOrigin.LISTED),
        ("openai/nobody-knows", None, PriceOrigin.UNKNOWN),
    ],
)
def test_a_price_says_where_it_is_from(docs: Changing, name: str, price: float | None, origin: PriceOrigin) -> None:
    docs.write()
    file = docs.settings.collections_file
    line = f"usd_per_million_tokens = {PRICES[OLD]}"
    text = file.read_text(encoding="utf-8").replace("openai/old", name)
    file.write_text(text.replace(line, f"usd_per_million_tokens = {price}" if price else ""), encoding="utf-8")
    docs.apply_file()

    async def body(bench: Workbench) -> None:
        assert (await price_of(bench)).origin is origin

    docs.on_bench(body)


def test_a_file_that_does_not_name_the_model_being_built_is_told_so(published: Changing) -> None:
    published.apply(NEW)
    published.write(OLD)

    async def body(bench: Workbench) -> None:
        with pytest.raises(NotThisFile, match=r"openai/new is being built .* does not name it"):
            await reembed(bench, APPROVED)

    published.on_bench(body)
