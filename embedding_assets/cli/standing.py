"""How collections stand, gathered once and told in lines: what `status` shows, and what the demo adds when something waits.

Not here: the limits and budgets that they share (sharing).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from embedding_assets.cli.rendering import counted, visible
from embedding_assets.domain.documents import shard_name
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from embedding_assets.domain.limits import LimitWait
    from embedding_assets.settings import Settings
    from embedding_assets.store.collections import AppliedCollection
    from embedding_assets.store.database import Tx
    from embedding_assets.store.failures import FailureCount
    from embedding_assets.store.inspection import Freshness, ShardHolder
    from embedding_assets.store.work_queue import QueueDepth


@dataclass(frozen=True, slots=True)
class Standing:
    """One collection as of `now`, the server's clock; `building` is the model that is built beside the active one."""

    now: datetime
    freshness: "Freshness"
    queue: "Sequence[QueueDepth]"
    failed: "Sequence[FailureCount]"
    holders: "Sequence[ShardHolder]" = ()
    limit_wait: "LimitWait | None" = None
    building: str | None = None

    @property
    def queued(self) -> int:
        """Documents that wait or are in work."""
        return sum(depth.documents for depth in self.queue)

    @property
    def failures(self) -> int:
        """Failed documents that are not resolved."""
        return sum(count.documents for count in self.failed)

    @property
    def polled(self) -> str:
        """When the source was last listed."""
        last = self.freshness.last_poll_at
        return f"{duration((self.now - last).total_seconds())} ago" if last else "never"


async def gather(settings: "Settings") -> list[Standing]:
    """Every collection in the database, by name."""
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import (  # noqa: PLC0415 - as above
        collections,
        failures,
        inspection,
        source_listings,
        work_queue,
    )

    async with open_database(settings) as db, db.transaction() as tx:
        now = await source_listings.server_time(tx)
        depths, failed = await work_queue.queue_depth(tx), await failures.failure_counts(tx)
        holders = await inspection.shard_holders(tx)
        rows = await inspection.freshness(tx)
        applied = {row.collection: await collections.find(tx, row.collection) for row in rows}
        return [
            Standing(
                now,
                row,
                [depth for depth in depths if depth.collection == row.collection],
                [count for count in failed if count.collection == row.collection],
                [holder for holder in holders if holder.collection == row.collection],
                await _limit_wait(tx, found),
                found.building.model.name if found.building else None,
            )
            for row in rows
            if (found := applied[row.collection])
        ]


async def _limit_wait(tx: "Tx", applied: "AppliedCollection") -> "LimitWait | None":
    """What the collection's next request would have to wait for."""
    from embedding_assets.domain.work import Lane  # noqa: PLC0415 - as above
    from embedding_assets.store import rate_limiter  # noqa: PLC0415 - as above
    from embedding_assets.store.rate_limiter import Account  # noqa: PLC0415 - as above

    limit = applied.limit_name if applied.limit_consumer else None
    room = await rate_limiter.room(tx, Account(applied.id, limit, applied.limit_consumer), lane=Lane.LIVE)
    return room.wait


def waits(standing: Standing) -> list[str]:
    """What is being waited for, a line each; one line when nothing is."""
    row = standing.freshness
    lines = [_paused_line(standing)] if row.paused else []
    if row.last_poll_at is None:
        lines.append(f"never polled: embedding-assets sync {row.collection}")
    if row.withheld_deletions:
        lines.append(
            f"{counted(row.withheld_deletions, 'deletion')} withheld, too many at once: mend the source, or if they are meant "
            f"embedding-assets sync {row.collection} --confirm-deletions"
        )
    if standing.building:
        lines.append(f"model {visible(standing.building)} is being built: embedding-assets reembed {row.collection}")
    for depth in standing.queue:
        age = duration(depth.oldest_seconds)
        lines.append(f"{counted(depth.documents, 'document')} {depth.state} in lane {depth.lane}, the oldest for {age}")
    lines += [_holder_line(holder) for holder in standing.holders]
    if standing.limit_wait is not None and standing.queued:
        wait = standing.limit_wait
        lines.append(f"the next request waits for {duration(wait.seconds)}: {wait.reason}")
    if row.overdue:
        age = duration(row.oldest_change_seconds or 0)
        lines.append(f"{counted(row.overdue, 'change')} OVERDUE, the oldest from {age} ago: embedding-assets doctor")
    lines += [
        f"{counted(count.documents, 'failed document')} {count.status} ({count.error_type})"
        + (": embedding-assets failures list --status escalated" if count.status == "escalated" else "")
        for count in standing.failed
    ]
    return lines or ["nothing waits: everything the last poll listed is settled"]


def _paused_line(standing: Standing) -> str:
    row = standing.freshness
    by = "by its file"
    if row.paused_since is not None:
        since = duration((standing.now - row.paused_since).total_seconds())
        by = f"by hand for {since} (embedding-assets collections resume {row.collection})"
    return f"paused {by}: Dagster starts nothing for it; a run by hand still works"


def _holder_line(holder: "ShardHolder") -> str:
    shards = _ranges(holder.shards)
    if holder.ends_in_seconds <= 0:
        ago = duration(-holder.ends_in_seconds)
        return f"run {visible(holder.run_id)} left shards {shards}: its lease ended {ago} ago, the next run takes them"
    return f"run {visible(holder.run_id)} works shards {shards}; its lease ends in {duration(holder.ends_in_seconds)}"


def _ranges(shards: "Sequence[int]") -> str:
    """`00-07, 09` for shards 0 to 7 and 9."""
    parts: list[list[int]] = []
    for shard in shards:
        if parts and shard == parts[-1][-1] + 1:
            parts[-1].append(shard)
        else:
            parts.append([shard])
    names = ([shard_name(part[0]), shard_name(part[-1])] for part in parts)
    return ", ".join("-".join(dict.fromkeys(pair)) for pair in names)


def facts(standing: Standing) -> dict[str, object]:
    """The same for a program."""
    queue = [_without_name(asdict(depth)) for depth in standing.queue]
    failed = [_without_name(asdict(count)) for count in standing.failed]
    runs = [_without_name(asdict(holder)) for holder in standing.holders]
    wait = standing.limit_wait
    more: dict[str, object] = {"queue": queue, "failed": failed, "runs": runs, "waiting_for": waits(standing)}
    more["next_request_waits_seconds"] = wait.seconds if wait else 0.0
    return {**asdict(standing.freshness), **more}


def _without_name(values: dict[str, object]) -> dict[str, object]:
    values.pop("collection")
    return values
