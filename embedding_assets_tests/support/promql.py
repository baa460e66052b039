"""Which metrics a PromQL expression reads, and whether they and their labels are ours: without Prometheus.

Not here: whether it is PromQL at all (promtool).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from embedding_assets.telemetry.catalogue import CATALOGUE
from embedding_assets.telemetry.metric import Kind, Metric

_SELECTED = re.compile(r"(?<![\w:])((?:embedding_|[a-z_]\w*:)[\w:]*)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SUFFIXES = {
    Kind.HISTOGRAM: ("_bucket", "_count", "_sum"),
    Kind.GAUGE_HISTOGRAM: ("_bucket", "_gcount", "_gsum"),
}


@dataclass(frozen=True, slots=True)
class Selected:
    """One selector: the series' name and its matchers (label, operator, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def selected(expression: str) -> list[Selected]:
    """Every selector of the expression."""
    return [
        Selected(name, tuple(found.groups() for found in _MATCHER.finditer(matchers or "")))  # pyright: ignore[reportArgumentType] three groups
        for name, matchers in _SELECTED.findall(expression)
    ]


def grouped_by(expression: str) -> set[str]:
    """Every label by which the expression groups or joins."""
    return {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",") if label.strip()}


def mistakes(expression: str, *, recorded: Collection[str] = ()) -> list[str]:
    """What is wrong with it: a metric that is neither in the catalogue nor recorded, a label or a value it does not have."""
    found: list[str] = []
    labels: set[str] = set()
    for one in selected(expression):
        if one.name in recorded:
            labels |= {"collection", "lane", "objective"}
            continue
        metric = metric_of(one.name)
        if metric is None:
            found.append(f"no metric is called {one.name}")
            continue
        labels |= {*metric.label_names, *_le(one.name)}
        found += _wrong_matchers(one, metric)
    return found + [f"nothing in it has the label {label}" for label in sorted(grouped_by(expression) - labels)]


def metric_of(series: str) -> Metric | None:
    """The metric of the catalogue that exposes this series."""
    if series in CATALOGUE and CATALOGUE[series].kind not in _SUFFIXES:
        return CATALOGUE[series]
    for suffix in ("_bucket", "_gcount", "_gsum", "_count", "_sum"):
        metric = CATALOGUE.get(series.removesuffix(suffix)) if series.endswith(suffix) else None
        if metric is not None and suffix in _SUFFIXES.get(metric.kind, ()):
            return metric
    return None


def _le(series: str) -> tuple[str, ...]:
    return ("le",) if series.endswith("_bucket") else ()


def _wrong_matchers(one: Selected, metric: Metric) -> Iterator[str]:
    closed = {label.name: label.values for label in metric.labels}
    bounds = {"+Inf", *(str(float(bound)) for bound in metric.buckets)}
    for label, operator, value in one.matchers:
        if label == "le" and _le(one.name):
            if value not in bounds:
                yield f"{one.name} has no bucket {value}"
        elif label not in closed:
            yield f"{one.name} has no label {label}"
        elif (values := closed[label]) is not None:
            given = value.split("|") if "~" in operator else [value]
            yield from (f"{one.name}: {label} is never {part}" for part in given if not _any(part, values))


def _any(pattern: str, values: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, value) for value in values)
