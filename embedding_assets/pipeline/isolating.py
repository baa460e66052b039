"""One batch of inputs to vectors in the store; of a batch that fails, all inputs but those that are to blame.

Not here: one request, its waits and its short retries (requesting), which inputs make a batch (embedding).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from embedding_assets.domain.failures import EverybodysFailure, FailureClass, ProviderError
from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.pipeline.limiting import NoRoom
from embedding_assets.pipeline.request_counts import Waited
from embedding_assets.pipeline.requesting import Input, Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors


@dataclass(frozen=True, slots=True)
class InputResult:
    """What became of an input: stored (no error), refused, or held back because the limit or a budget had no room.

    `throttled_seconds` is how long its batch waited for the limit.
    """

    input_hash: bytes
    error: ProviderError | None = None
    held_back: LimitWait | None = None
    throttled_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Failed:
    """Inputs that failed together, and how many good replies the run had when they were sent."""

    inputs: Sequence[Input]
    error: ProviderError
    good_before: int


class Isolator:
    """Embeds batches of one run, through its requester."""

    def __init__(self, bench: Workbench, requester: Requester) -> None:
        self._bench = bench
        self._requester = requester

    async def embed(self, inputs: Sequence[Input]) -> list[InputResult]:
        """Embed and store; every input comes back once: stored, refused, or held back by the limit.

        What fails together is halved, larger parts first, until each input to blame has failed alone. With k of them among n that
        are refused at once, this takes 2 k log2(n) requests at most beside the first, a harmless input's included.

        Raises:
            ProviderError: systemic (credentials, unknown model), or a harmless input fared no better: no input is to
                blame.
        """
        good_before = self._requester.good_replies
        results: list[InputResult] = []
        waited = Waited()
        failing = deque(await self._send(inputs, results, waited))
        while failing:
            part = failing.popleft()
            try:
                await self._require_better(part, len(inputs), good_before)
            except NoRoom as full:
                results += _held_back(part.inputs, full)
            else:
                failing.extend(await self._halve(part, results, waited))
        return [replace(result, throttled_seconds=waited.seconds) for result in results] if waited.seconds else results

    async def _send(self, inputs: Sequence[Input], results: list[InputResult], waited: Waited) -> list[_Failed]:
        """Ask for these together and store what comes; they themselves if they failed together."""
        good_before = self._requester.good_replies
        try:
            reply = await self._requester.request(inputs, waited)
        except NoRoom as full:
            results += _held_back(inputs, full)
            return []
        except EverybodysFailure:
            raise
        except ProviderError as error:
            if error.failure_class is FailureClass.SYSTEMIC:
                raise
            return [_Failed(inputs, error, good_before)]
        results += await self._store(inputs, reply)
        return []

    async def _halve(self, part: _Failed, results: list[InputResult], waited: Waited) -> list[_Failed]:
        if len(part.inputs) == 1:
            results.append(InputResult(part.inputs[0].input_hash, part.error))
            return []
        half = len(part.inputs) // 2
        first = await self._send(part.inputs[:half], results, waited)
        return first + await self._send(part.inputs[half:], results, waited)

    async def _require_better(self, part: _Failed, whole: int, good_before: int) -> None:
        """Raise where nothing fares better than this part: then it is the provider that fails.

        Where an input is refused, any good reply of this run is evidence enough, and the halves of a whole batch will likely
        bring one. What may pass needs one since the batch was sent; the input that is charged with it, one since itself was.
        """
        good = self._requester.good_replies
        if part.error.failure_class is FailureClass.POISON:
            if good or 1 < len(part.inputs) == whole:
                return
        elif good > (part.good_before if len(part.inputs) == 1 else good_before):
            return
        await self._requester.require_better(part.error)

    async def _store(self, inputs: Sequence[Input], reply: EmbeddingReply) -> list[InputResult]:
        refused = {bad.position: ProviderError(bad.error_type, bad.detail) for bad in reply.rejected}
        for error in refused.values():
            self._requester.counts.count_error(error.error_type)
        good = [position for position in range(len(inputs)) if position not in refused]
        if good:
            hashes = [inputs[position].input_hash for position in good]
            rows = reply.vectors[good] if refused else reply.vectors
            table = self._bench.target.table
            await self._bench.db.atomically(lambda tx: vectors.store_vectors(tx, table, hashes, rows))
        return [InputResult(one.input_hash, refused.get(position)) for position, one in enumerate(inputs)]


def _held_back(inputs: Sequence[Input], full: NoRoom) -> list[InputResult]:
    return [InputResult(one.input_hash, held_back=full.wait) for one in inputs]
