"""What migration 0009 leaves as it was: who may search, and what is published; and what stands in its way is named."""

import psycopg
import pytest

from embedding_assets.domain.failures import StoreError
from embedding_assets.store import migrations

_SEARCH = "SELECT has_function_privilege(%s, 'embedding_assets.search(text, vector, integer, jsonb, integer)', %s)"
_CHUNK = """
    WITH m AS (
        INSERT INTO embedding_assets.models (name, dimensions, storage, distance, input_template, normalized, fingerprint)
        VALUES ('m', 4, 'vector', 'cosine', '{content}', false, 'f') RETURNING id
    ), c AS (
        INSERT INTO embedding_assets.collections (name, source, chunking, chunker_fingerprint, active_model_id)
        SELECT 'docs', '{}', '{}', 'f', id FROM m RETURNING id, active_model_id
    ), d AS (
        INSERT INTO embedding_assets.documents (collection_id, document_key, version, content, content_hash)
        SELECT id, 'a', 1, 'text', sha256('') FROM c
    )
    INSERT INTO embedding_assets.chunks (collection_id, model_id, document_key, version, ordinal, content, start_char, end_char,
                                         token_count, input_hash)
    SELECT id, active_model_id, 'a', 1, 0, 'text', 0, 4, 1, sha256('') FROM c
"""


def test_who_might_search_may_and_nobody_else(empty_database_url: str, administration: psycopg.Connection) -> None:
    migrations.upgrade(empty_database_url, to="0008")
    for role in ("reader", "stranger"):
        administration.execute(f"CREATE ROLE {role}".encode())
    try:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("REVOKE ALL ON FUNCTION embedding_assets.search FROM PUBLIC")
            connection.execute("GRANT EXECUTE ON FUNCTION embedding_assets.search TO reader WITH GRANT OPTION")
            migrations.upgrade(empty_database_url)
            asked = [("reader", "EXECUTE"), ("reader", "EXECUTE WITH GRANT OPTION"), ("stranger", "EXECUTE")]
            allowed = [connection.execute(_SEARCH, one).fetchone() for one in asked]
            assert allowed == [(True,), (True,), (False,)]
            connection.execute("DROP OWNED BY reader")
    finally:
        for role in ("reader", "stranger"):
            administration.execute(f"DROP ROLE {role}".encode())


def test_everybody_may_still_search_where_nothing_was_said(
    empty_database_url: str, administration: psycopg.Connection
) -> None:
    administration.execute("CREATE ROLE anybody")
    try:
        migrations.upgrade(empty_database_url)
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            assert connection.execute(_SEARCH, ("anybody", "EXECUTE")).fetchone() == (True,)
    finally:
        administration.execute("DROP ROLE anybody")


def test_what_was_published_before_has_no_headings_and_is_searchable(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url, to="0008")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(_CHUNK)
        assert "0009" in migrations.upgrade(empty_database_url)
        found = connection.execute("SELECT document_key, headings FROM embedding_assets.searchable_chunks").fetchall()
        assert found == [("a", None)]


def test_a_view_that_is_built_on_search_is_named_as_what_is_in_the_way(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url, to="0008")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE VIEW answers AS SELECT score FROM embedding_assets.search('docs', '[1,2,3,4]'::vector)"
        )
        with pytest.raises(StoreError, match="views or functions of yours are built on"):
            migrations.upgrade(empty_database_url)
        assert migrations.missing_revisions(empty_database_url)[0] == "0009"
        connection.execute("DROP VIEW answers")
        migrations.upgrade(empty_database_url)
