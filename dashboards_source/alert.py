"""One alert as it is described: everything a rule file, Alertmanager and the runbook's test need to know of it.

Not here: the alerts themselves (alerts/), how they are written (rules).
"""

from dataclasses import dataclass
from enum import Enum

# Where a rule sends its reader; a deployment puts the address of its copy in front.
RUNBOOK = "docs/runbook.md"


class Severity(str, Enum):
    """`page`: somebody is woken, users are or will soon be hurt. `ticket`: within the working day."""

    PAGE = "page"
    TICKET = "ticket"


class Owner(str, Enum):
    """Whose hands mend it."""

    PIPELINE = "pipeline"
    PROVIDER = "provider"
    DATABASE = "database"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Alert:
    """`expression` is PromQL with durations as `durations` has them; `threshold` says why these numbers and no others.

    `summary` is what a person reads first; `{{ $labels.… }}` and `{{ $value }}` are Prometheus's. `hides` are alerts that
    only say what follows from this one.
    """

    name: str
    severity: Severity
    owner: Owner
    expression: str
    lasting: str
    summary: str
    threshold: str
    labels: tuple[tuple[str, str], ...] = ()
    hides: tuple[str, ...] = ()

    @property
    def by_collection(self) -> bool:
        """Whether it is about one collection: its summary names it."""
        return "{{ $labels.collection }}" in self.summary

    @property
    def runbook_url(self) -> str:
        """Its entry; anchors are the alerts' names in lower case."""
        return f"{RUNBOOK}#{self.name.lower()}"
