"""Gives every published input a valid vector, from what is stored: no fetch, no chunking, no queue.

The way back from lost or damaged vectors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from embedding_assets.pipeline.circuits import circuits_closed
from embedding_assets.pipeline.filling import fill
from embedding_assets.pipeline.request_counts import RequestCounts
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.stored_inputs import of_missing
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
    outcome = RepairOutcome(requests=requester.counts)
    async with bench.db.transaction() as tx:
        await vectors.create_table(tx, bench.target.table)
    last = b""
    while True:
        async with bench.db.transaction() as tx:
            missing = await vectors.inputs_without_vectors(
                tx, bench.target.table, shards, inputs=_INPUTS_AT_ONCE, after=last
            )
            await vectors.delete_zero_vectors(tx, bench.target.table, [one.input_hash for one in missing])
        if not missing:
            return outcome
        last = missing[-1].input_hash
        await _embed(bench, requester, missing, outcome)


async def _embed(
    bench: Workbench, requester: Requester, missing: Sequence[MissingInput], outcome: RepairOutcome
) -> None:
    inputs = of_missing(bench, missing)
    refused = await fill(bench, requester, inputs)
    outcome.repaired += len(inputs) - len(refused)
    # A text that makes another input than the one that is lost: its document must be processed.
    errors = ["input_lost"] * (len(missing) - len(inputs)) + [error.error_type.value for error in refused.values()]
    for error in errors:
        outcome.refused[error] = outcome.refused.get(error, 0) + 1
