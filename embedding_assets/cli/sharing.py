"""What collections share — limits, budgets, circuits — gathered once and told as tables: the second half of `status`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from embedding_assets.cli.rendering import table, visible
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from rich.table import Table

    from embedding_assets.domain.circuits import OpenCircuit
    from embedding_assets.settings import Settings
    from embedding_assets.store.rate_limiter import BudgetUse, LimitUse

# A budget is worth a word from here on.
_NEARLY_USED_UP = 0.8


@dataclass(frozen=True, slots=True)
class Shared:
    """Limits of the trailing minute, budgets of the current day and month, and what nobody claims for."""

    limits: "Sequence[LimitUse]"
    budgets: "Sequence[BudgetUse]"
    circuits: "Sequence[OpenCircuit]"


async def gather(settings: "Settings") -> Shared:
    """All of the database."""
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import circuits, rate_limiter  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        return Shared(
            await rate_limiter.limit_use(tx),
            await rate_limiter.budget_use(tx),
            await circuits.open_circuits(tx),
        )


def tables(shared: Shared) -> "Iterator[Table]":
    """One for limits and one for budgets, where there are any."""
    numbers = ("used", "ceiling", "everybody", "capacity")
    if shared.limits:
        columns = {"limit": "left", "consumer": "left", "per minute": "left", **dict.fromkeys(numbers, "right")}
        yield table({**columns, "note": "left"}, [_limit_row(use) for use in shared.limits])
    if shared.budgets:
        columns = {"budget": "left", "in UTC": "left", "used": "right", "of": "right", "unit": "left", "note": "left"}
        yield table(columns, [_budget_row(use) for use in shared.budgets])


def lines(shared: Shared) -> list[str]:
    """Open circuits, a line each."""
    return [f"circuit ({circuit.reason}): {visible(circuit.sentence)}" for circuit in shared.circuits]


def facts(shared: Shared) -> dict[str, object]:
    """The same for a program."""
    return {
        "limits": [asdict(use) for use in shared.limits],
        "budgets": [asdict(use) for use in shared.budgets],
        "circuits": [asdict(circuit) for circuit in shared.circuits],
    }


def _limit_row(use: "LimitUse") -> Sequence[object]:
    counts = (f"{count:,}" for count in (use.own, use.ceiling, use.everybody, use.capacity))
    return (use.limit, use.consumer, use.resource, *counts, _limit_note(use))


def _limit_note(use: "LimitUse") -> str:
    notes = [f"the provider asked to be left alone for {duration(use.blocked_seconds)}"] if use.blocked_seconds else []
    if use.part < 1:
        notes.append(f"lowered to {use.part:.0%} after the provider refused, and growing back")
    return "; ".join(notes)


def _budget_row(use: "BudgetUse") -> Sequence[object]:
    shown = (f"{use.used:,.2f}", f"{use.most:,.2f}") if use.unit == "usd" else (f"{use.used:,.0f}", f"{use.most:,.0f}")
    return (f"{use.kind} {use.holder}", use.period, *shown, use.unit.replace("usd", "USD"), _budget_note(use))


def _budget_note(use: "BudgetUse") -> str:
    part = use.used / use.most
    if part >= 1:
        return "USED UP: its documents wait for the next period"
    return f"{part:.0%} used" if part >= _NEARLY_USED_UP else ""
