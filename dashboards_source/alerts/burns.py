"""Alerts about the error budgets: for every objective the four policies of domain/slo."""

from dashboards_source.alert import Alert, Owner, Severity
from embedding_assets.domain.slo import OBJECTIVES, POLICIES, BurnPolicy, Objective, burn_alert, burn_expression


def _alert(objective: Objective, policy: BurnPolicy) -> Alert:
    return Alert(
        burn_alert(objective),
        Severity(policy.severity),
        Owner.PIPELINE,
        burn_expression(objective, policy),
        policy.lasting,
        f"{{{{ $value | humanizePercentage }}}} of the last {policy.long} broke the promise that {objective.good_event}",
        f"{policy.factor:g} times the budget of {objective.error_budget:.1%} over {policy.long} and over {policy.short}: "
        f"{policy.reason}. At least {policy.least_bad} bad events, so that one among sixty does not alert.",
        labels=(("objective", objective.name), ("window", policy.long)),
    )


ALERTS = tuple(_alert(objective, policy) for objective in OBJECTIVES for policy in POLICIES)
