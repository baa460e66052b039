"""How collections stand, gathered once and told in lines: what `status` shows, and what the demo adds when something waits."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from embedding_assets.cli.rendering import counted
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from embedding_assets.settings import Settings
    from embedding_assets.store.failures import FailureCount
    from embedding_assets.store.inspection import Freshness
    from embedding_assets.store.work_queue import QueueDepth


@dataclass(frozen=True, slots=True)
class Standing:
    """One collection as of `now`, the server's clock."""

    now: datetime
    freshness: "Freshness"
    queue: "Sequence[QueueDepth]"
    failed: "Sequence[FailureCount]"

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
    from embedding_assets.store import failures, inspection, source_listings, work_queue  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        now = await source_listings.server_time(tx)
        depths, failed = await work_queue.queue_depth(tx), await failures.failure_counts(tx)
        return [
            Standing(
                now,
                row,
                [depth for depth in depths if depth.collection == row.collection],
                [count for count in failed if count.collection == row.collection],
            )
            for row in await inspection.freshness(tx)
        ]


def waits(standing: Standing) -> list[str]:
    """What is being waited for, a line each; one line when nothing is."""
    row = standing.freshness
    lines = ["paused by its settings: Dagster starts nothing for it; a run by hand still works"] if row.paused else []
    if row.last_poll_at is None:
        lines.append(f"never polled: embedding-assets sync {row.collection}")
    for depth in standing.queue:
        age = duration(depth.oldest_seconds)
        lines.append(f"{counted(depth.documents, 'document')} {depth.state} in lane {depth.lane}, the oldest for {age}")
    if row.overdue:
        age = duration(row.oldest_change_seconds or 0)
        lines.append(f"{counted(row.overdue, 'change')} OVERDUE, the oldest from {age} ago: embedding-assets doctor")
    lines += [
        f"{counted(count.documents, 'failed document')} {count.status} ({count.error_type})"
        for count in standing.failed
    ]
    return lines or ["nothing waits: everything the last poll listed is settled"]


def facts(standing: Standing) -> dict[str, object]:
    """The same for a program."""
    queue = [_without_name(asdict(depth)) for depth in standing.queue]
    failed = [_without_name(asdict(count)) for count in standing.failed]
    return {**asdict(standing.freshness), "queue": queue, "failed": failed, "waiting_for": waits(standing)}


def _without_name(values: dict[str, object]) -> dict[str, object]:
    values.pop("collection")
    return values
