"""Another model in place."""

import asyncio
from pathlib import Path
from embedding_assets.pipeline.model_build import build_model
from embedding_assets.pipeline.search import search_text
from embedding_assets.pipeline.switching import ModelStep
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import write_documents, paragraph
from embedding_assets_tests.support.model_changes import NEW, changing


def test_smoke(database_url: str, tmp_path: Path) -> None:
    with Simulator() as provider:
        docs = changing(database_url, tmp_path, provider)
        write_documents(docs.folder, 20)
        docs.apply()
        print(docs.run().total)
        step = docs.apply(NEW)
        assert step.step is ModelStep.BUILDING
        provider.reset()

        async def body(bench):
            assert bench.building
            r = await search_text(bench, paragraph(3, 1), k=1)
            print(r[0].score, r[0].content)
            out = await build_model(bench.building, range(16))
            print(out)
            r = await search_text(bench, paragraph(3, 1), k=1)
            print(r[0].score, r[0].content)

        docs.on_bench(body)
        print(provider.counters())

        async def after(bench):
            assert bench.building is None
            r = await search_text(bench, "document-003.md | " + paragraph(3, 1), k=1)
            print(r[0].score, r[0].content)

        docs.on_bench(after)
