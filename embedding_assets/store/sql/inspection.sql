-- Read-only: where one document is, and how a collection does.

-- name: document_state
SELECT
    EXISTS (SELECT FROM embedding_assets.source_listings AS s
            WHERE s.collection_id = c.id AND s.document_key = k.document_key) AS listed,
    EXISTS (SELECT FROM embedding_assets.work_arrivals AS a
            WHERE a.collection_id = c.id AND a.document_key = k.document_key) AS arrived,
    embedding_assets.shard_of(k.document_key) AS shard,
    d.version, d.title, d.uri, length(d.content) AS characters, d.deleted_at,
    p.published_at, p.chunks, p.chunker_fingerprint <> c.chunker_fingerprint AS stale,
    w.lane::text, w.first_enqueued_at, w.available_at, w.lease_owner, w.lost_claims,
    w.lease_owner IS NOT NULL AND w.available_at <= clock_timestamp() AS lease_expired,
    o.due_from, o.deadline, o.deadline < clock_timestamp() AS overdue,
    f.status, f.error_type, f.reason, f.attempts, f.next_retry_at, f.last_failed_at
FROM embedding_assets.collections AS c
CROSS JOIN (SELECT %(document_key)s::text AS document_key) AS k
LEFT JOIN embedding_assets.documents AS d ON d.collection_id = c.id AND d.document_key = k.document_key
LEFT JOIN embedding_assets.publications AS p
    ON p.collection_id = c.id AND p.document_key = k.document_key AND p.model_id = c.active_model_id
LEFT JOIN embedding_assets.work_items AS w ON w.collection_id = c.id AND w.document_key = k.document_key
LEFT JOIN embedding_assets.obligations AS o ON o.collection_id = c.id AND o.document_key = k.document_key
LEFT JOIN embedding_assets.failed_documents AS f ON f.collection_id = c.id AND f.document_key = k.document_key
WHERE c.name = %(collection)s

-- name: outline
-- Under which headings the published chunks of a document stand, in their order, and how many under each.
SELECT c.headings, count(*) FROM embedding_assets.chunks AS c
JOIN embedding_assets.collections AS col ON col.id = c.collection_id AND col.active_model_id = c.model_id
WHERE col.name = %(collection)s AND c.document_key = %(document_key)s AND cardinality(c.headings) > 0
GROUP BY c.headings ORDER BY min(c.ordinal)

-- name: attempts
SELECT a.failed_at, a.episode, a.attempt, a.stage, a.failure_class, a.error_type, a.message, a.provider_status, a.run_id,
       extract(epoch FROM a.duration)::float8 AS seconds
FROM embedding_assets.failed_attempts AS a JOIN embedding_assets.collections AS c ON c.id = a.collection_id
WHERE c.name = %(collection)s AND a.document_key = %(document_key)s
ORDER BY a.id

-- name: similar_keys
SELECT l.document_key FROM embedding_assets.source_listings AS l
JOIN embedding_assets.collections AS c ON c.id = l.collection_id
WHERE c.name = %(collection)s AND position(lower(%(document_key)s) IN lower(l.document_key)) > 0
ORDER BY length(l.document_key), l.document_key LIMIT 5

-- name: freshness
SELECT c.name, c.paused OR c.paused_since IS NOT NULL, c.paused_since, c.tracked_since, c.last_poll_at,
       (SELECT count(*) FROM embedding_assets.source_listings AS s WHERE s.collection_id = c.id),
       (SELECT count(*) FROM embedding_assets.publications AS p
        WHERE p.collection_id = c.id AND p.model_id = c.active_model_id),
       (SELECT count(*) FROM embedding_assets.obligations AS o WHERE o.collection_id = c.id),
       (SELECT count(*) FROM embedding_assets.obligations AS o
        WHERE o.collection_id = c.id AND o.deadline <= clock_timestamp()),
       (SELECT extract(epoch FROM clock_timestamp() - min(o.due_from))::float8 FROM embedding_assets.obligations AS o
        WHERE o.collection_id = c.id),
       m.name, m.dimensions, c.withheld_deletions
FROM embedding_assets.collections AS c JOIN embedding_assets.models AS m ON m.id = c.active_model_id
WHERE c.removing IS NULL
ORDER BY c.name

-- name: count_overdue
SELECT count(*) FROM embedding_assets.obligations
WHERE collection_id = %(collection_id)s AND deadline <= clock_timestamp()

-- name: server_facts
SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       current_user, current_setting('max_connections')::integer,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())

-- name: missing_rights
-- Tables of ours that this role may not read and write.
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'embedding_assets' AND c.relkind = 'r' AND c.relname <> 'schema_version'
  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
ORDER BY 1

-- name: stored_problems
-- What the asset checks look at, in one pass over what is published under the active model.
SELECT
    (SELECT count(*) FROM {embeddings} WHERE vector_dims(embedding) <> %(dimensions)s),
    (SELECT count(*) FROM {embeddings} WHERE {norm}(embedding) = 0 OR {norm}(embedding) = 'NaN'
                                             OR {norm}(embedding) = 'Infinity'),
    (SELECT count(DISTINCT c.input_hash) FROM embedding_assets.chunks AS c
     WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s
       AND NOT EXISTS (SELECT FROM {embeddings} AS e WHERE e.input_hash = c.input_hash)),
    (SELECT count(*) FROM embedding_assets.chunks AS c
     WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s AND NOT EXISTS (
         SELECT FROM embedding_assets.publications AS p
         WHERE p.collection_id = c.collection_id AND p.model_id = c.model_id AND p.document_key = c.document_key
           AND p.version = c.version)),
    (SELECT count(*) FROM embedding_assets.obligations
     WHERE collection_id = %(collection_id)s AND deadline <= clock_timestamp()),
    (SELECT count(*) FROM embedding_assets.failed_documents
     WHERE collection_id = %(collection_id)s AND status = 'escalated')

-- name: problem_examples
-- Documents for each count above that is not 0; run only then. A vector that no chunk holds is nobody's.
WITH bad_vectors AS (
    SELECT input_hash, vector_dims(embedding) <> %(dimensions)s AS wrong_dimension,
           {norm}(embedding) IN (0, 'NaN', 'Infinity') AS not_finite_or_zero
    FROM {embeddings}
    WHERE vector_dims(embedding) <> %(dimensions)s OR {norm}(embedding) IN (0, 'NaN', 'Infinity')
), of_chunks AS (
    SELECT c.document_key, c.version, b.wrong_dimension, b.not_finite_or_zero,
           NOT EXISTS (SELECT FROM {embeddings} AS e WHERE e.input_hash = c.input_hash) AS without_vector
    FROM embedding_assets.chunks AS c LEFT JOIN bad_vectors AS b USING (input_hash)
    WHERE c.collection_id = %(collection_id)s AND c.model_id = %(model_id)s
), affected AS (
    SELECT 'wrong_dimension' AS problem, document_key, '-infinity'::timestamptz AS since FROM of_chunks WHERE wrong_dimension
    UNION SELECT 'not_finite_or_zero', document_key, '-infinity' FROM of_chunks WHERE not_finite_or_zero
    UNION SELECT 'inputs_without_vector', document_key, '-infinity' FROM of_chunks WHERE without_vector
    UNION SELECT 'orphaned_chunks', o.document_key, '-infinity' FROM of_chunks AS o WHERE NOT EXISTS (
        SELECT FROM embedding_assets.publications AS p
        WHERE p.collection_id = %(collection_id)s AND p.model_id = %(model_id)s AND p.document_key = o.document_key
          AND p.version = o.version)
    UNION SELECT 'overdue', document_key, deadline FROM embedding_assets.obligations
    WHERE collection_id = %(collection_id)s AND deadline <= clock_timestamp()
    UNION SELECT 'escalated', document_key, last_failed_at FROM embedding_assets.failed_documents
    WHERE collection_id = %(collection_id)s AND status = 'escalated'
), numbered AS (
    SELECT problem, document_key, row_number() OVER (PARTITION BY problem ORDER BY since, document_key) AS number FROM affected
)
SELECT problem, array_agg(document_key ORDER BY number) FROM numbered WHERE number <= %(documents)s GROUP BY problem

-- name: processed_lately
WITH failed AS (
    SELECT DISTINCT document_key FROM embedding_assets.failed_attempts
    WHERE collection_id = %(collection_id)s
      AND failed_at > coalesce(%(now)s::timestamptz, clock_timestamp()) - interval '24 hours'
), processed AS (
    SELECT document_key FROM failed
    UNION
    SELECT document_key FROM embedding_assets.publications
    WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s
      AND published_at > coalesce(%(now)s::timestamptz, clock_timestamp()) - interval '24 hours'
)
SELECT (SELECT count(*) FROM failed), (SELECT count(*) FROM processed),
       ARRAY(SELECT document_key FROM failed ORDER BY document_key LIMIT %(examples)s)

-- name: sample_documents
-- The same few each time, from anywhere in the collection.
SELECT d.title, left(d.content, 400) FROM embedding_assets.documents AS d
JOIN embedding_assets.collections AS c ON c.id = d.collection_id
WHERE c.name = %(collection)s AND d.deleted_at IS NULL AND d.content <> ''
ORDER BY md5(d.document_key) LIMIT %(documents)s

-- name: shard_holders
SELECT c.name, l.owner, array_agg(l.shard ORDER BY l.shard),
       min(extract(epoch FROM l.expires_at - clock_timestamp()))::float8
FROM embedding_assets.shard_leases AS l JOIN embedding_assets.collections AS c ON c.id = l.collection_id
WHERE l.owner IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 3
