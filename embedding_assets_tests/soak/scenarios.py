"""What the soak puts on stage, by name, and how much of the limit is ours in each. No input or output here."""

from dataclasses import dataclass

LIMIT = "provider-key"
OURS, NEIGHBOUR = "embedding-assets", "chat"
CAPACITY = 450
SHARE = 0.7
CEILING = int(CAPACITY * SHARE)
WINDOW_SECONDS = 60.0
BACKFILL = 100_000
# Of the collection that has no backfill.
OTHER_DOCUMENTS = 1_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load. Rates per minute; `documents` makes it finite: it ends when all are published, else after its time.

    `apart`: these are documents of another collection, which shares the limit and the machine, and has no backfill.

    `provider_per_minute` is what the provider really allows; the limit's own settings always say `CAPACITY`. With
    `live_per_minute`, so many documents change beside a backfill of `BACKFILL`. `limited` False: there is no limit,
    requests hold more than one input, and it ends when the backfill is drained.
    """

    name: str
    says: str
    neighbour_per_minute: int = 0
    ceiling_on: str = "own"
    min_per_minute: int = 0
    provider_per_minute: int = CAPACITY
    documents: int | None = None
    live_per_minute: int = 0
    limited: bool = True
    apart: bool = False

    def allowed(self, neighbour: float) -> float:
        """Our part of a minute in which the neighbour takes so much."""
        room = min(CAPACITY, self.provider_per_minute) - neighbour
        if self.ceiling_on == "total":
            return min(room, max(CEILING - neighbour, self.min_per_minute))
        return min(room, CEILING)


SCENARIOS = (
    Scenario("own-135", "the neighbour takes 135 a minute: exactly what we leave", neighbour_per_minute=135),
    Scenario(
        "own-250", "the neighbour takes 250 a minute: the capacity binds before our ceiling", neighbour_per_minute=250
    ),
    Scenario(
        "total-135",
        "the ceiling is held against everybody's use: we yield to the neighbour's 135 a minute",
        neighbour_per_minute=135,
        ceiling_on="total",
        min_per_minute=20,
    ),
    Scenario(
        "hidden",
        "the provider allows 200 a minute and the limit's settings say 450",
        provider_per_minute=200,
        documents=1200,
    ),
    Scenario(
        "live-beside-backfill",
        "a document changes every second beside a backfill that takes all of the limit it can get",
        live_per_minute=60,
    ),
    Scenario(
        "live-beside-backfill-unlimited",
        "a document changes every second beside a backfill that is drained as fast as this machine can",
        live_per_minute=60,
        limited=False,
    ),
    Scenario(
        "live-beside-anothers-backfill",
        "a document of one collection changes every second beside another collection's backfill under the same limit",
        live_per_minute=60,
        apart=True,
    ),
)
