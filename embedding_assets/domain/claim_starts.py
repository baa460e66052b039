"""Where in each line of the queue a run's next claim starts to look: where its last one ended.

What was finished stays in the index until vacuum may remove it, which an open snapshot (a dump, an index build) can prevent for
hours, and a claim from the beginning reads all of it again (measured after 200,000: 333 buffers for each item claimed instead of
17). Pure; not here: claiming (store/work_queue).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from embedding_assets.domain.work import ClaimedItem, Lane

# Some items go back to an earlier place: released ones, and those another run's fold commits late. They are found when a claim
# looks from the beginning, which costs nothing worth saving once in so many seconds.
LOOK_AGAIN_SECONDS = 5.0


@dataclass(slots=True)
class ClaimStarts:
    """One run's; `now` is of any clock that only goes forward."""

    _ends: dict[tuple[Lane, int], datetime] = field(default_factory=dict[tuple[Lane, int], datetime])
    _forget_at: float = 0.0

    def look_again(self, now: float, *, idle: bool) -> None:
        """Before a claim: from the beginning when it is time to, and whenever nothing is held: no run ends too early."""
        if idle or now >= self._forget_at:
            self._ends.clear()
            self._forget_at = now + LOOK_AGAIN_SECONDS

    def forget(self) -> None:
        """Something went back to an earlier place."""
        self._ends.clear()

    def of(self, lane: Lane, shards: Iterable[int]) -> list[datetime | None]:
        """Of each of these shards; None is the beginning."""
        return [self._ends.get((lane, shard)) for shard in shards]

    def claimed(self, items: Sequence[ClaimedItem]) -> None:
        """These were claimed, and that is committed."""
        for item in items:
            line = item.lane, item.shard
            if item.ready_at is not None:
                self._ends[line] = max(item.ready_at, self._ends.get(line, item.ready_at))
