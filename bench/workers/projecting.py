"""From measured parts to more workers than this machine has room for: arithmetic. Not here: measuring (draining, reserving)."""

from dataclasses import dataclass

from bench.workers.draining import INPUTS_PER_REQUEST, REQUESTS_AT_ONCE
from bench.workers.source import CHUNKS

# Cores that the database is given in the projection.
DATABASE_CORES = 8
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Parts:
    """Measured: seconds of CPU for each document, seconds that the provider takes, reservations a second on one limit."""

    worker_cpu: float
    database_cpu: float
    latency: float
    reservations: float

    def ceilings(self, workers: int) -> dict[str, float]:
        """Documents an hour that each part alone would let pass."""
        at_the_provider = REQUESTS_AT_ONCE * INPUTS_PER_REQUEST / CHUNKS / self.latency
        return {
            "requests in flight": workers * at_the_provider * _HOUR,
            "CPU of the workers, a core each": workers / self.worker_cpu * _HOUR,
            f"CPU of PostgreSQL, {DATABASE_CORES} cores": DATABASE_CORES / self.database_cpu * _HOUR,
            "the row of the shared limit": self.reservations * INPUTS_PER_REQUEST / CHUNKS * _HOUR,
        }

    def projected(self, workers: int) -> tuple[float, str]:
        """Documents an hour, and what they are limited by."""
        name, value = min(self.ceilings(workers).items(), key=lambda pair: pair[1])
        return value, name
