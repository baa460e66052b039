"""Circuits: opened once, probed by one, closed together."""

from datetime import datetime

import anyio

from embedding_assets.domain.circuits import OpenCircuit
from embedding_assets.store import circuits
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON, at

MODEL = "openai/small"


async def _open(tx: Tx, reason: str = "provider_unavailable", *, when: datetime = NOON, message: str = "503") -> None:
    await circuits.open_circuit(tx, MODEL, reason, message, probe_in=30, now=when)


async def _only(tx: Tx, *, when: datetime = NOON) -> OpenCircuit:
    [circuit] = await circuits.open_circuits(tx, now=when)
    return circuit


@on_database
async def test_a_circuit_is_open_from_the_first_failure_and_tells_the_last(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        await _open(tx, when=at(2), message="503 again")
        seen = await _only(tx, when=at(5))
    assert (seen.provider, seen.reason, seen.message) == (MODEL, "provider_unavailable", "503 again")
    assert (seen.opened_at, seen.open_seconds, seen.probe_in_seconds, seen.probes) == (NOON, 300.0, -150.0, 0)


@on_database
async def test_another_reason_takes_the_place_of_the_one_before_and_goes_on_with_its_time_and_probes(
    db: Database,
) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        assert await circuits.take_probe(tx, await _only(tx), next_in=120, now=at(1))
        await _open(tx, "connection_failed", when=at(2), message="refused")
        seen = await _only(tx, when=at(2))
    assert (seen.reason, seen.message) == ("connection_failed", "refused")
    assert (seen.opened_at, seen.probe_in_seconds, seen.probes) == (NOON, 60.0, 1)


@on_database
async def test_what_a_probe_met_takes_the_place_of_the_circuits_it_was_sent_for(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        await circuits.open_circuit(tx, "openai/small of docs", "unknown_model", "404", probe_in=30, now=at(1))
        scopes = [MODEL, "openai/small of docs"]
        await circuits.open_circuit(tx, MODEL, "credentials_rejected", "401", probe_in=30, instead_of=scopes, now=at(2))
        seen = await _only(tx, when=at(2))
    assert (seen.provider, seen.reason, seen.opened_at) == (MODEL, "credentials_rejected", NOON)


@on_database
async def test_a_probe_is_taken_when_it_is_due_and_puts_the_next_one_off(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        circuit = await _only(tx)
        assert not await circuits.take_probe(tx, circuit, next_in=60, now=NOON)
        assert await circuits.take_probe(tx, circuit, next_in=60, now=at(1))
        after = await _only(tx, when=at(1))
        assert (after.probes, after.probe_in_seconds) == (1, 60.0)
        assert not await circuits.take_probe(tx, after, next_in=60, now=at(1))


@on_database
async def test_a_person_takes_the_probe_before_its_time(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        assert await circuits.take_probe(tx, await _only(tx), next_in=60, at_once=True, now=NOON)
        assert (await _only(tx)).probes == 1


@on_database
async def test_of_two_that_saw_it_due_at_once_one_takes_the_probe(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        circuit = await _only(tx)
    taken: list[bool] = []

    async def take(*, at_once: bool) -> None:
        async with db.transaction() as tx:
            taken.append(await circuits.take_probe(tx, circuit, next_in=60, at_once=at_once, now=at(1)))

    for at_once in (False, True):
        taken.clear()
        async with anyio.create_task_group() as both:
            both.start_soon(lambda at_once=at_once: take(at_once=at_once))
            both.start_soon(lambda at_once=at_once: take(at_once=at_once))
        assert sorted(taken) == [False, True]
        async with db.transaction() as tx:
            circuit = await _only(tx)


@on_database
async def test_closing_leaves_the_circuits_of_others(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx)
        await circuits.open_circuit(tx, "source docs", "root_unavailable", "away", probe_in=30)
        await circuits.open_circuit(tx, "source tickets", "root_unavailable", "away", probe_in=30)
        await circuits.close_circuits(tx, [MODEL, "source docs"])
        assert [one.provider for one in await circuits.open_circuits(tx)] == ["source tickets"]
        assert await circuits.open_circuits(tx, [MODEL, "source docs"]) == []


@on_database
async def test_a_message_that_no_text_column_takes_opens_the_circuit_all_the_same(db: Database) -> None:
    async with db.transaction() as tx:
        await _open(tx, message="cannot read '\0\udcff'" + "x" * 5000)
        assert (await _only(tx)).message.startswith("cannot read '\ufffd?'xxx")
