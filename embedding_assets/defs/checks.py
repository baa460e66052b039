"""Asset checks: what a run saw refused, and, hourly in a job of their own, what is stored. Unpartitioned, with counts.

A check of a partitioned asset loses its partition in a run over a range, and a check inside a sparse run is skipped.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from embedding_assets.defs.names import asset_key
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.health import Finding
from embedding_assets.pipeline.run_stages import DocumentStage, StagesOutcome
from embedding_assets.pipeline.stored_checks import examine

_REFUSED = (
    ErrorType.NON_FINITE,
    ErrorType.ZERO_VECTOR,
    ErrorType.DIMENSION_MISMATCH,
    ErrorType.COUNT_MISMATCH,
    ErrorType.ORDER_MISMATCH,
)


_REFUSAL_CHECK = "no_vector_was_refused"
_NOTHING_STORED = Finding(True, {"found": 0}, state="nothing stored yet")
_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """One check of what is stored: the asset it belongs to, and how bad it is when it fails."""

    name: str
    stage: DocumentStage
    severity: dg.AssetCheckSeverity
    description: str


STORED_CHECKS = (
    StoredCheck(
        "vectors_are_finite_and_not_zero",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        "A cosine index silently leaves out a vector of norm zero. Materialize `embeddings` alone to repair.",
    ),
    StoredCheck(
        "vectors_have_the_models_dimension",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        "Every stored vector has as many dimensions as the collection's model.",
    ),
    StoredCheck(
        "every_input_has_its_vector",
        DocumentStage.EMBEDDINGS,
        _ERROR,
        "Every input of a published chunk has a vector. Materialize `embeddings` alone to repair.",
    ),
    StoredCheck(
        "index_is_valid",
        DocumentStage.EMBEDDINGS,
        _WARN,
        "A table that is large has its HNSW index, and it is valid: without, search is exact and slow.",
    ),
    StoredCheck(
        "index_finds_what_exact_search_finds",
        DocumentStage.EMBEDDINGS,
        _WARN,
        "Recall@10 of the index against exact search, for a sample of stored vectors, is 0.9 or more. Below: build the "
        "index anew with larger `m` and `ef_construction`.",
    ),
    StoredCheck(
        "no_orphaned_chunks",
        DocumentStage.CHUNKS,
        _ERROR,
        "Every chunk belongs to the version of its document that is published.",
    ),
    StoredCheck(
        "nothing_is_overdue",
        DocumentStage.RAW_DOCUMENTS,
        _WARN,
        "Every change at the source was published within its promise, or still can be.",
    ),
    StoredCheck(
        "nothing_is_escalated",
        DocumentStage.RAW_DOCUMENTS,
        _WARN,
        "No failed document waits for a person: `embedding-assets failures list --status escalated`.",
    ),
    StoredCheck(
        "few_documents_fail",
        DocumentStage.RAW_DOCUMENTS,
        _WARN,
        "Of the documents of the last 24 hours at most 0.1 % failed, or fewer than three.",
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
        context: dg.AssetCheckExecutionContext,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        with clear_failures(), embedding_metrics.recorded("check_stored_data", collection):
            findings = asyncio.run(_examine(workbenches, collection, selected))
        embedding_metrics.found(collection, {name: finding for name, finding in findings.items() if name in selected})
        for check in STORED_CHECKS:
            if check.name in selected:
                yield _result(collection, check, findings.get(check.name, _NOTHING_STORED))

    return stored_data


async def _examine(workbenches: Workbenches, collection: str, wanted: Collection[str]) -> Mapping[str, Finding]:
    async with workbenches.database() as db:
        return await examine(db, collection, wanted)


def _result(collection: str, check: StoredCheck, finding: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, float | str] = dict(finding.numbers)
    if finding.state:
        metadata["state"] = finding.state
    if finding.examples:
        # As text: a key may hold anything, and must not be read as Markdown or a link.
        metadata["examples"] = "\n".join(map(repr, finding.examples))
    return dg.AssetCheckResult(
        passed=finding.passed,
        asset_key=asset_key(collection, check.stage),
        check_name=check.name,
        severity=check.severity,
        metadata=metadata,
    )
