"""Up to where a table's changes were taken, so that none is missed however late its transaction commits.

A row carries the time its transaction began, or the application's clock; it is seen when the transaction commits, which may be
an hour later. So `since` follows only when every transaction that ran when the table was last asked has ended: all that
commits later began after that. Pure. Not here: reading the table (store/foreign_tables).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from typing_extensions import Self

from embedding_assets.domain.tables import TableActivity


@dataclass(frozen=True, slots=True)
class TableCursor:
    """What is not seen yet began at `since` or later; `running` ran at `asked_at`, when the table was asked last."""

    since: datetime
    asked_at: datetime
    running: frozenset[str]

    @classmethod
    def first(cls, activity: TableActivity) -> Self:
        """Before the table is listed for the first time."""
        return cls(activity.now, activity.now, activity.running)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read back what `text` wrote.

        Raises:
            ValueError: it is none of ours.
        """
        try:
            values: Any = json.loads(text)
            since, asked_at = (datetime.fromisoformat(values[name]) for name in ("since", "asked_at"))
            return cls(since, asked_at, frozenset(map(str, values["running"])))
        except (KeyError, TypeError) as error:
            message = "not the cursor of a table"
            raise ValueError(message) from error

    def text(self) -> str:
        """As the database keeps it."""
        times = {"since": self.since, "asked_at": self.asked_at}
        moments = {name: value.astimezone(timezone.utc).isoformat() for name, value in times.items()}
        return json.dumps({**moments, "running": sorted(self.running)})

    def advanced(self, activity: TableActivity) -> "TableCursor":
        """The cursor after a read that began at `activity` and took everything from this cursor on."""
        still_running = self.running & activity.running
        if still_running:
            return TableCursor(self.since, self.asked_at, still_running)
        return TableCursor(self.asked_at, activity.now, activity.running)

    def read_from(self, *, overlap_seconds: float) -> datetime:
        """The oldest time stamp to read; the overlap is for clocks of the application that are behind, and for its own delays."""
        return self.since - timedelta(seconds=overlap_seconds)
