"""Failed documents found by what they are, put back, dismissed, told of: once each, however many do it at once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from embedding_assets.domain.backoff import Retry
from embedding_assets.domain.failures import ClassifiedError, ErrorType, FailureClass, FailureStatus
from embedding_assets.domain.work import ClaimedItem, Fail, Lane, Stage
from embedding_assets.store import failures, triage
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.triage import FailureFilter
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.failed import fail_documents
from embedding_assets_tests.support.queue import NOON, at

_ANY = FailureFilter(tuple(FailureStatus))


async def _found(tx: Tx, chosen: FailureFilter) -> list[str]:
    return [document.document_key for document in await triage.find(tx, chosen, now=at(60))]


@on_database
async def test_failed_documents_are_found_by_what_they_are(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "b", "a")
        await fail_documents(tx, docs, "slow", decision=Retry(300), error_type=ErrorType.PROVIDER_TIMEOUT, minutes=50)
        await fail_documents(tx, others, "a")
        await fail_documents(tx, docs, "gone")
        await failures.resolve(tx, docs.id, ["gone"])
        assert await _found(tx, FailureFilter()) == ["a", "b", "slow", "a"]
        assert await _found(tx, FailureFilter(collection="docs")) == ["a", "b", "slow"]
        assert await _found(tx, FailureFilter(statuses=[FailureStatus.RESOLVED])) == ["gone"]
        assert await _found(tx, FailureFilter(failure_class=FailureClass.TRANSIENT)) == ["slow"]
        assert await _found(tx, FailureFilter(error_type=ErrorType.UNDECODABLE, collection="others")) == ["a"]
        assert await _found(tx, FailureFilter(older_than_seconds=1800)) == ["a", "b", "a"]
        assert await _found(tx, FailureFilter(document_keys=["b", "slow", "x"])) == ["b", "slow"]
        assert await _found(tx, FailureFilter(document_keys=[])) == []


@pytest.mark.parametrize("lane", list(Lane))
@on_database
async def test_a_document_that_is_put_back_begins_a_new_episode_in_its_lane(db: Database, lane: Lane) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "escalated", "dismissed", lane=lane)
        await fail_documents(tx, docs, "retrying", lane=lane, decision=Retry(300))
        await triage.dismiss(tx, docs.id, ["dismissed"])
        await tx.execute("UPDATE embedding_assets.failed_documents SET notified_at = clock_timestamp()")
        keys = ["dismissed", "escalated", "retrying"]
        assert await triage.put_back(tx, docs.id, [*keys, "unknown"]) == [(key, lane) for key in keys]
        for document in await triage.find(tx, _ANY):
            assert (document.status, document.attempts, document.episode) == ("queued", 0, 2)
            assert (document.next_retry_at, document.resolved_at, document.notified_at) == (None, None, None)
        assert await triage.put_back(tx, docs.id, keys) == []
        assert await failures.take_due(tx, docs.id, now=at(10_000)) == []


@on_database
async def test_an_attempt_after_it_was_put_back_is_the_first_of_its_episode(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a")
        await triage.put_back(tx, docs.id, ["a"])
        item = ClaimedItem("a", 0, Lane.LIVE, 9, 1_000_000, NOON)
        episode = (await failures.episodes(tx, docs.id, [item]))["a"]
        assert (episode.attempts, episode.number, episode.is_open, episode.is_past) == (0, 2, True, False)
        failure = Fail(item, ClassifiedError(ErrorType.UNDECODABLE, "no"), Stage.FETCHING)
        await failures.record(tx, docs.id, failure, episode, Retry(300), run_id="run", seconds=1.5, now=at(90))
        [document] = await triage.find(tx, FailureFilter())
        assert (document.attempts, document.first_failed_at) == (1, at(90))
        row = await tx.execute("SELECT duration FROM embedding_assets.failed_attempts ORDER BY id")
        assert await row.fetchall() == [(None,), (timedelta(seconds=1.5),)]


@on_database
async def test_a_dismissed_document_has_an_end_and_is_not_due(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a", decision=Retry(300))
        await fail_documents(tx, docs, "b")
        await fail_documents(tx, docs, "queued", decision=Retry(1), minutes=-60)
        assert await failures.take_due(tx, docs.id, now=at(0)) == [("queued", Lane.LIVE)]
        assert await triage.dismiss(tx, docs.id, ["a", "b", "queued"], now=at(7)) == ["a", "b"]
        ended = await triage.find(tx, FailureFilter(statuses=[FailureStatus.DISMISSED]))
        assert [(one.document_key, one.resolved_at, one.next_retry_at) for one in ended] == [
            ("a", at(7), None),
            ("b", at(7), None),
        ]
        assert await failures.take_due(tx, docs.id, now=at(1000)) == []
        assert await triage.dismiss(tx, docs.id, ["a", "b"]) == []


@on_database
async def test_two_that_put_back_at_once_never_put_back_the_same(db: Database) -> None:
    docs = await make_collection(db)
    keys = [f"document-{number}" for number in range(6)]
    async with db.transaction() as tx:
        await fail_documents(tx, docs, *keys)
    async with db.transaction() as first, db.transaction() as second:
        await second.execute("SET LOCAL lock_timeout = '5s'")
        mine = await triage.put_back(first, docs.id, keys[:4])
        rest = await triage.put_back(second, docs.id, keys)
        assert await triage.dismiss(second, docs.id, keys) == []
    assert sorted(key for key, _ in mine + rest) == keys
    async with db.transaction() as tx:
        assert {document.episode for document in await triage.find(tx, _ANY)} == {2}


@on_database
async def test_an_escalation_is_told_once_and_a_new_one_anew(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "b", "a", "c")
        await fail_documents(tx, docs, "retrying", decision=Retry(300))
        await fail_documents(tx, others, "elsewhere")
        told = await triage.untold(tx, docs.id, documents=2)
        assert [(one.document_key, one.error_type, one.attempts) for one in told] == [
            ("a", "undecodable", 1),
            ("b", "undecodable", 1),
        ]
        assert await triage.mark_told(tx, docs.id, told) == 2
        assert [one.document_key for one in await triage.untold(tx, docs.id, documents=9)] == ["c"]
        await triage.put_back(tx, docs.id, ["a"])
        assert [one.document_key for one in await triage.untold(tx, docs.id, documents=9)] == ["c"]
        await tx.execute("UPDATE embedding_assets.failed_documents SET since_generation = 0")
        await fail_documents(tx, docs, "a")
        assert [one.document_key for one in await triage.untold(tx, docs.id, documents=9)] == ["a", "c"]


@on_database
async def test_what_was_told_of_an_episode_does_not_cover_the_next(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a")
        told = await triage.untold(tx, docs.id, documents=9)
        assert await triage.mark_told(tx, docs.id, [replace(told[0], episode=2)]) == 0
        assert await triage.untold(tx, docs.id, documents=9) == told


@on_database
async def test_whoever_marks_as_told_waits_for_nobody_and_tells_again(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a")
        told = await triage.untold(tx, docs.id, documents=9)
    async with db.transaction() as busy, db.transaction() as tx:
        await busy.execute("SELECT FROM embedding_assets.failed_documents FOR UPDATE")
        await tx.execute("SET LOCAL lock_timeout = '5s'")
        assert await triage.mark_told(tx, docs.id, told) == 0
        assert await triage.untold(tx, docs.id, documents=9) == told
