"""The command `slo`: how the objectives stand against their targets. What they are is domain/slo's."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.collections import UnknownCollection
from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.domain.slo import WINDOW_DAYS

if TYPE_CHECKING:
    from embedding_assets.pipeline.objectives import Standing
    from embedding_assets.settings import Settings


@examples("embedding-assets slo", "embedding-assets slo -c docs --days 7 --json")
def slo(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only of this collection; all together without it.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.05, max=2 * WINDOW_DAYS, help="Over so many days.")] = WINDOW_DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How the objectives stand: good and bad events, the error budget left, and how fast it burns.

    A burn rate of 1 spends the budget exactly in its window. Exit code 0 whatever is left.
    """
    settings = current_settings()
    found = run_async(lambda: _standings(settings, days, collection))
    if as_json:
        print_json([_facts(one) for one in found])
        return
    numbers = ("target", "good", "bad", "events", "budget left", "burn 1h", "6h", "1d", "3d")
    columns = {"objective": "left", **dict.fromkeys(numbers, "right"), "over": "left"}
    out().print(table(columns, [_row(one) for one in found]))
    for one in found:
        if one.spent.total == 0:
            out().print(f"{one.objective.name}: nothing was counted yet ({one.objective.good_event})")
        elif one.budget_left < 0:
            out().print(f"{one.objective.name}: the error budget is overspent: docs/runbook.md", style="yellow")


def _row(one: "Standing") -> tuple[object, ...]:
    ratio = one.spent.error_ratio
    return (
        one.objective.name,
        f"{one.objective.target:.1%}",
        "" if ratio is None else f"{1 - ratio:.3%}",
        f"{one.spent.bad:,.0f}",
        f"{one.spent.total:,.0f}",
        f"{one.budget_left:.1%}",
        *("" if burn is None else f"{burn:.2f}" for burn in one.burns.values()),
        one.over,
    )


def _facts(one: "Standing") -> dict[str, object]:
    return {
        "objective": one.objective.name,
        "good_event": one.objective.good_event,
        "collection": one.collection,
        "target": one.objective.target,
        "events": one.spent.total,
        "bad": one.spent.bad,
        "error_ratio": one.spent.error_ratio,
        "error_budget_left": one.budget_left,
        "burn_rates": dict(one.burns),
        "since": one.since,
        "until": one.until,
    }


async def _standings(settings: "Settings", days: float, collection: str | None) -> "list[Standing]":
    from embedding_assets.pipeline import objectives  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        if collection is not None:
            async with db.transaction() as tx:
                if await collections.find(tx, collection) is None:
                    raise UnknownCollection(f"no collection {visible(collection)!r}: embedding-assets collections list")
        return await objectives.standings(db, days=days, collection=collection)
