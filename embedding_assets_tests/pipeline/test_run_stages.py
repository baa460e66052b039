"""The steps that each selection of stages means."""

import pytest

from embedding_assets.pipeline.run_stages import (
    DocumentStage,
    StageOptions,
    StagePlan,
    StagesNotRunnable,
    plan_stages,
)

RAW, CHUNKS, EMBEDDINGS = DocumentStage
BY_HAND, SCHEDULED = StageOptions(), StageOptions(retrack=False)


@pytest.mark.parametrize(
    ("stages", "plan"),
    [
        ({RAW, CHUNKS, EMBEDDINGS}, StagePlan(retrack=True, drain=True)),
        ({RAW, EMBEDDINGS}, StagePlan(retrack=True, drain=True)),
        ({CHUNKS, EMBEDDINGS}, StagePlan(queue_stale=True, drain=True)),
        ({EMBEDDINGS}, StagePlan(repair=True)),
        ({RAW}, StagePlan(queue_changed=True)),
        ({CHUNKS}, StagePlan(queue_stale=True)),
        ({RAW, CHUNKS}, StagePlan(queue_changed=True, queue_stale=True)),
    ],
)
def test_each_selection_by_hand_has_its_steps(stages: set[DocumentStage], plan: StagePlan) -> None:
    assert plan_stages(stages, BY_HAND) == plan


def test_a_scheduled_run_only_drains() -> None:
    assert plan_stages({RAW, CHUNKS, EMBEDDINGS}, SCHEDULED) == StagePlan(drain=True)


def test_named_documents_are_looked_at_even_without_retrack() -> None:
    options = StageOptions(retrack=False, document_keys=("a.md",))
    assert plan_stages({RAW, CHUNKS, EMBEDDINGS}, options) == StagePlan(retrack=True, drain=True)


@pytest.mark.parametrize("stages", [{RAW}, {CHUNKS}, {EMBEDDINGS}, {CHUNKS, EMBEDDINGS}, {RAW, CHUNKS}])
def test_naming_documents_needs_a_selection_that_fetches_and_publishes(stages: set[DocumentStage]) -> None:
    with pytest.raises(StagesNotRunnable, match="select all three"):
        plan_stages(stages, StageOptions(document_keys=("a.md",)))
