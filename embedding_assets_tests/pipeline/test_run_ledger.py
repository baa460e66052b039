"""What is counted outside transactions reaches the ledger once: with the next one, after a rollback, after a lost answer."""

import asyncio
import contextlib

import pytest

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.run_ledger import RunLedger, count_error
from embedding_assets.store import ledger
from embedding_assets.store.database import Database
from embedding_assets.telemetry.durable import API_REQUESTS, ERRORS, REJECTIONS
from embedding_assets_tests.support.database import on_database


class _GoneWrong(Exception):
    pass


def _requests(by: int) -> Counts:
    counts = Counts()
    API_REQUESTS.add(counts, "a/model", "200", by=by)
    return counts


async def _total(db: Database, name: str = API_REQUESTS.name) -> float:
    async with db.transaction() as tx:
        return sum((await ledger.totals(tx, name)).values())


@on_database
async def test_what_is_held_goes_along_with_the_next_transaction(db: Database) -> None:
    run = RunLedger(held=_requests(3))
    counts = Counts()
    REJECTIONS.add(counts, "a/limit", "requests")
    async with db.transaction() as tx:
        await run.enter(tx, counts)
    assert (bool(run.held), await _total(db), await _total(db, REJECTIONS.name)) == (False, 3, 1)


@on_database
async def test_after_a_rollback_it_is_entered_by_the_next_transactions_once(db: Database) -> None:
    run = RunLedger(held=_requests(3))
    with contextlib.suppress(_GoneWrong):
        async with db.transaction() as tx:
            await run.enter(tx, Counts())
            raise _GoneWrong
    assert await _total(db) == 0
    await run.end(db)
    assert await _total(db) == 3
    await run.end(db)
    assert await _total(db) == 3


@on_database
async def test_a_commit_whose_answer_was_lost_is_not_entered_twice(db: Database) -> None:
    """Nobody tells the ledger of commits: it asks the server by the transaction's id."""
    run = RunLedger(held=_requests(3))
    with contextlib.suppress(_GoneWrong):
        async with db.session() as connection:
            await connection.execute("BEGIN")
            await run.enter(connection, Counts())
            await connection.execute("COMMIT")
            raise _GoneWrong
    await run.end(db)
    assert await _total(db) == 3


@on_database
async def test_what_another_transaction_has_under_way_is_neither_entered_twice_nor_lost(db: Database) -> None:
    run = RunLedger(held=_requests(3))
    with contextlib.suppress(_GoneWrong):
        async with db.transaction() as slow:
            await run.enter(slow, Counts())
            run.held.merge(_requests(1))
            async with db.transaction() as quick:
                await run.enter(quick, Counts())
            assert await _total(db) == 1
            raise _GoneWrong
    await run.end(db)
    assert await _total(db) == 4


@on_database
async def test_two_transactions_that_learn_of_the_same_one_at_once_enter_it_once(db: Database) -> None:
    """A settle and a fold of one run ask at the same time; the second answer once ended the run."""
    run = RunLedger(held=_requests(3))
    with contextlib.suppress(_GoneWrong):
        async with db.transaction() as lost:
            await run.enter(lost, Counts())
            raise _GoneWrong
    async with db.transaction() as settle, db.transaction() as fold:
        await asyncio.gather(run.enter(settle, Counts()), run.enter(fold, Counts()))
    await run.end(db)
    assert await _total(db) == 3


@on_database
async def test_the_end_waits_for_no_database_that_is_away_and_says_what_is_lost(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    away = Database(db.url.partition("?")[0] + "?host=/nowhere&connect_timeout=1")
    await RunLedger(held=_requests(3)).end(away)
    assert "are lost" in caplog.text


def test_a_failure_that_several_see_pass_is_counted_once() -> None:
    run = RunLedger()
    error = SourceError(ErrorType.ROOT_UNAVAILABLE, "not mounted")
    count_error(run, "docs", error)
    count_error(run, "docs", error)
    assert run.held.counters == {(ERRORS.name, ("docs", "fetching", "root_unavailable")): 1}
