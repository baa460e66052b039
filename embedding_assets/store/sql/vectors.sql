-- One table of vectors per collection and model. {embeddings} is its name; every other value is a parameter.

-- name: lock_creation
-- Two runs that start at once: IF NOT EXISTS alone fails for the second. Only where there is no table yet, for ALTER TABLE would wait
-- for every search and index build, and every search after it.
SELECT pg_advisory_xact_lock(%(space)s, %(table)s)

-- name: create_table
-- PLAIN keeps the vector in the row: TOASTed, a COPY of 1,536 dimensions ran at a third of the speed.
CREATE TABLE IF NOT EXISTS {embeddings} (
    input_hash  bytea PRIMARY KEY CHECK (octet_length(input_hash) = 32),
    embedding   {type} NOT NULL
)

-- name: set_plain_storage
ALTER TABLE {embeddings} ALTER COLUMN embedding SET STORAGE PLAIN

-- name: create_staging
CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {embeddings} INCLUDING STORAGE) ON COMMIT DELETE ROWS

-- name: copy_vectors
COPY {staging} (input_hash, embedding) FROM STDIN (FORMAT BINARY)

-- name: merge_vectors
-- Ordered by key: two workers that store overlapping inputs in different orders would deadlock.
INSERT INTO {embeddings} (input_hash, embedding)
SELECT input_hash, embedding FROM {staging} ORDER BY input_hash
ON CONFLICT (input_hash) DO NOTHING

-- name: missing_inputs
SELECT h FROM unnest(%(input_hashes)s::bytea[]) AS h
WHERE NOT EXISTS (SELECT FROM {embeddings} AS e WHERE e.input_hash = h)

-- name: hold_off_collector
-- The collector takes the exclusive form of this lock before it re-checks and deletes.
SELECT pg_advisory_xact_lock_shared(%(space)s, %(table)s)

-- name: hold_off_settles
SELECT pg_advisory_xact_lock(%(space)s, %(table)s)

-- name: hold_off_settles_beyond
-- Held by the session, beyond the statement.
SELECT pg_advisory_lock(%(space)s, %(table)s)

-- name: let_settles_go
SELECT pg_advisory_unlock(%(space)s, %(table)s)

-- name: inputs_without_vectors
-- Published inputs whose vector is missing or of norm zero, with what is needed to make the input again.
SELECT DISTINCT ON (c.input_hash) c.input_hash, c.content, d.title, coalesce(c.headings, ARRAY[]::text[]), c.token_count
FROM embedding_assets.chunks AS c
JOIN embedding_assets.documents AS d USING (collection_id, document_key)
LEFT JOIN {embeddings} AS e ON e.input_hash = c.input_hash
WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s AND d.shard = ANY(%(shards)s::smallint[])
  AND c.input_hash > %(after)s
  AND (e.input_hash IS NULL OR {norm}(e.embedding) = 0)
ORDER BY c.input_hash
LIMIT %(inputs)s

-- name: delete_zero_vectors
DELETE FROM {embeddings} WHERE input_hash = ANY(%(input_hashes)s) AND {norm}(embedding) = 0

-- name: table_facts
SELECT to_regclass(%(table)s) IS NOT NULL,
       coalesce((SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%(table)s)), 0),
       coalesce(pg_table_size(to_regclass(%(table)s)), 0),
       coalesce(pg_relation_size(to_regclass(%(index)s)), 0),
       (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(index)s))

-- name: count_vectors
SELECT count(*) FROM {embeddings}
