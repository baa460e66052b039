"""Asset checks: what a run saw refused, and, hourly in a job of their own, what is stored. Unpartitioned, with counts.

A check of a partitioned asset loses its partition in a run over a range, and a check inside a sparse run is skipped.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg

from embedding_assets.defs.names import asset_key
from embedding_assets.defs.resources import Workbenches, clear_failures
from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline import collection_state
from embedding_assets.pipeline.run_stages import DocumentStage, StagesOutcome
from embedding_assets.store.inspection import StoredProblems

_REFUSED = (
    ErrorType.NON_FINITE,
    ErrorType.ZERO_VECTOR,
    ErrorType.DIMENSION_MISMATCH,
    ErrorType.COUNT_MISMATCH,
    ErrorType.ORDER_MISMATCH,
)


_REFUSAL_CHECK = "no_vector_was_refused"
_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """Rows that should not be, as a check: it passes when `found` is 0."""

    name: str
    stage: DocumentStage
    severity: dg.AssetCheckSeverity
    found: Callable[[StoredProblems], int]
    description: str


STORED_CHECKS = (
    StoredCheck(
        "vectors_are_finite_and_not_zero",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        lambda problems: problems.not_finite_or_zero,
        "A cosine index silently leaves out a vector of norm zero. Materialize `embeddings` alone to repair.",
    ),
    StoredCheck(
        "vectors_have_the_models_dimension",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        lambda problems: problems.wrong_dimension,
        "Every stored vector has as many dimensions as the collection's model.",
    ),
    StoredCheck(
        "every_input_has_its_vector",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        lambda problems: problems.inputs_without_vector,
        "Every input of a published chunk has a vector. Materialize `embeddings` alone to repair.",
    ),
    StoredCheck(
        "no_orphaned_chunks",
        DocumentStage.CHUNKS,
        _ERROR,
        lambda problems: problems.orphaned_chunks,
        "Every chunk belongs to the version of its document that is published.",
    ),
    StoredCheck(
        "nothing_is_overdue",
        DocumentStage.RAW_DOCUMENTS,
        _WARN,
        lambda problems: problems.overdue,
        "Every change at the source was published within its promise, or still can be.",
    ),
    StoredCheck(
        "nothing_is_escalated",
        DocumentStage.RAW_DOCUMENTS,
        _WARN,
        lambda problems: problems.escalated,
        "No failed document waits for a person: `embedding-assets status` counts them.",
    ),
)


def refusal_check_spec(collection: str) -> dg.AssetCheckSpec:
    """The check inside every run that publishes."""
    return dg.AssetCheckSpec(
        _REFUSAL_CHECK,
        asset=asset_key(collection, DocumentStage.EMBEDDINGS),
        description="The provider's replies matched their inputs, and every vector of them was fit to be stored.",
    )


def refusal_check(collection: str, outcome: StagesOutcome) -> dg.AssetCheckResult:
    """What this run refused to store, by error type."""
    errors = outcome.requests.errors if outcome.requests else {}
    refused = {error.value: errors[error.value] for error in _REFUSED if errors.get(error.value)}
    return dg.AssetCheckResult(
        passed=not refused,
        asset_key=asset_key(collection, DocumentStage.EMBEDDINGS),
        check_name=_REFUSAL_CHECK,
        severity=_WARN,
        metadata={"refused": sum(refused.values()), **refused},
    )


def refusal_check_key(collection: str) -> dg.AssetCheckKey:
    """The key of the check inside a run."""
    return dg.AssetCheckKey(asset_key(collection, DocumentStage.EMBEDDINGS), _REFUSAL_CHECK)


def stored_check_keys(collection: str) -> list[dg.AssetCheckKey]:
    """The keys of the checks of what is stored."""
    return [dg.AssetCheckKey(asset_key(collection, check.stage), check.name) for check in STORED_CHECKS]


def vector_check_keys(collection: str) -> list[dg.AssetCheckKey]:
    """The keys of the checks that find what a repair makes good."""
    return [
        key for key in stored_check_keys(collection) if key.asset_key == asset_key(collection, DocumentStage.EMBEDDINGS)
    ]


def build_stored_checks(collection: str) -> dg.AssetChecksDefinition:
    """All checks of what is stored, answered by one pass over it."""
    specs = [
        dg.AssetCheckSpec(check.name, asset=asset_key(collection, check.stage), description=check.description)
        for check in STORED_CHECKS
    ]

    @dg.multi_asset_check(name=f"{collection}__stored_data", specs=specs, can_subset=True)
    def stored_data(
        context: dg.AssetCheckExecutionContext, workbenches: dg.ResourceParam[Workbenches]
    ) -> Iterator[dg.AssetCheckResult]:
        with clear_failures():
            problems = asyncio.run(_problems(workbenches, collection))
        selected = {key.name for key in context.selected_asset_check_keys}
        for check in STORED_CHECKS:
            if check.name in selected:
                yield _result(collection, check, problems)

    return stored_data


async def _problems(workbenches: Workbenches, collection: str) -> StoredProblems | None:
    async with workbenches.database() as db:
        return await collection_state.stored_problems(db, collection)


def _result(collection: str, check: StoredCheck, problems: StoredProblems | None) -> dg.AssetCheckResult:
    found = check.found(problems) if problems else 0
    metadata: dict[str, int | str] = {"found": found}
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=asset_key(collection, check.stage),
        check_name=check.name,
        severity=check.severity,
        metadata=metadata if problems else {**metadata, "state": "nothing stored yet"},
    )
