"""Rows of `circuits`: opened, listed, taken for a probe, closed. Not here: what opens one, or the probe (pipeline/circuits)."""

from collections.abc import Sequence
from datetime import datetime

from embedding_assets.domain.circuits import OpenCircuit
from embedding_assets.store.database import Tx, storable
from embedding_assets.store.queries import load_queries

_SQL = load_queries("circuits")


async def open_circuit(
    tx: Tx,
    provider: str,
    reason: str,
    message: str,
    *,
    probe_in: float,
    instead_of: Sequence[str] = (),
    now: datetime | None = None,
) -> None:
    """Open it, to be probed in so many seconds at the earliest; one that is open keeps its time and takes the message.

    It takes the place of another reason's, and of all of the scopes `instead_of`.
    """
    values = {
        "provider": provider,
        "reason": reason,
        "message": storable(message),
        "probe_in": probe_in,
        "instead_of": list(instead_of),
        "now": now,
    }
    await tx.execute(_SQL["open_circuit"], values)


async def open_circuits(
    tx: Tx, scopes: Sequence[str] | None = None, *, now: datetime | None = None
) -> list[OpenCircuit]:
    """What nobody claims for just now: all, or those of these scopes."""
    values = {"scopes": None if scopes is None else list(scopes), "now": now}
    return [OpenCircuit(*row) for row in await (await tx.execute(_SQL["open_circuits"], values)).fetchall()]


async def take_probe(
    tx: Tx, circuit: OpenCircuit, *, next_in: float, at_once: bool = False, now: datetime | None = None
) -> bool:
    """Take the right to probe it, which puts the next probe off; False when it is not due, or somebody was quicker.

    `at_once` takes it before its time.
    """
    values = {
        "provider": circuit.provider,
        "reason": circuit.reason,
        "probes": circuit.probes,
        "next_in": next_in,
        "at_once": at_once,
        "now": now,
    }
    return (await tx.execute(_SQL["take_probe"], values)).rowcount > 0


async def close_circuits(tx: Tx, scopes: Sequence[str]) -> None:
    """What they stopped goes on."""
    await tx.execute(_SQL["close_circuits"], {"scopes": list(scopes)})
