"""How a test talks to the simulated provider: switch faults, read counts.

Not here: the protocol's embeddings endpoint, which only the code under test calls.
"""

import json
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from typing_extensions import Self

from embedding_assets_tests.simulator.arrivals import ArrivalLog
from embedding_assets_tests.simulator.faults import Fault, FaultKind
from embedding_assets_tests.simulator.server import SimulatorServer
from embedding_assets_tests.simulator.traffic import Counters

DEFAULT_DIMENSIONS = 8


class SimulatorClient:
    """The switches of a running simulator at `base_url`, in whichever process it runs."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    @property
    def api_base(self) -> str:
        """What LiteLLM takes as `api_base`."""
        return f"{self.base_url}/v1"

    def fault(self, kind: FaultKind, **settings: Any) -> None:
        """Add a fault; `settings` are the other fields of `Fault`. The first fault that matches a request wins."""
        self._call("/control", {"fault": Fault(kind, **settings).as_json()})

    def limit(self, **limits: float) -> None:
        """Set the sliding-window limits; `limits` are the fields of `Limits`."""
        self._call("/control", {"limits": limits})

    def counters(self) -> Counters:
        """What the provider saw since its start or last reset."""
        return Counters(**self._call("/counters", None))

    def arrivals(self, *, since: float = float("-inf")) -> ArrivalLog:
        """Each request the provider saw since this `time.monotonic()`, and since its start or last reset."""
        return ArrivalLog.from_json(self._call(f"/arrivals?since={since}", None))

    def reset(self) -> None:
        """Forget faults, limits and counts."""
        self._call("/reset", {})

    def _call(self, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data=data)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())


class Simulator(SimulatorClient):
    """A simulator in a thread of this process, for the length of a `with` block."""

    def __init__(self, *, dimensions: int = DEFAULT_DIMENSIONS) -> None:
        self.dimensions = dimensions
        self._server = SimulatorServer(0, dimensions)
        super().__init__(self._server.base_url)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop()
