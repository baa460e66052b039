"""The log of what reached the simulated provider, request by request, and what can be read from it.

Not here: the window that refuses requests (traffic), HTTP (app).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self


@dataclass(slots=True)
class Arrival:
    """One request. `at` is `time.monotonic()`, which all processes of a machine share; `status` is empty until answered.

    `into_wait` tells a request that came although a Retry-After was in force: the seconds since the first 429 of that
    wait was answered. None: nobody had been told to stay away.
    """

    at: float
    model: str
    status: str = ""
    into_wait: float | None = None


class ArrivalLog:
    """Requests in the order they came. A 429's Retry-After holds for whoever uses the key, which here is everybody."""

    def __init__(self, rows: Iterable[Arrival] = ()) -> None:
        self.rows = list(rows)
        self._wait_began = self._wait_ends = float("-inf")

    def arrived(self, now: float, model: str) -> Arrival:
        """Enter a request; its status is written into the row when it is answered."""
        row = Arrival(now, model, into_wait=now - self._wait_began if now < self._wait_ends else None)
        self.rows.append(row)
        return row

    def asked_to_wait(self, now: float, seconds: float) -> None:
        """A 429 with this Retry-After was answered. It never shortens a wait that is in force."""
        if now >= self._wait_ends:
            self._wait_began = now
        self._wait_ends = max(self._wait_ends, now + seconds)

    def since(self, moment: float, until: float = float("inf")) -> "ArrivalLog":
        """What came from `moment` on and before `until`."""
        return ArrivalLog(row for row in self.rows if moment <= row.at < until)

    def count(self, *, model: str | None = None, status: str | None = None) -> int:
        """How many, of this model and with this answer where one is named."""
        return sum(model in (None, row.model) and status in (None, row.status) for row in self.rows)

    def sent_during_wait(self, *, later_than: float = -1.0) -> int:
        """Requests that came while a Retry-After was in force, more than `later_than` seconds after it began."""
        return sum(row.into_wait is not None and row.into_wait > later_than for row in self.rows)

    @property
    def latest_into_wait(self) -> float:
        """The most seconds into a wait that a request came; 0.0 when none did."""
        return max((row.into_wait for row in self.rows if row.into_wait is not None), default=0.0)

    def largest_in_window(self, seconds: float, *, model: str | None = None) -> int:
        """The most requests, whatever the answer, that came within any `seconds`."""
        return largest_in_window([row.at for row in self.rows if model in (None, row.model)], seconds)

    def as_json(self) -> dict[str, object]:
        """Compact: one short list for each request."""
        return {"rows": [[round(row.at, 6), row.model, row.status, row.into_wait] for row in self.rows]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `as_json` wrote."""
        return cls(Arrival(*row) for row in body["rows"])


def largest_in_window(times: Sequence[float], seconds: float) -> int:
    """The most of these times, which are in order, within any `seconds`; one leaves the window `seconds` after it came."""
    window: deque[float] = deque()
    largest = 0
    for at in times:
        window.append(at)
        while window[0] <= at - seconds:
            window.popleft()
        largest = max(largest, len(window))
    return largest
