"""Which question of a scrape gives which gauges, with zeros where nothing is.

Whoever adds a gauge adds a reading here. Not here: asking (scraping), the SQL (store/metric_readings), names (telemetry).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from embedding_assets.domain.circuits import Scopes
from embedding_assets.domain.counts import Buckets
from embedding_assets.domain.failures import ErrorType
from embedding_assets.pipeline.forecast_gauges import read_forecast
from embedding_assets.store import metric_readings, rate_limiter
from embedding_assets.store.database import Tx
from embedding_assets.store.metric_readings import COUNTED_AT_MOST, KnownCollection
from embedding_assets.telemetry import gauges
from embedding_assets.telemetry.exposition import Labels, Snapshot
from embedding_assets.telemetry.labels import NO_LIMIT
from embedding_assets.telemetry.metric import Metric

Known: TypeAlias = "Sequence[KnownCollection]"
# Reads, and writes what it found into the snapshot.
Reading: TypeAlias = Callable[[Tx, Known, Snapshot], Awaitable[None]]


# What opens a model's circuit most of all: shown at 0 while none of them does.
_PROVIDER_REASONS = (
    ErrorType.CONNECTION_FAILED,
    ErrorType.CREDENTIALS_REJECTED,
    ErrorType.UNKNOWN_MODEL,
    ErrorType.BUDGET_REACHED,
)


def known_labels(known: Known) -> Mapping[str, Sequence[str]]:
    """The values of labels that come of what is configured."""
    models = {model for one in known for model in (one.model, one.building_model) if model}
    limits = {one.limit for one in known if one.limit}
    return {
        "collection": [one.name for one in known],
        "model": sorted(models),
        "limit": [*sorted(limits), NO_LIMIT],
    }


async def read_queue(tx: Tx, known: Known, into: Snapshot) -> None:
    """Depth, age and expired leases; what is counted no further than a limit never makes a depth negative."""
    depth = dict.fromkeys(gauges.QUEUE_DOCUMENTS.label_sets(collection=[one.name for one in known]), 0.0)
    age = dict.fromkeys(gauges.QUEUE_OLDEST_AGE.label_sets(collection=[one.name for one in known]), 0.0)
    tracked = {(one.name,): 0.0 for one in known}
    for collection, what, lane, documents in await metric_readings.counted(tx):
        if what == "queued" and lane is not None:
            depth[collection, lane, "waiting"] = documents
        else:
            tracked[collection,] = documents
    expired = 0
    for collection, lane, leased, ended in await metric_readings.leased(tx):
        depth[collection, lane, "leased"] = leased
        depth[collection, lane, "waiting"] = max(0.0, depth[collection, lane, "waiting"] - leased)
        expired += ended
    for collection, lane, seconds in await metric_readings.oldest(tx):
        age[collection, lane] = max(seconds, 0.0)
    for arrived in await metric_readings.arrived(tx):
        depth[arrived.collection, arrived.lane, "arrived"] = arrived.documents
        series = arrived.collection, arrived.lane
        age[series] = max(age[series], arrived.oldest_seconds)
    _write(into, gauges.QUEUE_DOCUMENTS, depth)
    _write(into, gauges.QUEUE_OLDEST_AGE, age)
    _write(into, gauges.QUEUE_EXPIRED_LEASES, {(): expired})
    _write(into, gauges.DOCUMENTS_TRACKED, tracked)


async def read_overdue(tx: Tx, known: Known, into: Snapshot) -> None:
    """Changes past their deadline, counted no further than a limit; and what sources and settings say of their collections."""
    counted = {(name,): float(min(changes, COUNTED_AT_MOST)) for name, changes in await metric_readings.overdue(tx)}
    _write(into, gauges.DOCUMENTS_OVERDUE, counted)
    polls = {(one.name,): one.last_poll_at for one in known if one.last_poll_at is not None}
    _write(into, gauges.SOURCE_LAST_POLL, polls)
    _write(into, gauges.COLLECTION_PAUSED, {(one.name,): float(one.paused) for one in known})


async def read_failed(tx: Tx, known: Known, into: Snapshot) -> None:
    """Failed documents by status and attempt, and their ages."""
    del known
    bounds = gauges.FAILED_DOCUMENT_AGE.buckets
    documents = dict.fromkeys(gauges.FAILED_DOCUMENTS.label_sets(), 0.0)
    ages = {labels: Buckets(bounds, [0] * (len(bounds) + 1)) for labels in gauges.FAILED_DOCUMENT_AGE.label_sets()}
    for found in await metric_readings.failed(tx, bounds):
        documents[found.status, "5+" if found.attempts >= 5 else str(found.attempts)] += found.documents
        ages[found.status,].counts[found.bucket] += found.documents
        ages[found.status,].total += found.seconds
    _write(into, gauges.FAILED_DOCUMENTS, documents)
    into.gauge_histograms[gauges.FAILED_DOCUMENT_AGE.name] = ages


async def read_limits(tx: Tx, known: Known, into: Snapshot) -> None:
    """Every limit that a collection draws on: its size, our part, what we and everybody used of it."""
    del known
    ours = await metric_readings.consumers(tx)
    for use in await rate_limiter.limit_use(tx):
        if (use.limit, use.consumer) not in ours:
            continue
        for metric, value in (
            (gauges.LIMIT_PER_MINUTE, use.capacity),
            (gauges.LIMIT_CEILING_PER_MINUTE, use.ceiling * use.part),
            (gauges.LIMIT_USED_PER_MINUTE, use.own),
            (gauges.LIMIT_USED_BY_ALL_PER_MINUTE, use.everybody),
        ):
            into.gauges.setdefault(metric.name, {})[use.limit, use.resource] = value


async def read_budgets(tx: Tx, known: Known, into: Snapshot) -> None:
    """A collection's budgets, and those of the limit that it draws on: whichever is nearer its end."""
    used: dict[Labels, float] = {}
    for use in await rate_limiter.budget_use(tx):
        holders = [one.name for one in known if use.holder == (one.name if use.kind == "collection" else one.limit)]
        for name in holders:
            used[name, use.period] = max(used.get((name, use.period), 0.0), use.used / use.most)
    _write(into, gauges.BUDGET_USED, used)


async def read_circuits(tx: Tx, known: Known, into: Snapshot) -> None:
    """1 where one is open; 0 for what opens one most of all."""
    circuits: dict[Labels, float] = {}
    for one in known:
        circuits[Scopes(one.name, one.model).source, ErrorType.ROOT_UNAVAILABLE.value] = 0.0
        circuits.update(dict.fromkeys(((one.model, reason.value) for reason in _PROVIDER_REASONS), 0.0))
    circuits.update(dict.fromkeys(await metric_readings.circuits(tx), 1.0))
    _write(into, gauges.CIRCUIT_OPEN, circuits)


async def read_sizes(tx: Tx, known: Known, into: Snapshot) -> None:
    """Tables, vector indexes, and vectors by PostgreSQL's statistics."""
    del known
    _write(into, gauges.TABLE_SIZE, {(name,): float(size) for name, size in await metric_readings.tables(tx)})
    _write(into, gauges.INDEX_SIZE, {(name,): float(size) for name, size in await metric_readings.indexes(tx)})
    _write(into, gauges.VECTORS, {(name,): float(rows) for name, rows in await metric_readings.vectors(tx)})


async def read_connections(tx: Tx, known: Known, into: Snapshot) -> None:
    """Connections of the whole server: whoever takes them, ours are refused next."""
    del known
    found = await metric_readings.connections(tx)
    _write(into, gauges.CONNECTIONS, {(application, state): float(number) for application, state, number in found})
    _write(into, gauges.MAX_CONNECTIONS, {(): float(await metric_readings.max_connections(tx))})


READINGS: Mapping[str, Reading] = {
    "queue": read_queue,
    "overdue": read_overdue,
    "failed": read_failed,
    "limits": read_limits,
    "budgets": read_budgets,
    "circuits": read_circuits,
    "sizes": read_sizes,
    "connections": read_connections,
    "forecast": read_forecast,
}


def _write(into: Snapshot, metric: Metric, values: Mapping[Labels, float]) -> None:
    into.gauges[metric.name] = dict(values)
