"""The shared limit's answers, and how much a run takes of it. Not here: the limit's rules (SQL) or waiting (pipeline)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from typing_extensions import assert_never

# Backfill passes at most so many times its ceiling's even rate in any second (`waits_of` in SQL).
BACKFILL_PACE = 2


class WaitKind(str, Enum):
    """What a use waits for; the value is what the database answers, but for `circuit`, which it is not asked about."""

    BLOCKED = "blocked"
    RESTARTED = "restarted"
    CAPACITY = "capacity"
    CEILING = "ceiling"
    PACE = "pace"
    LIVE_PART = "live_part"
    TURN = "turn"
    BUDGET = "budget"
    CIRCUIT = "circuit"


@dataclass(frozen=True, slots=True)
class LimitWait:
    """Ask again after so many seconds. `about` is the resource (requests, inputs, tokens), the budget's name, or a sentence."""

    seconds: float
    kind: WaitKind
    about: str = ""

    @property
    def kept_back_by(self) -> str | None:
        """What of the limit is waited for, in one word; None where it is not the limit."""
        match self.kind:
            case WaitKind.BLOCKED:
                return "provider"
            case WaitKind.RESTARTED:
                return "restart"
            case WaitKind.BUDGET:
                return "budget"
            case WaitKind.CIRCUIT:
                return None
            case _:
                return self.about

    @property
    def reason(self) -> str:
        """What is waited for, in words."""
        match self.kind:
            case WaitKind.BLOCKED:
                return "the provider asked to be left alone"
            case WaitKind.RESTARTED:
                return "the database was restarted, and the minute before counts as full"
            case WaitKind.CAPACITY:
                return f"everybody together has used the limit's {self.about} of this minute"
            case WaitKind.CEILING:
                return f"our share of the limit's {self.about} of this minute is used"
            case WaitKind.PACE:
                return f"backfill is paced ({self.about})"
            case WaitKind.LIVE_PART:
                return f"the rest of our share of {self.about} is left to live changes"
            case WaitKind.TURN:
                return f"another collection that shares the limit's {self.about} goes first"
            case WaitKind.BUDGET:
                return f"budget {self.about} is used up"
            case WaitKind.CIRCUIT:
                return self.about
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class Room:
    """What is free now; None where nothing bounds it. `wait` is set when not even one input may pass."""

    wait: LimitWait | None = None
    requests: int | None = None
    inputs: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a document costs on average in this run: inputs a document, inputs a request, tokens an input."""

    inputs_per_document: float = 1.0
    inputs_per_request: float = 1.0
    tokens_per_input: float = 1.0

    def documents_of(self, inputs: float) -> int:
        """Documents with so many inputs together, at least 1."""
        return max(1, int(inputs / self.inputs_per_document))

    def documents_in(self, room: Room) -> int | None:
        """Documents that fit into what is free, at least 1 where something passes; None where nothing bounds them."""
        if room.wait is not None:
            return 0
        bounds = (
            None if room.requests is None else room.requests * self.inputs_per_request,
            room.inputs,
            None if room.tokens is None else room.tokens / self.tokens_per_input,
        )
        inputs = [bound for bound in bounds if bound is not None]
        return self.documents_of(min(inputs)) if inputs else None


def items_per_shard(ceiling_inputs: int, inputs_per_document: float, shards: int, *, first: int = 0) -> list[int]:
    """Items a run may take from each shard so that all together need one minute's ceiling: none of it is lost.

    315 inputs at one a document over 16 shards are 19 or 20 each, 315 together; rounding down alone gives 304. The
    shards that get one more begin at `first`, so that a caller can let them take turns.
    """
    share, rest = divmod(max(1, int(ceiling_inputs / inputs_per_document)), shards)
    return [share + ((shard - first) % shards < rest) for shard in range(shards)]


def grouped_shards(shards: Sequence[int], groups: int) -> list[tuple[int, ...]]:
    """The shards as so many contiguous ranges, as equal as can be: 16 in 3 are 6, 5 and 5."""
    size, rest = divmod(len(shards), groups)
    ends = [size * n + min(n, rest) for n in range(groups + 1)]
    return [tuple(shards[start:end]) for start, end in pairwise(ends) if end > start]
