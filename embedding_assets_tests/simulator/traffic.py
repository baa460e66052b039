"""What reached the simulated provider, and the sliding window it is limited by.

Not here: the log of single requests (arrivals), HTTP (app). Everything runs on the server's one event loop, so nothing is locked.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from embedding_assets_tests.simulator.arrivals import Arrival, ArrivalLog
from embedding_assets_tests.simulator.vectors import tokens_of


@dataclass(frozen=True, slots=True)
class Limits:
    """A true sliding window of `window_seconds`; None is no limit."""

    requests: int | None = None
    inputs: int | None = None
    tokens: int | None = None
    window_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What the provider saw since its start or last reset.

    `requests`, `inputs` and `tokens` are received, whatever the answer; `distinct_inputs` and `max_duplicates` (how
    often the most repeated input was answered) count inputs answered with 200. `statuses` counts answers per HTTP
    status, with "reset" for connections cut. `max_concurrency` is the most requests in progress at one time,
    `largest_window` the most received within any window of the limit's length, `sent_during_retry_after` those received
    before the Retry-After of an earlier 429 had passed.
    """

    requests: int = 0
    inputs: int = 0
    tokens: int = 0
    connections: int = 0
    max_concurrency: int = 0
    distinct_inputs: int = 0
    max_duplicates: int = 0
    largest_window: int = 0
    sent_during_retry_after: int = 0
    statuses: dict[str, int] = field(default_factory=dict[str, int])


class Traffic:
    """The running counts of one simulated provider."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.arrivals = ArrivalLog()
        self._clients: set[tuple[str, int]] = set()
        self._requests = 0
        self._inputs = 0
        self._tokens = 0
        self._running = 0
        self._max_running = 0
        self._statuses: Counter[str] = Counter()
        self._answered: Counter[bytes] = Counter()
        self._window: deque[tuple[float, int, int]] = deque()

    def received(self, now: float, model: str, inputs: Sequence[str], client: tuple[str, int]) -> Arrival:
        """Count and log a request as it arrives; `client` is the address and port of its connection."""
        self._clients.add(client)
        self._requests += 1
        self._inputs += len(inputs)
        self._tokens += sum(map(tokens_of, inputs))
        self._running += 1
        self._max_running = max(self._max_running, self._running)
        return self.arrivals.arrived(now, model)

    def finished(self, arrival: Arrival, status: str, inputs: Sequence[str]) -> None:
        """Count the answer of a request, and write it into the log."""
        arrival.status = status
        self._running -= 1
        self._statuses[status] += 1
        if status == "200":
            self._answered.update(hashlib.sha256(text.encode()).digest()[:16] for text in inputs)

    def seconds_until_allowed(self, now: float, inputs: Sequence[str]) -> float:
        """0.0 and the request is entered in the window; or the seconds until the oldest entry leaves it."""
        window = self.limits.window_seconds
        while self._window and self._window[0][0] <= now - window:
            self._window.popleft()
        asked = (1, len(inputs), sum(map(tokens_of, inputs)))
        used = (len(self._window), sum(entry[1] for entry in self._window), sum(entry[2] for entry in self._window))
        capacity = (self.limits.requests, self.limits.inputs, self.limits.tokens)
        if all(limit is None or have + want <= limit for have, want, limit in zip(used, asked, capacity, strict=True)):
            self._window.append((now, asked[1], asked[2]))
            return 0.0
        return self._window[0][0] + window - now if self._window else window

    def counters(self) -> dict[str, object]:
        """The counts as JSON; the keys are the fields of `Counters`."""
        return asdict(
            Counters(
                requests=self._requests,
                inputs=self._inputs,
                tokens=self._tokens,
                connections=len(self._clients),
                max_concurrency=self._max_running,
                distinct_inputs=len(self._answered),
                max_duplicates=max(self._answered.values(), default=0),
                largest_window=self.arrivals.largest_in_window(self.limits.window_seconds),
                sent_during_retry_after=self.arrivals.sent_during_wait(),
                statuses=dict(self._statuses),
            )
        )
