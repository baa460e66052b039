"""What limit, workers and storage would each let through, in documents per hour of the present mix of collections.

Measured over the last four weeks, or since the counters exist; None where nothing was measured or nothing bounds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from embedding_assets.domain.daily import Record

_MINUTES, _SECONDS = 60, 3600
# Fewer seconds of work than this say nothing of what an hour would do.
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What a collection shares and may use: its model, its limit, and how many runs of it work side by side."""

    name: str
    model: str
    limit: str | None
    run_groups: int


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What we may use of one resource of a limit, each minute."""

    limit: str
    resource: str
    per_minute: float


def by_limit(record: Record, collections: Sequence[CollectionFacts], ceilings: Sequence[Ceiling]) -> float | None:
    """The least of all limits' resources: each is divided by what a document needs of it, and by its part in the mix."""
    published = {one.name: _published(record, [one]) for one in collections}
    whole = sum(published.values())
    found: list[float] = []
    for ceiling in ceilings:
        sharing = [one for one in collections if one.limit == ceiling.limit]
        documents = sum(published[one.name] for one in sharing)
        used = _used(record, sharing, ceiling.resource)
        if documents and used:
            found.append(ceiling.per_minute * _MINUTES * documents / used * whole / documents)
    return min(found, default=None)


def by_workers(record: Record, collections: Sequence[CollectionFacts]) -> float | None:
    """What a run did in its hours, those it waited for the limit left out, times the runs that may work side by side."""
    seconds = sum(
        record.lately("embedding_run_duration_seconds_sum", "embed_documents", one.name) for one in collections
    )
    return _per_hour(_published(record, collections), seconds * _working_part(record, collections), collections)


def by_storage(record: Record, collections: Sequence[CollectionFacts]) -> float | None:
    """What was published for each hour of settling, times the runs that may settle side by side."""
    seconds = record.lately("embedding_stage_duration_seconds_sum", "storage")
    return _per_hour(_published(record, collections), seconds, collections)


def _per_hour(documents: float, seconds: float, collections: Iterable[CollectionFacts]) -> float | None:
    if not documents or seconds < _LEAST_SECONDS:
        return None
    return documents / seconds * _SECONDS * sum(one.run_groups for one in collections)


def _working_part(record: Record, collections: Sequence[CollectionFacts]) -> float:
    """Of a document's time from claim to publication, that which was not waiting for the limit."""
    name = "embedding_document_duration_seconds_sum"
    whole = sum(record.lately(name, one.name, "included") for one in collections)
    working = sum(record.lately(name, one.name, "excluded") for one in collections)
    return min(working / whole, 1.0) if whole and working else 1.0


def _published(record: Record, collections: Iterable[CollectionFacts]) -> float:
    return sum(record.lately("embedding_documents_processed_total", one.name, "success") for one in collections)


def _used(record: Record, collections: Sequence[CollectionFacts], resource: str) -> float:
    """What was sent for these collections. Requests and tokens are counted by model, whichever limit its collections are under."""
    models = {one.model for one in collections}
    names: Mapping[str, str] = {"requests": "embedding_api_requests_total", "tokens": "embedding_tokens_total"}
    if resource in names:
        return sum(record.lately(names[resource], model) for model in models)
    chunks = sum(record.lately("embedding_chunks_processed_total", one.name) for one in collections)
    return chunks - sum(record.lately("embedding_chunks_reused_total", one.name) for one in collections)
