"""The durable ledger behind the metrics: added to in the transaction that makes the numbers true, by one statement.

Not here: what a metric is called and which labels it has (telemetry), what is counted when (pipeline).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedding_assets.domain.counts import Buckets, BucketsDiffer, Counts, Series
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("ledger")

# Between label values on their way to PostgreSQL, which has no arrays of arrays of different lengths.
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Entered:
    """`transaction` is the one that entered it; `became` tells of earlier ones whether they were committed."""

    transaction: int
    became: Mapping[int, str]


async def enter(tx: Tx, counts: Counts, *, shard: int | None = None, earlier: Sequence[int] = ()) -> Entered:
    """Add these counts. To be a transaction's last statement: it locks what other workers add to as well.

    `shard` spreads a series that many add to at once over rows; None: by connection. `earlier` asks what became of transactions:
    `committed`, `aborted` or `in progress`.

    Raises:
        BucketsDiffer: a histogram was counted by other bounds before; the transaction must not be committed.
    """
    counters, histograms = sorted(counts.counters.items()), sorted(counts.histograms.items(), key=lambda item: item[0])
    values = {
        "names": [name for (name, _), _ in counters],
        "labels": [_joined(labels) for (_, labels), _ in counters],
        "additions": [value for _, value in counters],
        "histograms": [name for (name, _), _ in histograms],
        "histogram_labels": [_joined(labels) for (_, labels), _ in histograms],
        "bounds": [_array(buckets.bounds) for _, buckets in histograms],
        "counts": [_array(buckets.counts) for _, buckets in histograms],
        "sums": [buckets.total for _, buckets in histograms],
        "shard": shard,
        "earlier": list(earlier),
    }
    row = await (await tx.execute(_SQL["enter"], values)).fetchone()
    assert row is not None
    transaction, taken, became = row
    if taken < len(histograms):
        raise BucketsDiffer(await _differing(tx, histograms))
    if counts.latest:
        await keep_latest(tx, counts.latest)
    return Entered(transaction, {int(key): status for key, status in (became or {}).items()})


async def keep_latest(tx: Tx, values: Mapping[Series, float]) -> None:
    """Gauges that only grow: a smaller value than the one that is kept changes nothing."""
    rows = sorted(values.items())
    await tx.execute(
        _SQL["keep_latest"],
        {
            "names": [name for (name, _), _ in rows],
            "labels": [_joined(labels) for (_, labels), _ in rows],
            "values": [float(value) for _, value in rows],
        },
    )


async def keep(tx: Tx, values: Mapping[Series, float]) -> None:
    """Gauges as they stand now."""
    rows = sorted(values.items())
    await tx.execute(
        _SQL["keep"],
        {
            "names": [name for (name, _), _ in rows],
            "labels": [_joined(labels) for (_, labels), _ in rows],
            "values": [float(value) for _, value in rows],
        },
    )


async def became_of(tx: Tx, transactions: Sequence[int]) -> dict[int, str]:
    """What became of these transactions; none of one that is too old to be known."""
    rows = await (await tx.execute(_SQL["became_of"], {"earlier": list(transactions)})).fetchall()
    return {transaction: status for transaction, status in rows if status is not None}


async def read(tx: Tx) -> Counts:
    """Everything, by one query: counters, histograms, and the gauges that are kept.

    Raises:
        BucketsDiffer: rows of one histogram have different bounds.
    """
    whole = Counts()
    for kind, name, labels, value, bounds, counts in await (await tx.execute(_SQL["read"])).fetchall():
        series: Series = (name, tuple(labels))
        if kind == "histogram":
            if series in whole.histograms:
                raise BucketsDiffer(name)
            whole.histograms[series] = Buckets(tuple(bounds), [int(count) for count in counts[:-1]], counts[-1])
        else:
            (whole.counters if kind == "counter" else whole.latest)[series] = value
    return whole


async def totals(tx: Tx, name: str) -> dict[tuple[str, ...], float]:
    """What a counter stands at, by the values of its labels."""
    rows = await (await tx.execute(_SQL["totals"], {"name": name})).fetchall()
    return {tuple(labels): value for labels, value in rows}


async def _differing(tx: Tx, histograms: Sequence[tuple[Series, Buckets]]) -> str:
    kept = (await read(tx)).histograms
    differing = (name for (name, labels), theirs in histograms if kept[name, labels].bounds != theirs.bounds)
    return next(differing, "a histogram")


def _joined(labels: tuple[str, ...]) -> str:
    return "".join(_SEPARATOR + label for label in labels)


def _array(numbers: Sequence[float]) -> str:
    return "{" + ",".join(map(repr, numbers)) + "}"
