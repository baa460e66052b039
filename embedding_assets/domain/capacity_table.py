"""A capacity report as words: one sentence on arrivals, one row for each resource. For terminal and Dagster alike."""

from collections.abc import Mapping, Sequence
from datetime import date

from embedding_assets.domain.capacity import HORIZONS, CapacityReport, Outlook
from embedding_assets.domain.forecast import Backtest, Projection, TooLittle

COLUMNS: Mapping[str, str] = {
    "resource": "left",
    # Before the numbers: Dagster's page shows no more than the first columns.
    "runs out": "left",
    "at the earliest": "left",
    "used": "right",
    "of": "right",
    **{f"in {days} d": "right" for days in HORIZONS},
    "unit": "left",
    "note": "left",
}
_NOT_IN_SIGHT = f"not within {HORIZONS[-1]} d"


def arrivals_sentence(name: str, arrivals: Projection | TooLittle) -> str:
    """What arrives, and how sure that is."""
    if isinstance(arrivals, TooLittle):
        return f"{name}: {arrivals.sentence}"
    ahead = ", ".join(f"in {days} d {_band(arrivals.week_before(days))}" for days in HORIZONS)
    return f"{name}: documents a day {ahead}; {_tried(arrivals.backtest)}"


def rows(report: CapacityReport) -> list[Sequence[str]]:
    """As many cells as COLUMNS, a row for each resource."""
    return [_row(one) for one in report.outlooks]


def _row(one: Outlook) -> Sequence[str]:
    ahead = [_amount(one.ahead[days][1], one.unit) if one.ahead else "" for days in HORIZONS]
    known = bool(one.ahead) and one.capacity is not None
    return [
        one.resource,
        _when(one.runs_out, known=known),
        _when(one.earliest, known=known),
        _amount(one.used, one.unit),
        _amount(one.capacity, one.unit),
        *ahead,
        one.unit if one.unit != "bytes" else "GB",
        one.missing,
    ]


def _when(day: date | None, *, known: bool) -> str:
    if not known:
        return ""
    return day.isoformat() if day else _NOT_IN_SIGHT


def _band(values: tuple[float, float, float]) -> str:
    low, estimate, high = (f"{value:,.0f}" for value in values)
    return f"{estimate} ({low} to {high})"


def _tried(backtest: Backtest | None) -> str:
    if backtest is None:
        return "too little history to say how far that was off before"
    return (
        f"{backtest.forecasts} such forecasts of the past were {backtest.error:.0%} off, "
        f"and {backtest.inside_band:.0%} of days were within the band"
    )


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "bytes":
        return f"{value / 1e9:,.2f}"
    return f"{value:,.2f}" if unit.startswith("USD") else f"{value:,.0f}"
