"""How many documents a run may claim, and what is left of that while it does. Not here: who decides it (pipeline/admission)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.work import ClaimedItem


@dataclass(frozen=True, slots=True)
class Admitted:
    """Documents that may be claimed now: of both lanes together, of backfill among them, of each shard (None: any).

    `backfill_waits` for the limit when it is that which leaves none of backfill.
    """

    documents: int
    backfill: int
    of_each: Mapping[int, int] | None = None
    backfill_waits: LimitWait | None = None


class Left:
    """What is left of an admission while its claims are taken one after another."""

    def __init__(self, admitted: Admitted) -> None:
        self.documents = admitted.documents
        self._of_each = dict(admitted.of_each) if admitted.of_each is not None else None

    def of_each(self, shards: list[int], most: int) -> list[int]:
        """The most to claim of each of these shards."""
        if self._of_each is None:
            return [most] * len(shards)
        return [min(most, self._of_each.get(shard, 0)) for shard in shards]

    def taken(self, items: Iterable[ClaimedItem]) -> None:
        """So much less is left."""
        for item in items:
            self.documents -= 1
            if self._of_each is not None:
                self._of_each[item.shard] -= 1
