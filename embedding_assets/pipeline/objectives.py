"""How the objectives stand, of the ledger now and as it stood at each hour; and keeping how it stands.

The ledger only grows: what happened in a window is a difference. Not here: what is promised (domain/slo), who shows it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.explanation import duration
from embedding_assets.domain.slo import OBJECTIVES, WINDOW_DAYS, Events, Objective, Spent
from embedding_assets.pipeline.promises import count_missed
from embedding_assets.store import ledger, objectives, source_listings
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.objectives import Stock
from embedding_assets.telemetry.catalogue import CATALOGUE

# A window that was asked for a little late still finds its beginning.
_KEPT_DAYS = 2 * WINDOW_DAYS
_NEVER = datetime.min.replace(tzinfo=timezone.utc)
_BURNS = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "1d": timedelta(days=1), "3d": timedelta(days=3)}


@dataclass(frozen=True, slots=True)
class Past:
    """What was left at some moment of the whole window's budget."""

    at: datetime
    budget_left: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One objective of one collection, or of all (None), up to `until`.

    `since` is when the events began to be counted: the stock nearest before what was asked for, or None where the ledger is younger
    and all it has is told. `burns` are burn rates over the last hours and days; None in it: no events.
    """

    objective: Objective
    collection: str | None
    since: datetime | None
    until: datetime
    spent: Spent
    burns: Mapping[str, float | None]
    past: Sequence[Past] = ()

    @property
    def budget_left(self) -> float:
        """The part of the error budget that is left; below 0 it is overspent."""
        return self.spent.budget_left(self.objective)

    @property
    def over(self) -> str:
        """Over what this is told, in words."""
        return "all that was counted" if self.since is None else duration((self.until - self.since).total_seconds())


async def take_stock(db: Database, *, now: datetime | None = None) -> None:
    """Keep how objectives stand, once an hour; what is missed by then is counted first. To be called by whatever comes by."""
    await count_missed(db)
    await db.atomically(lambda tx: _take_stock(tx, now))


async def _take_stock(tx: Tx, now: datetime | None) -> None:
    if await objectives.is_taken(tx, now=now):
        return
    rows = [
        (name, collection, spent.total, spent.bad)
        for (name, collection), spent in sorted(_counted(await ledger.read(tx)).items())
    ]
    await objectives.take(tx, rows, keep_days=_KEPT_DAYS, now=now)


async def standings(
    db: Database, *, days: float = WINDOW_DAYS, collection: str | None = None, now: datetime | None = None
) -> list[Standing]:
    """Every objective over the last days, for all collections together or for one of them."""
    await take_stock(db, now=now)
    async with db.transaction() as tx:
        now = now or await source_listings.server_time(tx)
        history = await objectives.history(tx, now - timedelta(days=days))
        current = _counted(await ledger.read(tx))
    names = {name for _, name in current} if collection is None else {collection}
    return [_standing(one, collection, _stocks(one, names, history, current, now), days) for one in OBJECTIVES]


def _counted(counts: Counts) -> dict[tuple[str, str], Spent]:
    """What the ledger has of every objective, by (objective, collection)."""
    found: dict[tuple[str, str], Spent] = {}
    for objective in OBJECTIVES:
        total = _by_collection(counts, objective.total)
        others = _by_collection(counts, objective.bad or objective.good or objective.total)
        for name, number in total.items():
            other = others.get(name, 0.0)
            found[objective.name, name] = Spent(number, other if objective.bad else number - other)
    return found


def _by_collection(counts: Counts, events: Events) -> dict[str, float]:
    labels = CATALOGUE[events.metric].label_names
    found: dict[str, float] = defaultdict(float)
    for values, number in _numbers(counts, events):
        known = dict(zip(labels, values, strict=True))
        if events.take(known):
            found[known["collection"]] += number
    return found


def _numbers(counts: Counts, events: Events) -> Iterator[tuple[tuple[str, ...], float]]:
    """The metric's series by the values of their labels, each with its number of these events."""
    if not events.histogram:
        yield from ((values, number) for (name, values), number in counts.counters.items() if name == events.metric)
        return
    most = math.inf if events.at_most is None else events.at_most
    for (name, values), buckets in counts.histograms.items():
        if name == events.metric:
            bounded = zip((*buckets.bounds, math.inf), buckets.counts, strict=True)
            yield values, sum(number for bound, number in bounded if bound <= most)


def _stocks(
    objective: Objective,
    names: Iterable[str],
    history: Sequence[Stock],
    current: Mapping[tuple[str, str], Spent],
    now: datetime,
) -> list[Stock]:
    """The objective's stocks of these collections together, by time, now the last."""
    wanted = set(names)
    summed: dict[datetime, Spent] = {}
    for one in history:
        if one.objective == objective.name and one.collection in wanted:
            before = summed.get(one.taken_at, Spent(0, 0))
            summed[one.taken_at] = Spent(before.total + one.total, before.bad + one.bad)
    stocks = [Stock(objective.name, "", at, spent.total, spent.bad) for at, spent in sorted(summed.items())]
    parts = [current.get((objective.name, name), Spent(0, 0)) for name in wanted]
    return [*stocks, Stock(objective.name, "", now, sum(p.total for p in parts), sum(p.bad for p in parts))]


def _standing(objective: Objective, collection: str | None, stocks: Sequence[Stock], days: float) -> Standing:
    last = stocks[-1]
    first = _before(stocks, timedelta(days=days))
    burns = {window: _between(_before(stocks, length), last).burn(objective) for window, length in _BURNS.items()}
    spent = _between(first, last)
    past = [
        # Of the whole window's budget: of the first hours' alone one bad event would be a catastrophe.
        Past(one.taken_at, Spent(spent.total, _between(first, one).bad).budget_left(objective))
        for one in stocks
        if one.taken_at >= first.taken_at
    ]
    since = None if first.taken_at == _NEVER else first.taken_at
    return Standing(objective, collection, since, last.taken_at, spent, burns, past)


def _before(stocks: Sequence[Stock], length: timedelta) -> Stock:
    """The last stock that is at least so long before the newest; without one the ledger is younger, and began at nothing."""
    moment = stocks[-1].taken_at - length
    found = [one for one in stocks if one.taken_at <= moment]
    return found[-1] if found else Stock(stocks[-1].objective, "", _NEVER, 0.0, 0.0)


def _between(first: Stock, last: Stock) -> Spent:
    # A restored backup steps back: then nothing is known of between.
    return Spent(max(0.0, last.total - first.total), max(0.0, last.bad - first.bad))
