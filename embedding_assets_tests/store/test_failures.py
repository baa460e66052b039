"""Failed documents and their history: episodes, retries that come due once, and what a success leaves."""

from datetime import timedelta

import pytest

from embedding_assets.domain.backoff import Decision, Escalate, Retry
from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.work import ClaimedItem, Fail, Lane, Stage
from embedding_assets.store import failures, inspection
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.failures import Episode, FailureCount
from embedding_assets.store.inspection import DocumentState
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON, at

RETRY = Retry(300)


def _claimed(key: str, lane: Lane = Lane.LIVE) -> ClaimedItem:
    return ClaimedItem(key, 0, lane, 1, 1, NOON)


async def _fail(
    tx: Tx,
    docs: MadeCollection,
    key: str = "a",
    *,
    decision: Decision = RETRY,
    minutes: float = 0,
    lane: Lane = Lane.LIVE,
    error: ClassifiedError | None = None,
) -> None:
    """One attempt of the document, as settle records it."""
    cause = error or ClassifiedError(ErrorType.PROVIDER_TIMEOUT, "no answer in 30 s", status=504)
    episode = (await failures.episodes(tx, docs.id, [_claimed(key)]))[key]
    failure = Fail(_claimed(key, lane), cause, Stage.EMBEDDING)
    await failures.record(tx, docs.id, failure, episode, decision, run_id="run-1", now=at(minutes))


async def _state(tx: Tx, docs: MadeCollection, key: str = "a") -> DocumentState:
    state = await inspection.document_state(tx, docs.name, key)
    assert state is not None
    return state


@on_database
async def test_a_first_failure_is_recorded_with_its_attempt_and_its_next_retry(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs)
        state = await _state(tx, docs)
        attempts = await inspection.attempts(tx, "docs", "a")
        row = await (
            await tx.execute("SELECT failure_class, provider_status, run_id FROM embedding_assets.failed_attempts")
        ).fetchone()
    assert (state.status, state.error_type, state.reason) == ("retrying", "provider_timeout", "no answer in 30 s")
    assert (state.attempts, state.last_failed_at, state.next_retry_at) == (1, NOON, at(5))
    assert [(one.episode, one.attempt, one.stage) for one in attempts] == [(1, 1, "embedding")]
    assert row == ("transient", 504, "run-1")


@on_database
async def test_attempts_of_an_episode_add_up_and_its_beginning_stays(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        for minutes in (0, 10, 20):
            await _fail(tx, docs, minutes=minutes)
        assert await failures.episodes(tx, docs.id, [_claimed("a")]) == {"a": Episode(3, 1, is_open=True)}
        row = await tx.execute("SELECT first_failed_at, last_failed_at FROM embedding_assets.failed_documents")
        assert await row.fetchone() == (at(0), at(20))


@on_database
async def test_the_end_of_the_ladder_is_escalated_without_a_time(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs)
        await _fail(tx, docs, decision=Escalate())
        state = await _state(tx, docs)
    assert (state.status, state.next_retry_at, state.attempts) == ("escalated", None, 2)


@on_database
async def test_a_success_resolves_and_keeps_the_history(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs)
        await _fail(tx, docs, "b")
        await failures.resolve(tx, docs.id, ["a", "never failed"], now=at(7))
        state = await _state(tx, docs)
        row = await tx.execute(
            "SELECT document_key FROM embedding_assets.failed_documents WHERE resolved_at = %s", [at(7)]
        )
        assert await row.fetchall() == [("a",)]
        assert len(await inspection.attempts(tx, "docs", "a")) == 1
        assert (await _state(tx, docs, "b")).status == "retrying"
    assert (state.status, state.next_retry_at) == ("resolved", None)


@on_database
async def test_a_failure_after_a_success_starts_a_new_episode(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs, minutes=0)
        await failures.resolve(tx, docs.id, ["a"])
        found = await failures.episodes(tx, docs.id, [_claimed("a"), _claimed("new")])
        assert found == {"a": Episode(0, 2), "new": Episode(0, 1)}
        await _fail(tx, docs, minutes=30)
        attempts = await inspection.attempts(tx, "docs", "a")
        row = await tx.execute("SELECT first_failed_at, resolved_at, attempts FROM embedding_assets.failed_documents")
        assert await row.fetchone() == (at(30), None, 1)
    assert [(one.episode, one.attempt) for one in attempts] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("lane", list(Lane))
@on_database
async def test_a_retry_comes_due_once_and_in_the_lane_it_had(db: Database, lane: Lane) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs, lane=lane)
        assert await failures.take_due(tx, docs.id, now=at(5) - timedelta(seconds=1)) == []
        assert await failures.take_due(tx, docs.id, now=at(5)) == [("a", lane)]
        assert await failures.take_due(tx, docs.id, now=at(5)) == []
        state = await _state(tx, docs)
    assert (state.status, state.next_retry_at) == ("queued", None)


@on_database
async def test_two_that_take_what_is_due_at_once_never_take_the_same(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        for number in range(6):
            await _fail(tx, docs, f"document-{number}")
    async with db.transaction() as first, db.transaction() as second:
        await second.execute("SET LOCAL lock_timeout = '5s'")
        mine = await failures.take_due(first, docs.id, documents=4, now=at(5))
        rest = await failures.take_due(second, docs.id, now=at(5))
    assert sorted(key for key, _ in mine + rest) == [f"document-{number}" for number in range(6)]


@on_database
async def test_a_queued_document_that_fails_again_goes_on_with_its_episode(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs)
        await failures.take_due(tx, docs.id, now=at(5))
        await _fail(tx, docs, minutes=6)
        state = await _state(tx, docs)
    assert (state.status, state.attempts, state.next_retry_at) == ("retrying", 2, at(11))


@on_database
async def test_an_escalated_document_that_fails_anew_gets_the_whole_ladder_again(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs)
        await _fail(tx, docs, minutes=5, decision=Escalate())
        assert await failures.episodes(tx, docs.id, [_claimed("a")]) == {"a": Episode(0, 2)}
        await _fail(tx, docs, minutes=60)
        state = await _state(tx, docs)
        attempts = await inspection.attempts(tx, "docs", "a")
    assert (state.status, state.attempts) == ("retrying", 1)
    assert [(one.episode, one.attempt) for one in attempts] == [(1, 1), (1, 2), (2, 1)]


@on_database
async def test_a_message_with_a_name_that_is_not_text_is_recorded(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs, error=ClassifiedError(ErrorType.SOURCE_UNREADABLE, "cannot read b\udcff\0.md"))
        assert (await _state(tx, docs)).reason == "cannot read b?\ufffd.md"


@on_database
async def test_a_message_of_any_length_fits(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _fail(tx, docs, error=ClassifiedError(ErrorType.UNEXPECTED, "again " * 100_000))
        assert (await _state(tx, docs)).reason == ("again " * 334)[:2000]


@on_database
async def test_open_failures_are_counted_by_status_and_error(db: Database) -> None:
    docs = await make_collection(db)
    too_large = ClassifiedError(ErrorType.TOO_LARGE, "40 MB")
    async with db.transaction() as tx:
        for key in ("a", "b"):
            await _fail(tx, docs, key)
        await _fail(tx, docs, "c", decision=Escalate(), error=too_large)
        await _fail(tx, docs, "resolved")
        await failures.resolve(tx, docs.id, ["resolved"])
        assert await failures.failure_counts(tx) == [
            FailureCount("docs", "escalated", "too_large", 1),
            FailureCount("docs", "retrying", "provider_timeout", 2),
        ]
