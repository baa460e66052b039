"""Many inputs to vectors in the store, for whoever holds no claim: packed under both caps, several requests at once.

Not here: one batch (isolating), or which inputs (repair, model_build).
"""

import sys
from collections.abc import Iterable, Iterator

import anyio

from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError
from embedding_assets.domain.packing import Packer
from embedding_assets.domain.work import Stage
from embedding_assets.pipeline.isolating import Isolator
from embedding_assets.pipeline.requesting import Input, Requester
from embedding_assets.pipeline.streams import first_reason
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.telemetry.durable import ERRORS

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


async def fill(bench: Workbench, requester: Requester, inputs: Iterable[Input]) -> dict[bytes, ProviderError]:
    """Embed and store these inputs; those the provider refused, each with why.

    Raises:
        ClassifiedError: systemic, or a budget is used up; what was stored so far stays.
    """
    refused: dict[bytes, ProviderError] = {}
    isolator = Isolator(bench, requester)
    batches = _batches(bench, inputs)

    async def send() -> None:
        for batch in batches:
            for result in await isolator.embed(batch):
                if result.held_back is not None:
                    message = f"{result.held_back.reason}: what was embedded so far stays"
                    # Not the provider's word, so no circuit's matter.
                    raise ClassifiedError(ErrorType.BUDGET_REACHED, message)
                if result.error is not None:
                    refused[result.input_hash] = result.error
                    error_type = result.error.error_type.value
                    ERRORS.add(bench.ledger.held, bench.target.name, Stage.EMBEDDING.value, error_type)

    try:
        async with anyio.create_task_group() as group:
            for _ in range(bench.pace.requests_at_once):
                group.start_soon(send)
    except BaseExceptionGroup as failures:
        raise first_reason(failures) from failures
    return refused


def _batches(bench: Workbench, inputs: Iterable[Input]) -> Iterator[list[Input]]:
    packer = Packer[Input](bench.target.caps)
    for one in inputs:
        if full := packer.add(one, one.tokens):
            yield full
    if rest := packer.flush():
        yield rest
