"""Durations in PromQL, and a faster clock: `make ops` and its tests play an hour in minutes, by the same rules.

An expression writes ranges as PromQL does (`[15m]`) and seconds that are compared as `<15m>`.
"""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COMPARED = re.compile(r"<(\d+)([smhd])>")
# Not within a name (ratio_rate5m) and not a number of its own.
_RANGE = re.compile(r"(?<![\w.])(\d+)([smhd])\b")


def seconds(duration: str) -> int:
    """`15m` is 900."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def rendered(expression: str, faster: float = 1) -> str:
    """PromQL in which every duration is `faster` times shorter."""
    compared = _COMPARED.sub(lambda found: f"{seconds(''.join(found.groups())) / faster:g}", expression)
    return compared if faster == 1 else _RANGE.sub(lambda found: shorter("".join(found.groups()), faster), compared)


def shorter(duration: str, faster: float) -> str:
    """`15m` thirty times faster is `30000ms`; unchanged where nothing is scaled."""
    return duration if faster == 1 else f"{max(1, round(seconds(duration) * 1000 / faster))}ms"
