"""Which changes of a tracked table are told: those of a row that a reader would see, each key once, by whatever statement."""

from collections.abc import Iterator

import pytest
from typing_extensions import LiteralString

from embedding_assets.domain.tables import TableColumns
from embedding_assets.pipeline.table_tracking import track
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.queue import items
from embedding_assets_tests.support.tracked import ARTICLES, Application, application, tracked_table

_ROWS: LiteralString = (
    "INSERT INTO articles (id, title, body, tags) "
    "SELECT n, 't' || n, 'body ' || n, '{}' FROM generate_series(1, 3) AS n"
)


@pytest.fixture
def app(database_url: str) -> Iterator[Application]:
    """With the rows 1, 2 and 3, told and forgotten."""
    with application(database_url) as made:
        made.does(_ROWS)
        made.told()
        yield made


def test_new_rows_are_told(database_url: str) -> None:
    with application(database_url) as app:
        assert app.told_of(_ROWS) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("statement", "keys"),
    [
        ("UPDATE articles SET body = 'other' WHERE id = 2", ["2"]),
        ("UPDATE articles SET title = NULL WHERE id = 2", ["2"]),
        ("UPDATE articles SET tags = '{\"a\": 1}' WHERE id < 3", ["1", "2"]),
        ("UPDATE articles SET deleted_at = now() WHERE id = 1", ["1"]),
        ("UPDATE articles SET body = body || '!'", ["1", "2", "3"]),
        ("UPDATE articles SET body = CASE id WHEN 2 THEN 'other' ELSE body END", ["2"]),
        ("UPDATE articles SET id = 30 WHERE id = 3", ["3", "30"]),
        ("UPDATE articles SET id = id + 10", ["1", "11", "12", "13", "2", "3"]),
        ("DELETE FROM articles WHERE id > 1", ["2", "3"]),
        (
            "INSERT INTO articles (id, body) VALUES (3, 'new'), (4, 'new') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            ["3", "4"],
        ),
        ("INSERT INTO articles (id) VALUES (3) ON CONFLICT DO NOTHING", []),
        (
            """
            MERGE INTO articles AS a USING (VALUES (1), (9)) AS v (id) ON a.id = v.id
            WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, 'merged')
            """,
            ["1", "9"],
        ),
        ("UPDATE articles SET views = views + 1, updated_at = clock_timestamp()", []),
        ("UPDATE articles SET body = body, title = title, id = id", []),
        ("UPDATE articles SET body = 'nobody' WHERE id = 99", []),
    ],
)
def test_a_change_is_told_where_a_reader_would_see_it(
    app: Application, statement: LiteralString, keys: list[str]
) -> None:
    assert app.told_of(statement) == keys


def test_rows_that_are_copied_in_are_told(app: Application) -> None:
    with app.connection.cursor() as cursor, cursor.copy("COPY articles (id, body) FROM STDIN") as copy:
        copy.write_row((7, "copied"))
        copy.write_row((8, "copied"))
    app.connection.commit()
    assert app.told() == ["7", "8"]


def test_what_is_rolled_back_was_never_told(app: Application) -> None:
    app.connection.execute("UPDATE articles SET body = 'other'")
    app.connection.rollback()
    assert app.told() == []


def test_a_statement_of_thousands_of_rows_is_told_whole_after_one_of_a_single_row(app: Application) -> None:
    app.told_of("UPDATE articles SET body = 'one row, for which the plan is kept' WHERE id = 1")
    app.does("INSERT INTO articles (id, body) SELECT n, 'x' FROM generate_series(1001, 9000) AS n")
    assert len(app.told()) == 8000
    assert len(app.told_of("UPDATE articles SET body = body || 'y' WHERE id > 1000")) == 8000


def test_a_table_that_is_emptied_has_everything_known_looked_at_again(app: Application) -> None:
    async def looked_at(db: Database) -> list[str]:
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO embedding_assets.source_listings (collection_id, document_key, signature) "
                "VALUES (%s, '2', ''), (%s, '3', '')",
                [app.docs.id, app.docs.id],
            )
            await tx.execute(
                "INSERT INTO embedding_assets.documents (collection_id, document_key, version, content, content_hash) "
                "VALUES (%s, '1', 1, '', sha256('')), (%s, '3', 1, '', sha256(''))",
                [app.docs.id, app.docs.id],
            )
            assert await work_queue.has_ready_work(tx, app.docs.id, range(16))
            await work_queue.fold(tx, app.docs.id)
            return sorted(await items(tx, app.docs))

    app.does("TRUNCATE articles")
    assert run(app.owner_url, looked_at) == ["1", "2", "3"]


def test_names_of_tables_and_columns_are_never_read_as_sql(database_url: str) -> None:
    table: LiteralString = """
        CREATE SCHEMA "of 'an' $$app$$";
        CREATE TABLE "of 'an' $$app$$"."the ""table"" %s {x}" (
            "a""b $1" uuid, "select" text, "body; DROP TABLE x --" text, "{0} %(y)s" json, PRIMARY KEY ("a""b $1", "select"))
    """
    columns = TableColumns(
        "of 'an' $$app$$",
        'the "table" %s {x}',
        ('a"b $1', "select"),
        ("body; DROP TABLE x --",),
        metadata=("{0} %(y)s",),
    )
    insert: LiteralString = """
        INSERT INTO "of 'an' $$app$$"."the ""table"" %s {x}"
        VALUES ('00000000-0000-0000-0000-000000000001', 'a/b%', 'text', '[]')
    """
    grants: tuple[LiteralString, ...] = (
        "GRANT USAGE ON SCHEMA \"of 'an' $$app$$\" TO {}",
        'GRANT ALL ON "of \'an\' $$app$$"."the ""table"" %s {{x}}" TO {}',
    )
    with application(database_url, table, columns, grants) as app:
        assert app.told_of(insert) == ["00000000-0000-0000-0000-000000000001/a%2Fb%25"]


def test_keys_that_no_reference_can_have_are_left_out_and_the_write_goes_through(database_url: str) -> None:
    columns = TableColumns("public", "articles", ("name",), ("body",))
    with application(database_url, "CREATE TABLE public.articles (name text, body text)", columns) as app:
        keys = app.told_of(
            "INSERT INTO articles VALUES (NULL, 'x'), ('', 'x'), (repeat('k', 2001), 'x'), (repeat('k', 2000), 'x')",
            "UPDATE articles SET body = 'y'",
        )
    assert [len(key) for key in keys] == [2000, 2000]


def test_a_partitioned_table_tells_of_its_partitions(database_url: str) -> None:
    table: LiteralString = """
        CREATE TABLE public.articles (id integer PRIMARY KEY, body text) PARTITION BY RANGE (id);
        CREATE TABLE public.articles_low PARTITION OF public.articles FOR VALUES FROM (0) TO (100);
        CREATE TABLE public.articles_high PARTITION OF public.articles FOR VALUES FROM (100) TO (200)
    """
    columns = TableColumns("public", "articles", ("id",), ("body",))
    with application(database_url, table, columns) as app:
        assert app.told_of("INSERT INTO articles VALUES (1, 'a'), (101, 'b')") == ["1", "101"]
        assert app.told_of("UPDATE articles SET id = 102 WHERE id = 1") == ["1", "102"]


def test_the_clock_of_a_told_change_is_that_of_its_statement(app: Application) -> None:
    app.connection.execute("SELECT pg_sleep(0.2)")
    app.connection.execute("UPDATE articles SET body = 'x', updated_at = '1970-01-01'")
    late = app.connection.execute("SELECT clock_timestamp()").fetchone()
    app.connection.commit()

    async def times(db: Database) -> tuple[bool, bool]:
        async with db.transaction() as tx:
            query = (
                "SELECT bool_and(changed_at BETWEEN %s - interval '0.19 s' AND %s), bool_and(not_before IS NULL) FROM \
                     embedding_assets.work_arrivals"
            )
            row = await (await tx.execute(query, [late[0], late[0]] if late else [])).fetchone()
            assert row is not None
            return row[0], row[1]

    assert run(app.owner_url, times) == (True, True)


def test_two_collections_may_track_one_table(database_url: str) -> None:
    async def another(db: Database) -> None:
        await track(db, tracked_table(await make_collection(db, "others")))

    with application(database_url, ARTICLES) as app:
        run(database_url, another)
        assert app.told_of("INSERT INTO articles (id, body) VALUES (1, 'x')") == ["1", "1"]
