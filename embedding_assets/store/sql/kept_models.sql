-- What a collection keeps of each model, and dropping one that is neither active nor being built. {embeddings} is its table.

-- name: models
SELECT c.name, m.id, m.name, m.dimensions,
       CASE m.id WHEN c.active_model_id THEN 'active' WHEN c.building_model_id THEN 'building' ELSE 'kept' END,
       (SELECT count(*) FROM embedding_assets.publications AS p WHERE p.collection_id = c.id AND p.model_id = m.id),
       coalesce(pg_total_relation_size(t.embeddings), 0)
FROM embedding_assets.collections AS c
CROSS JOIN embedding_assets.models AS m
CROSS JOIN LATERAL (SELECT to_regclass('embedding_assets.embeddings_' || c.id || '_' || m.id) AS embeddings) AS t
WHERE c.name = ANY(%(collections)s)
  AND (m.id IN (c.active_model_id, c.building_model_id) OR t.embeddings IS NOT NULL
       OR EXISTS (SELECT FROM embedding_assets.chunks AS k WHERE k.collection_id = c.id AND k.model_id = m.id)
       OR EXISTS (SELECT FROM embedding_assets.publications AS p WHERE p.collection_id = c.id AND p.model_id = m.id))
ORDER BY c.name, m.id

-- name: drop_documents
-- Chunks are found document by document, for the same reason as in model_builds (2.2 s for 500 of 50,000 documents).
WITH doomed AS MATERIALIZED (
    SELECT document_key, ctid FROM embedding_assets.publications
    WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s ORDER BY document_key LIMIT %(rows)s
), chunks AS (
    DELETE FROM embedding_assets.chunks WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM doomed
        CROSS JOIN LATERAL (
            SELECT c.ctid FROM embedding_assets.chunks AS c
            WHERE c.collection_id = %(collection_id)s AND c.model_id = (SELECT %(model_id)s::integer)
              AND c.document_key = doomed.document_key
            ORDER BY c.version, c.ordinal OFFSET 0
        ) AS c))
)
DELETE FROM embedding_assets.publications WHERE ctid = ANY (ARRAY(SELECT ctid FROM doomed))

-- name: drop_chunks
-- Of no publication: nobody should have left them, and nobody else would find them.
DELETE FROM embedding_assets.chunks WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM embedding_assets.chunks
    WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s LIMIT %(rows)s))

-- name: drop_marks
DELETE FROM embedding_assets.vector_garbage WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s

-- name: wait_briefly
-- For a search that began before the cut-over and still reads the table: settles must not wait for it too.
SELECT set_config('lock_timeout', '2s', true)

-- name: drop_table
DROP TABLE IF EXISTS {embeddings}
