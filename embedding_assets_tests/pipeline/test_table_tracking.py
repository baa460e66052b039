"""Tracking a table is made, changed and ended beside a busy application, and what becomes of us never fails the application."""

from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from typing_extensions import LiteralString

from embedding_assets.domain.failures import SourceError
from embedding_assets.pipeline.table_tracking import TableBusy, track, triggers_of, untrack
from embedding_assets.store import work_queue
from embedding_assets.store.change_triggers import NotTrackable
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, run
from embedding_assets_tests.support.queue import items
from embedding_assets_tests.support.roles import role_with
from embedding_assets_tests.support.tracked import ARTICLES, COLUMNS, Application, application, tracked_table

_INSERT: LiteralString = "INSERT INTO articles (id, title, body) VALUES (1, 'title', 'body')"
_NAMES = {"embed_docs_insert", "embed_docs_update", "embed_docs_delete", "embed_docs_truncate"}


def _as_owner(app: Application, *statements: LiteralString) -> None:
    with psycopg.connect(app.owner_url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)


def _track(app: Application, **changes: Any) -> list[str]:
    return run(app.owner_url, partial(track, tracked=tracked_table(app.docs, replace(COLUMNS, **changes))))


def test_tracking_twice_makes_everything_once_and_untracking_twice_drops_it_once(database_url: str) -> None:
    with application(database_url) as app:
        assert _track(app) == []
        there = run(database_url, partial(triggers_of, collection_id=app.docs.id))
        assert {(one.name, one.table, one.enabled) for one in there} == {(name, "articles", True) for name in _NAMES}
        ended = partial(untrack, collection_id=app.docs.id)
        assert [len(run(database_url, ended)), len(run(database_url, ended))] == [1, 0]
        assert app.told_of(_INSERT) == []


def test_what_is_only_shown_is_not_made(database_url: str) -> None:
    async def shown(db: Database) -> tuple[list[str], int]:
        docs = await make_collection(db)
        async with db.transaction() as tx:
            await tx.execute(ARTICLES)
        statements = await track(db, tracked_table(docs), dry_run=True)
        return statements, len(await triggers_of(db, docs.id))

    statements, there = run(database_url, shown)
    assert (len(statements), there) == (6, 0)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_other_columns_are_told_of_without_touching_the_table(database_url: str) -> None:
    with application(database_url) as app:
        app.does(_INSERT)
        app.told()
        app.connection.execute("SELECT FROM articles FOR UPDATE")
        made = _track(app, content=("title",), title=None)
        assert [statement.partition(' "')[0] for statement in made] == [
            "CREATE OR REPLACE FUNCTION",
            "REVOKE ALL ON FUNCTION",
        ]
        app.connection.commit()
        assert app.told_of("UPDATE articles SET body = 'not told any more'") == []
        assert app.told_of("UPDATE articles SET title = 'told'") == ["1"]


def test_a_collection_that_moved_to_another_table_leaves_the_old_one(database_url: str) -> None:
    with application(database_url) as app:
        _as_owner(app, "CREATE TABLE newer (LIKE articles INCLUDING DEFAULTS)", "GRANT ALL ON newer TO PUBLIC")
        _track(app, table="newer")
        assert app.told_of(_INSERT) == []
        assert app.told_of("INSERT INTO newer (id, body) VALUES (2, 'x')") == ["2"]


def test_a_trigger_that_somebody_disabled_is_made_again(database_url: str) -> None:
    with application(database_url) as app:
        _as_owner(app, "ALTER TABLE articles DISABLE TRIGGER embed_docs_insert")
        assert app.told_of(_INSERT) == []
        assert len(_track(app)) == 7
        assert app.told_of("INSERT INTO articles (id, body) VALUES (2, 'x')") == ["2"]


def test_a_table_in_use_is_left_as_it_is_and_who_uses_it_is_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedding_assets.pipeline.table_tracking._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("embedding_assets.pipeline.table_tracking._TRIES", 2)
    with application(database_url) as app:
        app.connection.execute(_INSERT)
        pid = app.connection.info.backend_pid
        with pytest.raises(TableBusy, match=f"public.articles was in use .*processes {pid};.*nothing was changed"):
            run(database_url, partial(untrack, collection_id=app.docs.id))
        app.connection.commit()
        assert app.told() == ["1"]


def test_a_role_that_may_not_make_triggers_is_told_which_grant_lacks(database_url: str) -> None:
    async def refused(url: str, db: Database) -> str:
        docs = await make_collection(db)
        async with db.transaction() as tx:
            await tx.execute(ARTICLES)
        async with Database(url) as ours:
            with pytest.raises(NotTrackable) as caught:
                await track(ours, tracked_table(docs))
            await _execute(db, "GRANT TRIGGER ON public.articles TO PUBLIC")
            await track(ours, tracked_table(docs))
            await untrack(ours, docs.id)
        return str(caught.value)

    with role_with(database_url, "GRANT USAGE, CREATE ON SCHEMA embedding_assets TO {}") as url:
        said = run(database_url, partial(refused, url))
    assert "GRANT TRIGGER ON public.articles TO" in said
    assert "--dry-run" in said


async def _execute(db: Database, statement: LiteralString) -> None:
    async with db.transaction() as tx:
        await tx.execute(statement)


@on_database
async def test_what_cannot_be_tracked_is_refused_with_its_reason(db: Database) -> None:
    docs = await make_collection(db)
    with pytest.raises(SourceError, match=r"no table public\.articles"):
        await track(db, tracked_table(docs))
    await _execute(db, ARTICLES)
    with pytest.raises(SourceError, match="has no column text"):
        await track(db, tracked_table(docs, replace(COLUMNS, content=("text",))))
    await _execute(db, "CREATE VIEW public.seen AS SELECT * FROM public.articles")
    with pytest.raises(NotTrackable, match=r"is a view .* found by polls"):
        await track(db, tracked_table(docs, replace(COLUMNS, table="seen")))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE articles DROP COLUMN title",
        "ALTER TABLE articles RENAME COLUMN id TO number",
        "ALTER TABLE articles RENAME TO renamed; CREATE VIEW articles AS SELECT * FROM renamed; GRANT ALL ON articles TO PUBLIC",
        "ALTER TABLE embedding_assets.work_arrivals RENAME TO elsewhere",
        "ALTER TABLE embedding_assets.work_arrivals RENAME TO elsewhere; DROP TABLE embedding_assets.arrivals_aside",
        "DROP TABLE embedding_assets.work_arrivals, embedding_assets.arrivals_aside CASCADE",
        "DELETE FROM embedding_assets.collections",
        "DROP SCHEMA embedding_assets CASCADE",
    ],
)
def test_the_application_goes_on_whatever_is_done_to_its_table_or_to_ours(
    database_url: str, broken: LiteralString
) -> None:
    with application(database_url) as app:
        app.does(_INSERT)
        _as_owner(app, broken)
        app.does(
            "UPDATE articles SET body = 'other'",
            "DELETE FROM articles",
            "INSERT INTO articles (body) SELECT 'x' WHERE false",
        )
        assert app.connection.execute("SELECT count(*) FROM articles").fetchone() == (0,)


def test_a_column_that_is_gone_is_said_to_the_application_and_tracking_anew_mends_it(database_url: str) -> None:
    said: list[str] = []
    with application(database_url) as app:
        app.connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        app.does(_INSERT)
        _as_owner(app, "ALTER TABLE articles DROP COLUMN title")
        app.told()
        assert app.told_of("UPDATE articles SET body = 'unheard'") == []
        assert "collections track docs" in said[-1]
        assert "title" in said[-1]
        _track(app, title=None)
        assert app.told_of("UPDATE articles SET body = 'heard'") == ["1"]


@pytest.mark.parametrize(
    "locked", ["work_arrivals", "collections", "documents", "work_items", "obligations", "source_listings"]
)
def test_a_write_waits_for_no_lock_of_ours(database_url: str, locked: LiteralString) -> None:
    async def folded(db: Database, app: Application) -> list[str]:
        async with db.transaction() as tx:
            await work_queue.fold(tx, app.docs.id)
            return sorted(await items(tx, app.docs))

    with application(database_url) as app, psycopg.connect(database_url) as migration:
        migration.execute(f"LOCK TABLE embedding_assets.{locked} IN ACCESS EXCLUSIVE MODE".encode())
        app.does(_INSERT, "UPDATE articles SET body = 'x'", "UPDATE articles SET id = 2", "TRUNCATE articles")
        migration.rollback()
        assert run(database_url, partial(folded, app=app)) == ["1", "2"]


@pytest.mark.parametrize("attack", ["SET search_path = evil, pg_catalog, public", "SET search_path = evil, public"])
def test_no_function_of_the_application_runs_with_our_rights(database_url: str, attack: LiteralString) -> None:
    with application(database_url) as app:
        _as_owner(
            app,
            "CREATE SCHEMA evil",
            "GRANT ALL ON SCHEMA evil TO PUBLIC",
            "CREATE TABLE public.ran (who text)",
            "GRANT ALL ON public.ran TO PUBLIC",
            "CREATE FUNCTION evil.caught(text, text) RETURNS boolean LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO public.ran VALUES (current_user); RETURN true; END$$",
            "CREATE FUNCTION evil.octet_length(text) RETURNS integer LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO public.ran VALUES (current_user); RETURN 1; END$$",
            "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.caught)",
        )
        app.does(attack)
        assert app.told_of(_INSERT, "UPDATE public.articles SET body = 'x'") == ["1", "1"]
        assert app.connection.execute("SELECT count(*) FROM public.ran").fetchone() == (0,)


def test_hundreds_of_statements_in_one_transaction_leave_no_numbered_subtransaction(database_url: str) -> None:
    with application(database_url) as app:
        app.connection.execute(_INSERT)
        for _ in range(100):
            app.connection.execute("UPDATE articles SET body = body || 'x'")
        count = "SELECT s.subxact_count FROM pg_stat_get_backend_idset() AS n, pg_stat_get_backend_subxact(n) AS s \
                 WHERE pg_stat_get_backend_pid(n) = pg_backend_pid()"
        with psycopg.connect(database_url) as owner:
            query = count.replace("pg_backend_pid()", str(app.connection.info.backend_pid))
            assert owner.execute(query.encode()).fetchone() == (0,)


def test_a_removed_function_is_nobodys_problem(database_url: str) -> None:
    with application(database_url) as app:
        _as_owner(app, "DROP FUNCTION embedding_assets.tell_changes_1 CASCADE")
        assert app.told_of(_INSERT) == []
        assert len(_track(app)) == 6
