"""A collection changes its chunk size, and its model, while its documents change and people search."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.reembedding import Approval
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reembedding import reembed
from embedding_assets.store.database import Database
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph, write_documents
from embedding_assets_tests.support.model_changes import NEW, Changing, Shown, changing, shown

_DOCUMENTS = 300


async def look_until(over: Callable[[], bool], db: Database) -> list[Shown]:
    """What search showed, moment after moment; `shown` fails on a document that is not whole."""
    moments = [await shown(db)]
    while not over():
        moments.append(await shown(db))
        await asyncio.sleep(0.01)
    return moments


async def change_until(over: Callable[[], bool], docs: Changing) -> int:
    """Edit, add and delete documents, and publish that, again and again; how often."""
    rounds = 0
    while not over():
        (docs.folder / f"document-{rounds % 100:03}.md").write_text(f"Edited in round {rounds}.", encoding="utf-8")
        (docs.folder / f"added-{rounds:03}.md").write_text(f"Added in round {rounds}.", encoding="utf-8")
        (docs.folder / f"document-{200 + rounds % 100:03}.md").unlink(missing_ok=True)
        rounds += 1
        try:
            await docs.run_now()
        except ClassifiedError as error:
            assert error.error_type is ErrorType.MODEL_REPLACED  # noqa: PT017 - the run that meets the cut-over
    return rounds


def test_the_model_changes_beside_edits_and_every_search_sees_whole_documents_of_one_model(
    database_url: str, tmp_path: Path
) -> None:
    with Simulator() as provider:
        docs = changing(database_url, tmp_path, provider)
        write_documents(docs.folder, _DOCUMENTS)
        docs.apply()
        docs.run()
        step = docs.apply(NEW)
        provider.fault(FaultKind.DELAY, seconds=0.1, marker="new: ")

        async def everything() -> tuple[list[Shown], int]:
            async with docs.open() as bench:
                building = asyncio.create_task(reembed(bench, Approval(approved=True)))
                moments, rounds, outcome = await asyncio.gather(
                    look_until(building.done, bench.db), change_until(building.done, docs), building
                )
                assert outcome.built is not None
                assert outcome.built.cut_over
                moments.append(await shown(bench.db))
            return moments, rounds

        moments, rounds = asyncio.run(everything())
        docs.run()
        asyncio.run(_assert_up_to_date(docs))
    assert rounds > 2
    assert step.applied.building is not None
    old, new = step.applied.model_id, step.applied.building.id
    models = [moment.model_id for moment in moments]
    assert models == [old] * models.count(old) + [new] * models.count(new)
    assert models.count(old) > 10
    assert models.count(new) > 0


async def _assert_up_to_date(docs: Changing) -> None:
    """Search shows the folder: every file in its newest text under the new model, deleted ones gone."""
    files = {path.name: path.read_text(encoding="utf-8") for path in docs.folder.iterdir()}
    async with docs.open() as bench:
        now = await shown(bench.db)
        assert bench.target.model.name == "openai/new"
        assert now.model_id == bench.target.model_id
        assert docs.published_under(now.model_id) == now.texts
    assert {key: "\n\n".join(chunks) for key, chunks in now.texts.items()} == files


def test_while_half_of_the_documents_are_cut_anew_search_shows_each_in_its_old_or_its_new_version(
    database_url: str, tmp_path: Path
) -> None:
    with Simulator() as provider:
        docs = changing(database_url, tmp_path, provider)
        short, first, second = ([paragraph(number, part) for number in range(40)] for part in range(3))
        for number in range(40):
            text = f"{short[number]}\n\n{first[number]} {second[number]}"
            (docs.folder / f"{number:02}.md").write_text(text, encoding="utf-8")
        docs.apply(max_inputs=2)
        docs.run()
        docs.apply(size=230, max_inputs=2)
        provider.reset()
        provider.fault(FaultKind.DELAY, seconds=0.1)

        async def everything() -> list[Shown]:
            async with docs.open() as bench:
                outcome = await reembed(bench, Approval(approved=True))
                assert (outcome.queued, outcome.estimate.to_send) == (40, 40)
                run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
                moments, done = await asyncio.gather(look_until(run.done, bench.db), run)
                assert (done.total.published, done.total.chunks_reused) == (40, 40)
                return [*moments, await shown(bench.db)]

        moments = asyncio.run(everything())
        # Two chunks that moved became one; the short one before them stayed.
        assert provider.counters().inputs == provider.counters().distinct_inputs == 40
    old, new = 3, 2
    assert all(len(moment.texts) == 40 for moment in moments)
    sizes = [{len(chunks) for chunks in moment.texts.values()} for moment in moments]
    assert (sizes[0], sizes[-1]) == ({old}, {new})
    assert {old, new} in sizes
