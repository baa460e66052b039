"""When a live change was published: the soak's own record, by a trigger, and what is read from it.

Not here: making the changes (producer), what the numbers have to be (verdict).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from typing_extensions import LiteralString

# Deferred, so that the moment is that of the commit, when search sees the version, and not of the statement before it. The
# number is read from the very version that is published; what holds none is the backfill's.
RECORD_PUBLICATIONS: tuple[LiteralString, ...] = (
    "CREATE TABLE public.changes (number integer PRIMARY KEY, document_key text, changed_at timestamptz)",
    "CREATE TABLE public.shown (document_key text, change integer, shown_at timestamptz)",
    "CREATE INDEX ON public.shown (document_key, change) WHERE change IS NOT NULL",
    """
    CREATE FUNCTION public.record_publication() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.shown
        SELECT document_key, substring(content FROM 'Then came change ([0-9]+)')::integer, clock_timestamp()
        FROM embedding_assets.documents
        WHERE collection_id = new.collection_id AND document_key = new.document_key AND version = new.version;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER record_publication AFTER INSERT OR UPDATE ON embedding_assets.publications
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.record_publication()
    """,
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What became of the changes of some time: the seconds from each to its publication, and how many wait for theirs.

    One that waits has the seconds until now.
    """

    lags: Sequence[float]
    unpublished: int


def backfill_published(database_url: str, since: datetime, until: datetime) -> int:
    """Documents without a change that were published in this time."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM public.shown WHERE change IS NULL AND shown_at >= %s AND shown_at < %s",
            [since, until],
        ).fetchone()
    assert row is not None
    return row[0]


def backfill_drained(database_url: str) -> bool:
    """Whether nothing of the backfill is left in the queue."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT NOT EXISTS (SELECT FROM embedding_assets.work_items WHERE lane = 'backfill') "
            "AND NOT EXISTS (SELECT FROM embedding_assets.work_arrivals WHERE lane = 'backfill')"
        ).fetchone()
    assert row is not None
    return row[0]


def freshness(database_url: str, since: datetime, until: datetime) -> Freshness:
    """Of the changes made in this time; a publication counts when its version holds the change or a later one."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            """
            SELECT extract(epoch FROM coalesce(min(s.shown_at), clock_timestamp()) - c.changed_at)::float8,
                   min(s.shown_at) IS NULL
            FROM public.changes AS c
            LEFT JOIN public.shown AS s ON s.document_key = c.document_key AND s.change >= c.number
            WHERE c.changed_at >= %s AND c.changed_at < %s
            GROUP BY c.number, c.changed_at
            """,
            [since, until],
        ).fetchall()
    return Freshness([lag for lag, _ in rows], sum(waits for _, waits in rows))
