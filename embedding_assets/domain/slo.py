"""Objectives: what is promised, which events of the ledger are good and bad, and when burning the error budget alerts.

The one description from which come the recording rules, the burn alerts, the panels' queries, the page of objectives and
`embedding-assets slo`. Not here: the words of alerts and their files (dashboards_source), the figures (pipeline/objectives).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Every window of a burn policy, and the objective's own.
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
WINDOW_DAYS = 30
PROCESSED_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Events:
    """Which events of the ledger: a counter's, or a histogram's observations, all or those up to a bound of its buckets.

    `labels` has, for a label, the values that count; a label that is not named counts whatever its value.
    """

    metric: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    histogram: bool = False
    at_most: float | None = None

    @property
    def selector(self) -> str:
        """As PromQL selects their series."""
        matchers = [
            f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{"|".join(values)}"'
            for label, values in self.labels
        ]
        if self.at_most is not None:
            # As the exposition writes a bound: a float, always with its fraction.
            matchers.append(f'le="{float(self.at_most)}"')
        suffix = "" if not self.histogram else "_count" if self.at_most is None else "_bucket"
        return f"{self.metric}{suffix}" + (f"{{{','.join(matchers)}}}" if matchers else "")

    def increase(self, window: str, by: str = "") -> str:
        """How many there were in the window, all together or by a label."""
        return f"sum{f' by ({by})' if by else ''} (increase({self.selector}[{window}]))"

    def take(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is among them."""
        return all(labels.get(label) in values for label, values in self.labels)


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise in numbers. `bad` are the bad events; where the ledger counts only good ones, these are `good`."""

    name: str
    title: str
    good_event: str
    target: float
    total: Events
    bad: Events | None = None
    good: Events | None = None

    @property
    def error_budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.target, 9)

    def bad_increase(self, window: str, by: str = "") -> str:
        """PromQL: bad events in the window."""
        if self.bad is not None:
            return self.bad.increase(window, by)
        assert self.good is not None
        return f"clamp_min({self.total.increase(window, by)} - {self.good.increase(window, by)}, 0)"

    def error_ratio(self, window: str, by: str = "") -> str:
        """PromQL: the share of bad events in the window; nothing where there were no events."""
        return f"{self.bad_increase(window, by)} / ({self.total.increase(window, by)} > 0)"


@dataclass(frozen=True, slots=True)
class BurnPolicy:
    """Alert when the budget burns `factor` times too fast over the long window, and still does over the short one.

    `least_bad` bad events must be among them: without, one failure in sixty documents pages. `budget_spent` is what is
    gone of thirty days' budget when it alerts, `reason` why these numbers.
    """

    severity: str
    long: str
    short: str
    factor: float
    lasting: str
    least_bad: int
    reason: str


POLICIES = (
    BurnPolicy("page", "1h", "5m", 14.4, "2m", 5, "2 % of thirty days' budget in an hour: gone in two days"),
    BurnPolicy("page", "6h", "30m", 6.0, "15m", 3, "5 % of thirty days' budget in six hours: gone in five days"),
    BurnPolicy("ticket", "1d", "2h", 3.0, "1h", 10, "10 % of thirty days' budget in a day: gone in ten days"),
    BurnPolicy("ticket", "3d", "6h", 1.0, "3h", 10, "10 % of thirty days' budget in three days: gone at the end"),
)

_PROMISES = "embedding_freshness_sla_documents_total"
_CHANGES = "embedding_changes_total"
_DURATION = "embedding_document_duration_seconds"
_WITH_WAITING = (("waiting", ("included",)),)

FRESHNESS = Objective(
    "freshness",
    "Freshness",
    "a change at the source is published within an hour",
    0.99,
    total=Events(_PROMISES),
    bad=Events(_PROMISES, (("result", ("missed",)),)),
)
SUCCESS = Objective(
    "success",
    "Success",
    "a change is published without a failed attempt",
    0.999,
    total=Events(_CHANGES),
    bad=Events(_CHANGES, (("result", ("failure",)),)),
)
LATENCY = Objective(
    "latency",
    "Latency",
    "a claimed document is published within 30 seconds, waiting for the limit included",
    0.95,
    total=Events(_DURATION, _WITH_WAITING, histogram=True),
    good=Events(_DURATION, _WITH_WAITING, histogram=True, at_most=PROCESSED_WITHIN_SECONDS),
)
OBJECTIVES = (FRESHNESS, SUCCESS, LATENCY)


def ratio_rule(window: str) -> str:
    """The recorded error ratio over a window; labelled by `objective`."""
    return f"slo:sli_error:ratio_rate{window}"


def bad_rule(window: str) -> str:
    """The recorded number of bad events in a window; labelled by `objective`."""
    return f"slo:sli_bad:increase{window}"


def burn_alert(objective: Objective) -> str:
    """The name of the alerts about an objective's budget, which differ by severity and window."""
    return f"Embedding{objective.title}BudgetBurn"


def burn_expression(objective: Objective, policy: BurnPolicy) -> str:
    """PromQL: when a policy alerts; its value is the error ratio over the long window."""
    limit = f"{policy.factor:g} * {objective.error_budget:g}"
    where = f'{{objective="{objective.name}"}}'
    return (
        f"{ratio_rule(policy.long)}{where} > {limit}\n"
        f"and {ratio_rule(policy.short)}{where} > {limit}\n"
        f"and {bad_rule(policy.long)}{where} >= {policy.least_bad}"
    )


def burn_rate_query(objective: Objective, window: str) -> str:
    """PromQL of a panel: how many times too fast the budget burns; 1 spends it exactly in thirty days."""
    return f'{ratio_rule(window)}{{objective="{objective.name}"}} / {objective.error_budget:g}'


def budget_left_query(objective: Objective) -> str:
    """PromQL of a panel: the part of thirty days' error budget that is left; below 0 it is overspent."""
    return f'1 - {ratio_rule("30d")}{{objective="{objective.name}"}} / {objective.error_budget:g}'


def compliance_query(objective: Objective) -> str:
    """PromQL of a panel: the share of good events in thirty days."""
    return f'1 - {ratio_rule("30d")}{{objective="{objective.name}"}}'


@dataclass(frozen=True, slots=True)
class Spent:
    """Events of an objective over some time, as counted."""

    total: float
    bad: float

    @property
    def error_ratio(self) -> float | None:
        """None where there were no events: nothing is known, and nothing was spent."""
        return self.bad / self.total if self.total > 0 else None

    def burn(self, objective: Objective) -> float | None:
        """How many times too fast the budget burnt."""
        return None if self.error_ratio is None else self.error_ratio / objective.error_budget

    def budget_left(self, objective: Objective) -> float:
        """The part of the budget of these events that is left; below 0 it is overspent."""
        return 1 - (self.burn(objective) or 0.0)
