"""Spans of time as a person writes them: `90s`, `30m`, `2h`, `7d`."""

import re

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", re.ASCII)


def parse_duration(text: str) -> float:
    """The span in seconds.

    Raises:
        BadParameter: not of this form.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a span of time, such as 90s, 30m, 2h or 7d")
    return float(found[1]) * _SECONDS[found[2]]
