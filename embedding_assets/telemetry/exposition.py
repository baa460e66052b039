"""A snapshot as Prometheus reads it: every legal label set from the first scrape, in text or OpenMetrics.

Not here: reading the numbers (pipeline/scraping), serving them (exporter).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias, TypeVar

from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from embedding_assets.domain.counts import Buckets, Counts
from embedding_assets.telemetry.catalogue import CATALOGUE
from embedding_assets.telemetry.durable import DURABLE
from embedding_assets.telemetry.gauges import DATABASE_UP, GAUGES
from embedding_assets.telemetry.metric import Kind, Metric

Labels: TypeAlias = "tuple[str, ...]"
T = TypeVar("T")


@dataclass(slots=True)
class Snapshot:
    """One scrape. `is_up`: the database was read; otherwise nothing else is said. `ledger` is None when it could not be read.

    `known` are the values of labels that are not closed: collections, models, limits.
    """

    is_up: bool = False
    ledger: Counts | None = None
    known: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    gauges: dict[str, dict[Labels, float]] = field(default_factory=dict[str, dict[Labels, float]])
    gauge_histograms: dict[str, dict[Labels, Buckets]] = field(default_factory=dict[str, dict[Labels, Buckets]])


def encoded(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The snapshot as the caller's Accept header asks for it, and its content type."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(snapshot))
    return encode(registry), content_type


def as_text(snapshot: Snapshot) -> str:
    """The snapshot for a person."""
    return encoded(snapshot, exposition.CONTENT_TYPE_PLAIN_0_0_4)[0].decode()


class _Once(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Family]:
        return families(self._snapshot)


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Every metric with something to say, in the catalogue's order."""
    if not snapshot.is_up:
        yield _gauge(DATABASE_UP, {(): 0.0})
        return
    if snapshot.ledger is not None:
        for metric in DURABLE:
            yield _durable(metric, snapshot.ledger, metric.label_sets(**snapshot.known))
    for metric in GAUGES:
        if metric.kind is Kind.GAUGE_HISTOGRAM:
            if metric.name in snapshot.gauge_histograms:
                yield _gauge_histogram(metric, snapshot.gauge_histograms[metric.name])
        elif metric.name in snapshot.gauges:
            yield _gauge(metric, snapshot.gauges[metric.name])


def _durable(metric: Metric, ledger: Counts, legal: Sequence[Labels]) -> Family:
    if metric.kind is Kind.COUNTER:
        # The name of a family is that of its samples without the suffix.
        family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.label_names)
        values = {**dict.fromkeys(legal, 0.0), **_of(metric, ledger.counters)}
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family
    histograms = HistogramMetricFamily(metric.name, metric.help, labels=metric.label_names)
    nothing = Buckets(metric.buckets, [0] * (len(metric.buckets) + 1))
    for labels, buckets in {**dict.fromkeys(legal, nothing), **_of(metric, ledger.histograms)}.items():
        histograms.add_metric(labels, _cumulative(buckets), buckets.total)
    return histograms


def _of(metric: Metric, kept: Mapping[tuple[str, Labels], T]) -> dict[Labels, T]:
    """What is kept of this metric; what an older release kept under other labels is not shown."""
    return {
        labels: value
        for (name, labels), value in kept.items()
        if name == metric.name and len(labels) == len(metric.labels)
    }


def _gauge(metric: Metric, values: Mapping[Labels, float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.label_names)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _gauge_histogram(metric: Metric, values: Mapping[Labels, Buckets]) -> Family:
    family = GaugeHistogramMetricFamily(metric.name, metric.help, labels=metric.label_names)
    for labels, buckets in sorted(values.items()):
        family.add_metric(labels, _cumulative(buckets), buckets.total)
    return family


def _cumulative(buckets: Buckets) -> list[tuple[str, float]]:
    bounds = [*map(floatToGoString, buckets.bounds), "+Inf"]
    return list(zip(bounds, accumulate(map(float, buckets.counts)), strict=True))


def kept_gauges(ledger: Counts) -> dict[str, dict[Labels, float]]:
    """Gauges that are kept in the ledger, by name; those that the catalogue does not know are left out."""
    gauges: dict[str, dict[Labels, float]] = {}
    for (name, labels), value in ledger.latest.items():
        if name in CATALOGUE and len(labels) == len(CATALOGUE[name].labels):
            gauges.setdefault(name, {})[labels] = value
    return gauges
