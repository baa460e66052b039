"""A systemic failure is seen once, for all workers: opens its circuit, probes an open one before a run claims, closes it.

Not here: stopping a run that is under way (admission), or starting none (whoever reads collection_state).
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from embedding_assets.domain.backoff import probe_wait
from embedding_assets.domain.circuits import CircuitOpen, OpenCircuit, in_the_way
from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError, SourceError, StoreError
from embedding_assets.pipeline.limiting import NoRoom
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.run_ledger import count_error
from embedding_assets.pipeline.threads import run_in_time
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import circuits

_log = logging.getLogger(__name__)


@asynccontextmanager
async def circuits_closed(bench: Workbench, *, probe_now: bool, fetches: bool = True) -> AsyncGenerator[None, None]:
    """A block that works with this collection's model and, where it fetches, its source: begun with no circuit open.

    An open one is probed first when that is due, or, `probe_now`, whether it is due or not. Failures as in `opens_circuits`.

    Raises:
        CircuitOpen: it is not due, another run is probing it, or the probe did not pass.
    """
    scopes = bench.target.circuits
    await _pass(bench, scopes.provider, _ask_model, probe_now=probe_now)
    if fetches:
        await _pass(bench, (scopes.source,), _ask_source, probe_now=probe_now)
    async with opens_circuits(bench):
        yield


@asynccontextmanager
async def opens_circuits(bench: Workbench, *, instead_of: Sequence[str] = ()) -> AsyncGenerator[None, None]:
    """A failure inside that is nobody's document opens its circuit, `instead_of` those it was a probe of, and goes on."""
    try:
        yield
    except ClassifiedError as error:
        count_error(bench.ledger, bench.target.name, error)
        await _open(bench, error, instead_of)
        raise


async def _open(bench: Workbench, error: ClassifiedError, instead_of: Sequence[str]) -> None:
    scope = bench.target.circuits.of(error)
    if scope is None:
        return
    try:
        async with bench.db.transaction() as tx:
            reason, message = error.error_type.value, str(error)
            await circuits.open_circuit(tx, scope, reason, message, probe_in=probe_wait(0), instead_of=instead_of)
    except StoreError as failed:
        # What the run failed by says more than that nobody else hears of it.
        _log.error("circuit %r could not be opened: %s", scope, failed)


async def _pass(
    bench: Workbench, scopes: tuple[str, ...], ask: Callable[[Workbench], Awaitable[None]], *, probe_now: bool
) -> None:
    """Return when no circuit of these scopes is open, any more or at all; one good answer closes all of them."""
    circuit = await _in_the_way(bench, scopes)
    if circuit is None:
        return
    more = ""
    if await _taken(bench, circuit, probe_now=probe_now):
        try:
            async with opens_circuits(bench, instead_of=scopes):
                await ask(bench)
        except (ProviderError, SourceError):
            pass
        except NoRoom as full:
            more = f"; the probe was not sent: {full}"
        else:
            async with bench.db.transaction() as tx:
                await circuits.close_circuits(tx, scopes)
            return
    # As it stands now: with the probe's own answer, or closed by the run that was quicker.
    still = await _in_the_way(bench, scopes)
    if still is not None:
        raise CircuitOpen(still, more)


async def _in_the_way(bench: Workbench, scopes: tuple[str, ...]) -> OpenCircuit | None:
    async with bench.db.session() as connection:
        return in_the_way(await circuits.open_circuits(connection, scopes))


async def _taken(bench: Workbench, circuit: OpenCircuit, *, probe_now: bool) -> bool:
    """Committed before the probe is sent: a worker that dies with it leaves a circuit that is due again later."""
    async with bench.db.transaction() as tx:
        return await circuits.take_probe(tx, circuit, next_in=probe_wait(circuit.probes + 1), at_once=probe_now)


async def _ask_model(bench: Workbench) -> None:
    await Requester(bench).probe()


async def _ask_source(bench: Workbench) -> None:
    seconds = bench.pace.max_claim_seconds
    try:
        await run_in_time(lambda: next(iter(bench.source.list_documents()), None), seconds=seconds)
    except TimeoutError:
        message = f"the source did not begin to list within {seconds:g} s; see whether what holds it answers"
        raise SourceError(ErrorType.ROOT_UNAVAILABLE, message) from None
