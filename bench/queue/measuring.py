"""The order of it: fill, claim in three states, drain to half, drain, and all that once more.

What is measured comes as values that print themselves, as soon as it is known. Not here: how any of it is done.
"""

import math
import statistics
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

from bench.queue.draining import ITEMS, churn, drain, leased, old_snapshot
from bench.queue.inspecting import Size, autovacuum_has_been, explain_claim, sizes, vacuum
from bench.queue.loading import enqueue, fold_all
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.plans import Plan

_PRODUCERS = 4


@dataclass(frozen=True, slots=True)
class Rate:
    """So many references in so many seconds."""

    what: str
    references: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.what:<60}{self.references / self.seconds:>12,.0f} references/s"


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """How long claims of 200 took; `milliseconds` in the order of the claims."""

    state: str
    milliseconds: Sequence[float]

    def __str__(self) -> str:
        p50, p99 = statistics.median(self.milliseconds), _p99(self.milliseconds)
        last = statistics.median(self.milliseconds[-math.ceil(len(self.milliseconds) / 10) :])
        times = f"p50 {p50:,.1f} ms   p99 {p99:,.1f} ms   p50 of the last tenth {last:,.1f} ms"
        return f"{self.state}: {len(self.milliseconds):,} claims\n  {times}"


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """The plan of one claim in this state."""

    state: str
    plan: Plan

    def __str__(self) -> str:
        plan = self.plan
        bad = [node["Node Type"] for node in plan.of_types("Sort", "Incremental Sort", "Seq Scan")]
        said = f"{plan.rows} rows, {plan.buffers_a_row:.1f} buffers a row, {', '.join(bad) or 'no Sort, no Seq Scan'}"
        return "\n".join([f"{self.state}: {said}", *(_line(depth, node) for depth, node in plan.nodes)])


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the queue's tables at this moment; `cleaned` is whether autovacuum came before one looked."""

    moment: str
    of: Mapping[str, Size]

    def __str__(self) -> str:
        tables = (
            f"{name} {size.table / 2**20:,.0f} + {size.indexes / 2**20:,.0f} MiB" for name, size in self.of.items()
        )
        return f"{self.moment:<48}{'   '.join(tables)}"


Measured: TypeAlias = "Rate | ClaimTimes | ClaimPlan | Sizes"


async def measure(db: Database, references: int, *, patience: float) -> AsyncGenerator[Measured, None]:
    """Everything, over a queue of so many references; waits up to `patience` seconds for autovacuum after each draining."""
    docs = await make_collection(db, tracked_since=datetime.now(timezone.utc) - timedelta(hours=1))
    yield Sizes("empty", await sizes(db))
    async for measured in _fill(db, docs.id, references, "first cycle"):
        yield measured
    async for measured in _claims(db, docs.id, references):
        yield measured
    left = references - 3 * _churned(references)
    async for measured in _drain(db, docs.id, left - references // 2, "half drained", patience):
        yield measured
    async for measured in _drain(db, docs.id, references // 2, "all drained", patience):
        yield measured
    await vacuum(db)
    yield Sizes("all drained, after VACUUM", await sizes(db))
    async for measured in _fill(db, docs.id, references, "second cycle"):
        yield measured
    async for measured in _drain(db, docs.id, references, "second cycle, all drained", patience):
        yield measured


def _churned(references: int) -> int:
    """What each state claims and settles: a twentieth, in whole claims."""
    return math.ceil(references / 20 / ITEMS) * ITEMS


async def _fill(db: Database, collection_id: int, references: int, cycle: str) -> AsyncGenerator[Measured, None]:
    half = references // 2
    for numbers, producers in ((range(half), 1), (range(half, references), _PRODUCERS)):
        seconds = await enqueue(db, collection_id, numbers, producers=producers)
        yield Rate(f"{cycle}: enqueue, {producers} at once", len(numbers), seconds)
    yield Sizes(f"{cycle}, all arrived", await sizes(db))
    yield Rate(f"{cycle}: fold", *await fold_all(db, collection_id))
    yield Sizes(f"{cycle}, all folded", await sizes(db))


async def _claims(db: Database, collection_id: int, references: int) -> AsyncGenerator[Measured, None]:
    tenth = references // 10
    states: tuple[tuple[str, AbstractAsyncContextManager[None]], ...] = (
        (f"{references:,} waiting", nullcontext()),
        (f"{tenth:,} of them leased", leased(db, collection_id, tenth)),
        ("under an old snapshot", old_snapshot(db)),
    )
    for name, state in states:
        async with state:
            milliseconds, ends = await churn(db, collection_id, _churned(references))
            yield ClaimTimes(name, milliseconds)
            for where, starts in (("from the beginning", ()), ("from where the last one ended", ends)):
                plan = await explain_claim(db, collection_id, ITEMS, starts)
                yield ClaimPlan(f"{name}, {where}", plan)


async def _drain(
    db: Database, collection_id: int, references: int, moment: str, patience: float
) -> AsyncGenerator[Measured, None]:
    milliseconds, seconds = await drain(db, collection_id, references)
    yield Rate(f"{moment}: claim and settle", references, seconds)
    yield ClaimTimes(f"{moment}: claims meanwhile", milliseconds)
    yield Sizes(moment, await sizes(db))
    came = await autovacuum_has_been(db, patience)
    yield Sizes(f"{moment}, autovacuum {'came' if came else 'did not come'}", await sizes(db))


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(len(values) * 0.99) - 1]


def _line(depth: int, node: dict[str, Any]) -> str:
    where = node.get("Index Name") or node.get("Relation Name") or node.get("CTE Name") or ""
    buffers = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
    rows = f"rows {node['Actual Rows']:g} in {node['Actual Loops']} rounds, buffers {buffers:,}"
    return f"  {'  ' * depth}{node['Node Type']} {where}: {rows}"
