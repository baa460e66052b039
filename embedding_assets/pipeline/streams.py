"""Reading a stream in batches, and the one error that explains why a group of tasks failed."""

import sys
from typing import TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from embedding_assets.domain.failures import ClassifiedError

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

T = TypeVar("T")


async def gather(stream: MemoryObjectReceiveStream[T], most: int, seconds: float) -> tuple[list[T], bool]:
    """Up to `most` of what comes, no longer than `seconds` after the first; and whether more may come."""
    batch: list[T] = []
    try:
        batch.append(await stream.receive())
        with anyio.move_on_after(seconds):
            while len(batch) < most:
                batch.append(await stream.receive())
    except anyio.EndOfStream:
        return batch, False
    return batch, True


def first_reason(group: BaseException) -> BaseException:
    """The one error that explains a failed run: a classified one before any other, the first before the rest."""
    leaves = _leaves(group)
    classified = [error for error in leaves if isinstance(error, ClassifiedError)]
    return (classified or leaves)[0]


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group: BaseExceptionGroup[BaseException] = error
    return [leaf for inner in group.exceptions for leaf in _leaves(inner)]
