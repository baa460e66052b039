"""PromQL that several pages say the same way. `$collection` is the reader's choice; `$__rate_interval` is Grafana's."""

from dashboards_source.grafana.panel import Color, Step

OF = 'collection=~"$collection"'
HOUR = 3600
LATE, HALF_LATE = 3600.0, 1800.0


def rate(metric: str, by: str = "", where: str = OF, over: str = "$__rate_interval") -> str:
    """Per second, all together or by labels."""
    matchers = f"{{{where}}}" if where else ""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{matchers}[{over}]))"


def quantile(part: float, metric: str, by: str = "", where: str = OF) -> str:
    """Of a histogram that is counted."""
    labels = "le" if not by else f"le, {by}"
    return f"histogram_quantile({part}, {rate(f'{metric}_bucket', labels, where)})"


def mean(metric: str, by: str = "", where: str = OF) -> str:
    """Of a histogram that is counted."""
    return f"{rate(f'{metric}_sum', by, where)} / {rate(f'{metric}_count', by, where)}"


def total(metric: str, by: str = "", where: str = OF) -> str:
    """A gauge, all together or by labels."""
    matchers = f"{{{where}}}" if where else ""
    return f"sum{f' by ({by})' if by else ''} ({metric}{matchers})"


def red_from(value: float) -> tuple[Step, ...]:
    """Green below, red from it on."""
    return (Step(None, Color.GREEN), Step(value, Color.RED))


def green_from(value: float, *, nearly: float | None = None) -> tuple[Step, ...]:
    """Red below, green from it on; orange from `nearly` on."""
    between = () if nearly is None else (Step(nearly, Color.ORANGE),)
    return (Step(None, Color.RED), *between, Step(value, Color.GREEN))


def warn_then_red(warn: float, red: float) -> tuple[Step, ...]:
    """Green, orange, red."""
    return (Step(None, Color.GREEN), Step(warn, Color.ORANGE), Step(red, Color.RED))
