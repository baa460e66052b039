"""The command `capacity`: when what there is runs out. The forecast is made, and kept for the exporter, as Dagster does daily."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async

if TYPE_CHECKING:
    from embedding_assets.domain.capacity import CapacityReport
    from embedding_assets.domain.forecast import Projection, TooLittle
    from embedding_assets.settings import Settings


@examples("embedding-assets capacity", "embedding-assets capacity --json")
def capacity(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """When limit, workers, disk, memory, connections and budget run out, by what arrived so far."""
    settings = current_settings()
    report = run_async(lambda: _made(settings))
    if as_json:
        print_json(facts(report))
        return
    from embedding_assets.domain.capacity_table import COLUMNS, arrivals_sentence, rows  # noqa: PLC0415 - as below

    out().print(arrivals_sentence("arrivals", report.arrivals))
    if len(report.by_collection) > 1:
        for name, arrivals in report.by_collection.items():
            out().print(f"  {arrivals_sentence(visible(name), arrivals)}")
    out().print()
    out().print(table(COLUMNS, rows(report)))


def facts(report: "CapacityReport") -> dict[str, object]:
    """The same for a program."""
    return {
        "made_at": report.made_at,
        "history_days": report.history.known if report.history else 0,
        "arrivals_per_day": _arrivals(report.arrivals),
        "collections": {name: _arrivals(arrivals) for name, arrivals in report.by_collection.items()},
        "resources": [_outlook(asdict(one)) for one in report.outlooks],
    }


def _arrivals(arrivals: "Projection | TooLittle") -> dict[str, object]:
    from embedding_assets.domain.capacity import HORIZONS  # noqa: PLC0415 - numpy and scipy wait for their command
    from embedding_assets.domain.forecast import TooLittle  # noqa: PLC0415 - as above

    if isinstance(arrivals, TooLittle):
        return {"missing": arrivals.sentence}
    ahead = {f"{days}d": _named(arrivals.week_before(days)) for days in HORIZONS}
    return {**ahead, "backtest": asdict(arrivals.backtest) if arrivals.backtest else None}


def _named(values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("low", "estimate", "high"), values, strict=True))


def _outlook(values: dict[str, object]) -> dict[str, object]:
    ahead = values.pop("ahead")
    assert isinstance(ahead, dict)
    dates = {name: str(values[name]) if values[name] else None for name in ("runs_out", "earliest")}
    return {**values, **dates, "ahead": {f"{days}d": _named(band) for days, band in ahead.items()}}


async def _made(settings: "Settings") -> "CapacityReport":
    from embedding_assets.pipeline.forecasting import forecast_capacity  # noqa: PLC0415 - as above
    from embedding_assets.runtime import collections_file, open_database  # noqa: PLC0415 - as above

    groups = {name: entry.run_groups for name, entry in collections_file(settings).collections.items()}
    async with open_database(settings) as db:
        return await forecast_capacity(db, run_groups=groups, disk_bytes=settings.database_disk_bytes)
