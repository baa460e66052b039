"""Packs units of a text (sentences, lines) into spans of bounded size, and ends each at the best boundary near its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from embedding_assets.domain.chunkers.recursive import Span, recursive_spans
from embedding_assets.domain.chunkers.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Unit:
    """The span `start` to `end` of a text, which follows the one before; `level` is how bad it is to begin there, 0 best."""

    start: int
    end: int
    level: int = 0


def packed_spans(sizes: Sizes, text: str, units: Sequence[Unit]) -> Iterator[Span]:
    """(start, content) of each span; a unit that is too large alone is cut as plain text."""
    costs = [sizes.measure(text[unit.start : unit.end]) for unit in units]
    sums = [0, *accumulate(costs)]
    first = done = 0
    while done < len(units):
        if costs[done] > sizes.size:
            for offset, content in recursive_spans(sizes, text[units[done].start : units[done].end]):
                yield units[done].start + offset, content
            first = done = done + 1
            continue
        end = _end(sizes, units, sums, first, done)
        yield from trimmed(text, units[first].start, units[end - 1].end)
        first, done = _next_start(sizes, sums, first, end), end


def trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """The span without white space at its ends; none where it is nothing else."""
    span = text[start:end]
    if content := span.strip():
        yield start + len(span) - len(span.lstrip()), content


def _end(sizes: Sizes, units: Sequence[Unit], sums: Sequence[int], first: int, done: int) -> int:
    """The unit before which a span from `first` ends: as full as it gets, or less by up to half at a better boundary."""
    end = done + 1
    while end < len(units) and sums[end + 1] - sums[first] <= sizes.size:
        end += 1
    if end == len(units):
        return end
    half = sums[first] + sizes.size // 2
    candidates = [cut for cut in range(done + 1, end + 1) if sums[cut] >= half] or [end]
    return min(candidates, key=lambda cut: (units[cut].level, -cut))


def _next_start(sizes: Sizes, sums: Sequence[int], first: int, end: int) -> int:
    """Back by whole units within the overlap, as long as the next unit still fits behind them."""
    start = end
    fits = end + 1 < len(sums)
    while fits and start - 1 > first and sums[end] - sums[start - 1] <= sizes.overlap:
        if sums[end + 1] - sums[start - 1] > sizes.size:
            break
        start -= 1
    return start
