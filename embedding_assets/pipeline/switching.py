"""Which model a collection is under, and changing it: apply, cut over, and noticing that somebody else did.

Every settle holds the lock of its model's table in shared form. Whoever changes the model, or writes publications outside of a
settle, first takes its exclusive form for the active model: what is then read is so until the transaction ends.
Not here: building a model (model_build), dropping one (retiring).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from embedding_assets.domain.failures import ClassifiedError, ErrorType, StoreError
from embedding_assets.pipeline.workbench import Target, Workbench
from embedding_assets.store import collections, model_builds, vectors
from embedding_assets.store.collections import AppliedCollection, AppliedModel, CollectionSettings
from embedding_assets.store.database import Tx
from embedding_assets.store.model_builds import Models

T = TypeVar("T")


class Atomically(Protocol):
    """What `work` returns, in one transaction: as `Database.atomically`, or on a connection of the caller's choice."""

    async def __call__(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Commits when `work` has returned."""
        ...


class ModelStep(Enum):
    """What applying a collection did to its model: nothing, changed at once, being built beside it, build cancelled."""

    KEPT = "kept"
    CHANGED = "changed"
    BUILDING = "building"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class AppliedStep:
    """A collection as it is after it was applied, and what became of its model.

    `dropped` was being built and is no longer: what it holds is to be dropped. `recut`: what is published is cut another
    way than the collection's chunking says now.
    """

    applied: AppliedCollection
    step: ModelStep
    dropped: AppliedModel | None
    recut: bool


async def hold_model(tx: Tx, name: str) -> AppliedCollection | None:
    """The collection, with every settle under its active model held off until the transaction ends."""
    found = await collections.find(tx, name)
    while found is not None:
        await vectors.hold_off_settles(tx, found.table)
        # A later statement: whoever had the lock before may have changed the model.
        now = await collections.find(tx, name)
        if now is None or now.model_id == found.model_id:
            return now
        found = now
    return None


async def apply_collection(tx: Tx, settings: CollectionSettings) -> AppliedStep:
    """Write a collection. Another model than the active one is built beside it once something is published."""
    before = await hold_model(tx, settings.name)
    same = before is None or before.active.fingerprint == settings.model.fingerprint
    beside = not same and await collections.has_publications(tx, settings.name)
    await collections.apply(tx, settings, beside=beside)
    after = await collections.find(tx, settings.name)
    assert after is not None
    built = before.building if before else None
    dropped = built if built and built.fingerprint != settings.model.fingerprint else None
    if beside:
        step = ModelStep.BUILDING
    elif not same:
        step = ModelStep.CHANGED
    else:
        step = ModelStep.CANCELLED if dropped else ModelStep.KEPT
    recut = before is not None and before.chunker_fingerprint != settings.chunker_fingerprint
    return AppliedStep(after, step, dropped, recut)


async def cut_over(bench: Workbench, *, atomically: Atomically | None = None) -> bool:
    """Make the model that was built the active one, unless it lacks something; whether it is the active one now.

    Raises:
        ClassifiedError: its build was cancelled.
    """

    async def go_over(tx: Tx) -> bool:
        applied = await hold_model(tx, bench.target.name)
        if applied is None or not still_building(bench.target, applied):
            return True
        if await model_builds.lacks_any(tx, Models(applied.id, applied.model_id, bench.target.model_id)):
            return False
        await collections.cut_over(tx, applied.id)
        return True

    return await (atomically or bench.db.atomically)(go_over)


def still_building(target: Target, applied: AppliedCollection | None) -> bool:
    """Whether the target's model is still the one that is built; False when it is the active one by now.

    Raises:
        ClassifiedError: neither: its build was cancelled.
    """
    if applied is not None and applied.building is not None and applied.building.id == target.model_id:
        return True
    if applied is not None and applied.model_id == target.model_id:
        return False
    message = f"collection {target.name!r}: the build of model {target.model.name} was cancelled while it went on"
    raise ClassifiedError(ErrorType.MODEL_REPLACED, message)


async def require_active(tx: Tx, target: Target) -> None:
    """Raise unless the target's model is the active one in this statement.

    Raises:
        ClassifiedError: `model_replaced`; systemic, so that nothing is published and every claim is given back.
    """
    active = await collections.active_model(tx, target.collection_id)
    if active is None:
        message = f"collection {target.name!r} was removed since this run began: nothing of it is published any more"
        raise ClassifiedError(ErrorType.MODEL_REPLACED, message)
    if active != target.model_id:
        message = (
            f"collection {target.name!r} got another model since this run began, so its settings are old: "
            "what it held is back in the queue for the next run"
        )
        raise ClassifiedError(ErrorType.MODEL_REPLACED, message)


@asynccontextmanager
async def told_if_replaced(bench: Workbench) -> AsyncGenerator[None, None]:
    """A run: the table of a model that was replaced and then retired is gone, which explains an error of the database."""
    try:
        yield
    except StoreError:
        async with bench.db.transaction() as tx:
            await require_active(tx, bench.target)
        raise
