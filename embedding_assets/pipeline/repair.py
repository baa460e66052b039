"""Gives every published input a valid vector, from what is stored: no fetch, no chunking, no queue.

The way back from lost or damaged vectors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.circuits import circuits_closed
from embedding_assets.pipeline.isolating import Isolator
from embedding_assets.pipeline.requesting import Input, RequestCounts, Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors
from embedding_assets.store.vectors import MissingInput

_INPUTS_AT_ONCE = 1000


@dataclass(slots=True)
class RepairOutcome:
    """Inputs embedded anew; inputs the provider refused, by error type; inputs whose text can no longer be made."""

    repaired: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])
    requests: RequestCounts = field(default_factory=RequestCounts)


async def repair_vectors(bench: Workbench, shards: Sequence[int]) -> RepairOutcome:
    """Embed the published inputs of these shards that have no vector, or a zero one.

    Raises:
        ClassifiedError: systemic, a circuit is open, or a budget is used up; what was repaired so far stays.
    """
    async with circuits_closed(bench, probe_now=True, fetches=False):
        return await _repair(bench, shards)


async def _repair(bench: Workbench, shards: Sequence[int]) -> RepairOutcome:
    # It holds no claim, so it may wait as long as the limit takes.
    requester = Requester(bench, hold_seconds=math.inf)
    isolator = Isolator(bench, requester)
    outcome = RepairOutcome(requests=requester.counts)
    given_up: list[bytes] = []
    async with bench.db.transaction() as tx:
        await vectors.create_table(tx, bench.target.table)
    while True:
        async with bench.db.transaction() as tx:
            missing = await vectors.inputs_without_vectors(
                tx, bench.target.table, shards, inputs=_INPUTS_AT_ONCE, given_up=given_up
            )
            await vectors.delete_zero_vectors(tx, bench.target.table, [one.input_hash for one in missing])
        if not missing:
            return outcome
        given_up += await _embed(bench, isolator, missing, outcome)


async def _embed(
    bench: Workbench, isolator: Isolator, missing: Sequence[MissingInput], outcome: RepairOutcome
) -> list[bytes]:
    """Hashes of inputs that got no vector."""
    inputs = [
        Input(one.input_hash, bench.target.model.input_for(one.content, one.title), one.tokens, Lane.BACKFILL)
        for one in missing
    ]
    # A title that changed without a new version of the chunk would make another input: its document must be processed.
    lost = [one.input_hash for one in inputs if input_hash(one.text) != one.input_hash]
    if lost:
        outcome.refused["input_lost"] = outcome.refused.get("input_lost", 0) + len(lost)
    whole = [one for one in inputs if one.input_hash not in set(lost)]
    size = bench.target.caps.max_inputs
    for start in range(0, len(whole), size):
        for result in await isolator.embed(whole[start : start + size]):
            if result.held_back is not None:
                # Not the provider's word, so no circuit's matter.
                raise ClassifiedError(
                    ErrorType.BUDGET_REACHED, f"{result.held_back.reason}: what was repaired so far stays"
                )
            if result.error is None:
                outcome.repaired += 1
            else:
                lost.append(result.input_hash)
                name = result.error.error_type.value
                outcome.refused[name] = outcome.refused.get(name, 0) + 1
    return lost
