"""A panel as it is described: what it asks, how it is to be read. Not here: how it is drawn (drawing), where (layout)."""

from dataclasses import dataclass, field
from enum import Enum


class Kind(str, Enum):
    """How the answer is shown."""

    LINES = "lines"
    NUMBER = "number"
    BARS = "bars"
    HEATMAP = "heatmap"
    TABLE = "table"
    STATES = "states"


class Color(str, Enum):
    """Grafana's names."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    BLUE = "blue"
    PURPLE = "purple"
    GRAY = "gray"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and the words for its series. `now`: its value at the end of the time shown; `buckets`: of a histogram, each apart."""

    expression: str
    legend: str = ""
    now: bool = False
    buckets: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """From this value on the color is this; None is from the beginning."""

    value: float | None
    color: Color


@dataclass(frozen=True, slots=True)
class Panel:
    """`says` is what it means and when to worry, in a sentence or two. Widths are of 24.

    `steps` colour numbers and bars, and are lines in a graph. `dashed` are legends (a regular expression) of what is a limit
    and not a measurement. `alert` names the alert whose runbook entry the panel links to.
    """

    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 8
    steps: tuple[Step, ...] = ()
    stacked: bool = False
    dashed: str = ""
    least: float | None = 0
    most: float | None = None
    decimals: int | None = None
    alert: str = ""
    mappings: tuple[tuple[str, str, Color], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, filled from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard. `uid` is its address, and stays as it is."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    hours: int = 6
    tags: tuple[str, ...] = field(default=("embedding-assets",))
