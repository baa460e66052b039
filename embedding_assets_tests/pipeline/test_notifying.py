"""What a notifier that other people wrote may do: raise, hang, be told twice; what it is told is never half told."""

import threading

import pytest

from embedding_assets.domain.failures import NotificationFailed
from embedding_assets.domain.notices import Notice
from embedding_assets.pipeline.notifying import tell_escalations
from embedding_assets.store import triage
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.failed import fail_documents


class _Pager:
    def __init__(self) -> None:
        self.told: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        self.told.append(notice)


class _Broken:
    def notify(self, notice: Notice) -> None:
        message = f"could not page anybody about {notice}"
        raise LookupError(message)


class _Hung:
    def __init__(self) -> None:
        self.released = threading.Event()

    def notify(self, notice: Notice) -> None:
        del notice
        self.released.wait(30)


@on_database
async def test_everybody_is_told_before_it_is_remembered(db: Database) -> None:
    docs, one, other = await make_collection(db), _Pager(), _Pager()
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a", "b")
    assert await tell_escalations(db, "docs", [one, other], seconds=5) == 2
    assert await tell_escalations(db, "docs", [one, other], seconds=5) == 0
    assert one.told == other.told != []


@on_database
async def test_one_that_raises_leaves_them_untold_and_its_message_is_not_repeated(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a secret key")
    with pytest.raises(NotificationFailed) as caught:
        await tell_escalations(db, "docs", [_Broken()], seconds=5)
    assert str(caught.value) == "_Broken failed with LookupError"
    async with db.transaction() as tx:
        assert len(await triage.untold(tx, docs.id, documents=9)) == 1


@on_database
async def test_one_that_hangs_is_left_behind(db: Database) -> None:
    docs, hung = await make_collection(db), _Hung()
    async with db.transaction() as tx:
        await fail_documents(tx, docs, "a")
    with pytest.raises(NotificationFailed, match="_Hung did not come to an end"):
        await tell_escalations(db, "docs", [hung], seconds=0.1)
    hung.released.set()
    assert await tell_escalations(db, "docs", [_Pager()], seconds=5) == 1
