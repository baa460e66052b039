-- Vectors that nobody holds any more. {embeddings} is their table.

-- name: mark_unreferenced
-- In the order of the keys, as a settle marks: no deadlock between them.
WITH batch AS (
    SELECT input_hash FROM {embeddings} WHERE input_hash > %(after)s ORDER BY input_hash LIMIT %(rows)s
), marked AS (
    INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash)
    SELECT %(collection_id)s, %(model_id)s, b.input_hash FROM batch AS b
    WHERE NOT EXISTS (
        SELECT FROM embedding_assets.chunks AS c
        WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s AND c.input_hash = b.input_hash)
    ORDER BY b.input_hash
    ON CONFLICT DO NOTHING
    RETURNING input_hash
)
SELECT (SELECT count(*) FROM marked), (SELECT input_hash FROM batch ORDER BY input_hash DESC LIMIT 1)

-- name: collect
-- A statement of its own after the lock: its snapshot sees every settle that the lock waited for.
WITH due AS (
    SELECT input_hash FROM embedding_assets.vector_garbage
    WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s
      AND since <= coalesce(%(now)s::timestamptz, clock_timestamp()) - make_interval(secs => %(grace_seconds)s)
    ORDER BY since LIMIT %(rows)s
), unmarked AS (
    DELETE FROM embedding_assets.vector_garbage AS g USING due
    WHERE g.collection_id = %(collection_id)s AND g.model_id = %(model_id)s AND g.input_hash = due.input_hash
    RETURNING g.input_hash
), deleted AS (
    DELETE FROM {embeddings} AS e USING due
    WHERE e.input_hash = due.input_hash AND NOT EXISTS (
        SELECT FROM embedding_assets.chunks AS c
        WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s AND c.input_hash = due.input_hash)
    RETURNING e.input_hash
)
SELECT (SELECT count(*) FROM unmarked), (SELECT count(*) FROM deleted)

-- name: count_marked
SELECT count(*) FROM embedding_assets.vector_garbage
WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s
