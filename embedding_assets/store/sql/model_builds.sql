-- Building another model beside the active one: what it lacks, and copying documents under it.
-- Chunks are found document by document (LATERAL … OFFSET 0), in the order of their key, with the model in a subquery: without
-- statistics, or with some from before the build, the planner takes a model to have no chunks, and reads all it has for a page (1.1 s for
-- 100 of 50,000 documents).

-- name: take_shards
-- The session's locks: they end with its connection, however its process ends.
SELECT k FROM unnest(%(keys)s::integer[]) AS k WHERE pg_try_advisory_lock(%(space)s, k)

-- name: lacking
-- A page in the order of the keys: documents that hold so many chunks together, and at least one document.
SELECT page.document_key, page.version, page.chunks, d.title
FROM (
    SELECT l.*, sum(l.chunks) OVER (ORDER BY l.document_key) - l.chunks AS before
    FROM (
        SELECT * FROM embedding_assets.lacking_documents(%(collection_id)s, %(active)s, %(building)s) AS l
        WHERE l.document_key > %(after)s AND embedding_assets.shard_of(l.document_key) = ANY(%(shards)s::smallint[])
        ORDER BY l.document_key LIMIT %(documents)s
    ) AS l
) AS page
JOIN embedding_assets.documents AS d
    ON d.collection_id = %(collection_id)s AND d.document_key = page.document_key AND d.version = page.version
WHERE page.before < %(chunks)s
ORDER BY page.document_key

-- name: count_lacking
SELECT count(*) FROM embedding_assets.lacking_documents(%(collection_id)s, %(active)s, %(building)s)

-- name: lacks_any
SELECT EXISTS (SELECT FROM embedding_assets.lacking_documents(%(collection_id)s, %(active)s, %(building)s))

-- name: stored_chunks
SELECT u.document_key, c.content, c.start_char, c.headings
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[]) AS u (document_key, version)
CROSS JOIN LATERAL (
    SELECT c.ordinal, c.content, c.start_char, c.headings FROM embedding_assets.chunks AS c
    WHERE c.collection_id = %(collection_id)s AND c.model_id = (SELECT %(active)s::integer)
      AND c.document_key = u.document_key AND c.version = u.version
    ORDER BY c.ordinal OFFSET 0
) AS c
ORDER BY u.document_key, c.ordinal

-- name: contents
SELECT d.document_key, d.content
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[]) AS u (document_key, version)
JOIN embedding_assets.documents AS d
    ON d.collection_id = %(collection_id)s AND d.document_key = u.document_key AND d.version = u.version

-- name: still_published
SELECT u.document_key
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[]) AS u (document_key, version)
CROSS JOIN LATERAL (
    SELECT FROM embedding_assets.publications AS p
    WHERE p.collection_id = %(collection_id)s AND p.model_id = (SELECT %(active)s::integer)
      AND p.document_key = u.document_key AND p.version = u.version
    OFFSET 0
) AS p

-- name: drop_chunks
-- Of an older version; what it held may be unreferenced now.
WITH dropped AS (
    DELETE FROM embedding_assets.chunks WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM unnest(%(document_keys)s::text[]) AS u (document_key)
        CROSS JOIN LATERAL (
            SELECT c.ctid FROM embedding_assets.chunks AS c
            WHERE c.collection_id = %(collection_id)s AND c.model_id = (SELECT %(building)s::integer)
              AND c.document_key = u.document_key
            ORDER BY c.version, c.ordinal OFFSET 0
        ) AS c))
    RETURNING input_hash
)
INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash)
SELECT DISTINCT %(collection_id)s::integer, %(building)s::integer, input_hash FROM dropped
WHERE input_hash <> ALL(%(input_hashes)s::bytea[])
ORDER BY input_hash
ON CONFLICT DO NOTHING

-- name: copy_chunks
INSERT INTO embedding_assets.chunks
    (collection_id, model_id, document_key, version, ordinal, content, start_char, end_char, headings, token_count, input_hash)
SELECT %(collection_id)s, %(building)s, d.document_key, d.version, c.ordinal, c.content, c.start_char, c.end_char,
       CASE WHEN u.headings IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(u.headings)) END, u.tokens, u.input_hash
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[]) AS d (document_key, version)
CROSS JOIN LATERAL (
    SELECT c.ordinal, c.content, c.start_char, c.end_char FROM embedding_assets.chunks AS c
    WHERE c.collection_id = %(collection_id)s AND c.model_id = (SELECT %(active)s::integer)
      AND c.document_key = d.document_key AND c.version = d.version
    ORDER BY c.ordinal OFFSET 0
) AS c
JOIN unnest(%(chunk_keys)s::text[], %(ordinals)s::integer[], %(tokens)s::integer[], %(input_hashes)s::bytea[],
            %(headings)s::jsonb[]) AS u (document_key, ordinal, tokens, input_hash, headings)
    ON u.document_key = d.document_key AND u.ordinal = c.ordinal
ORDER BY d.document_key, c.ordinal

-- name: copy_publications
INSERT INTO embedding_assets.publications AS b
    (collection_id, model_id, document_key, version, chunker_fingerprint, chunks, published_at)
SELECT p.collection_id, %(building)s, p.document_key, p.version, p.chunker_fingerprint, p.chunks, p.published_at
FROM embedding_assets.publications AS p
WHERE p.collection_id = %(collection_id)s AND p.model_id = %(active)s AND p.document_key = ANY(%(document_keys)s)
ORDER BY p.document_key
ON CONFLICT (collection_id, model_id, document_key) DO UPDATE SET
    version = excluded.version, chunker_fingerprint = excluded.chunker_fingerprint, chunks = excluded.chunks,
    published_at = excluded.published_at
