"""What a metric is: its name, kind, labels, unit and buckets. Not here: the metrics themselves (durable, gauges)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product

from embedding_assets.domain.counts import Counts


class Kind(str, Enum):
    """The value is what Prometheus calls it. Counters and histograms are kept in PostgreSQL; gauges are read at a scrape."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"
    GAUGE_HISTOGRAM = "gaugehistogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `values` are all it may have, None where they come of what is configured (collections, models, limits)."""

    name: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it is exposed, `_total` and unit included. `buckets` are upper bounds, without +Inf."""

    name: str
    kind: Kind
    labels: tuple[Label, ...]
    unit: str
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in the order in which their values are kept."""
        return tuple(label.name for label in self.labels)

    def label_sets(self, **known: Sequence[str]) -> list[tuple[str, ...]]:
        """Every legal set of label values; `known` gives those of the labels that are not closed."""
        choices = [label.values if label.values is not None else tuple(known[label.name]) for label in self.labels]
        return list(product(*choices))

    def add(self, counts: Counts, *values: str, by: float = 1) -> None:
        """Count so many more of these label values."""
        counts.add((self.name, self.checked(values)), by)

    def observe(self, counts: Counts, value: float, *values: str) -> None:
        """Count one observation under these label values."""
        counts.observe((self.name, self.checked(values)), self.buckets, value)

    def note(self, counts: Counts, value: float, *values: str) -> None:
        """A gauge that only grows, a time for one, stands at this or above."""
        counts.latest[self.name, self.checked(values)] = value

    def checked(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """These label values, when they are legal.

        Raises:
            ValueError: another number of values than labels, or a value outside a closed set.
        """
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.label_names}, not {values}")
        for label, value in zip(self.labels, values, strict=True):
            if label.values is not None and value not in label.values:
                raise ValueError(f"{self.name}: {label.name} is one of {', '.join(label.values)}, not {value!r}")
        return values


def counter(name: str, labels: tuple[Label, ...], unit: str, text: str) -> Metric:
    """A durable counter."""
    return Metric(name, Kind.COUNTER, labels, unit, text)


def histogram(name: str, labels: tuple[Label, ...], text: str, buckets: tuple[float, ...]) -> Metric:
    """A durable histogram of seconds."""
    return Metric(name, Kind.HISTOGRAM, labels, "seconds", text, buckets)


def gauge(name: str, labels: tuple[Label, ...], unit: str, text: str) -> Metric:
    """A gauge that is read at a scrape."""
    return Metric(name, Kind.GAUGE, labels, unit, text)
