"""Shards as a person writes them: `00-15`, `3`, `00,03`."""

import typer

from embedding_assets.domain.documents import SHARDS


def parse_shards(text: str) -> tuple[int, ...]:
    """The shards named, sorted, each once.

    Raises:
        BadParameter: no such shard, or not of this form.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isascii() or not first.isdigit() or (dash and not last.isdigit()):
            raise _wrong(text)
        found.update(range(int(first), int(last or first) + 1))
    if not found or max(found) >= SHARDS:
        raise _wrong(text)
    return tuple(sorted(found))


def _wrong(text: str) -> typer.BadParameter:
    return typer.BadParameter(f"{text!r} is not a list of shards from 00 to {SHARDS - 1}, such as 00-15 or 00,03")
