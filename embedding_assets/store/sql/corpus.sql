-- Documents, chunks and publications: what a settle writes, and what is compared before one.

-- name: published_state
SELECT d.document_key, d.content_hash, p.chunker_fingerprint
FROM embedding_assets.documents AS d
JOIN embedding_assets.publications AS p USING (collection_id, document_key)
WHERE d.collection_id = %(collection_id)s AND p.model_id = %(model_id)s
  AND d.document_key = ANY(%(document_keys)s) AND p.version = d.version AND d.deleted_at IS NULL

-- name: upsert_documents
INSERT INTO embedding_assets.documents AS d
    (collection_id, document_key, version, content, content_hash, title, uri, metadata, source_updated_at)
SELECT %(collection_id)s, u.*
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[], %(contents)s::text[], %(content_hashes)s::bytea[],
            %(titles)s::text[], %(uris)s::text[], %(metadata)s::jsonb[], %(source_updated_at)s::timestamptz[]) AS u
ORDER BY 2
ON CONFLICT (collection_id, document_key) DO UPDATE SET
    version = excluded.version, content = excluded.content, content_hash = excluded.content_hash,
    title = excluded.title, uri = excluded.uri, metadata = excluded.metadata,
    source_updated_at = excluded.source_updated_at, fetched_at = clock_timestamp(), deleted_at = NULL

-- name: drop_chunks
-- What the dropped versions held may be unreferenced now: mark it; the collector asks again before it deletes.
WITH dropped AS (
    DELETE FROM embedding_assets.chunks
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
    RETURNING model_id, input_hash
)
INSERT INTO embedding_assets.vector_garbage (collection_id, model_id, input_hash)
SELECT DISTINCT %(collection_id)s::integer, model_id, input_hash FROM dropped
WHERE input_hash <> ALL(%(kept)s::bytea[])
ORDER BY model_id, input_hash
ON CONFLICT DO NOTHING

-- name: copy_chunks
COPY embedding_assets.chunks (collection_id, model_id, document_key, version, ordinal, content, start_char, end_char,
                              headings, token_count, input_hash) FROM STDIN (FORMAT BINARY)

-- name: upsert_publications
INSERT INTO embedding_assets.publications (collection_id, model_id, document_key, version, chunker_fingerprint, chunks)
SELECT %(collection_id)s, %(model_id)s, u.document_key, u.version, %(chunker_fingerprint)s, u.chunks
FROM unnest(%(document_keys)s::text[], %(versions)s::bigint[], %(chunks)s::integer[])
         AS u (document_key, version, chunks)
ORDER BY u.document_key
ON CONFLICT (collection_id, model_id, document_key) DO UPDATE SET
    version = excluded.version, chunker_fingerprint = excluded.chunker_fingerprint, chunks = excluded.chunks,
    published_at = clock_timestamp()

-- name: delete_publications
DELETE FROM embedding_assets.publications
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)

-- name: erase_documents
-- The row stays, so that explain can say what became of the document; its content does not.
UPDATE embedding_assets.documents
SET content = '', content_hash = sha256(''), title = '', uri = '', metadata = '{}', deleted_at = clock_timestamp()
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND deleted_at IS NULL

-- name: known_keys
-- Every document of these shards: published, listed, or waiting.
SELECT document_key FROM embedding_assets.documents
WHERE collection_id = %(collection_id)s AND shard = ANY(%(shards)s::smallint[]) AND deleted_at IS NULL
UNION
SELECT document_key FROM embedding_assets.source_listings
WHERE collection_id = %(collection_id)s AND embedding_assets.shard_of(document_key) = ANY(%(shards)s::smallint[])
ORDER BY 1

-- name: content_hashes
SELECT document_key, content_hash FROM embedding_assets.documents
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND deleted_at IS NULL

-- name: stale_keys
SELECT p.document_key FROM embedding_assets.publications AS p
JOIN embedding_assets.collections AS c ON c.id = p.collection_id AND c.active_model_id = p.model_id
WHERE p.collection_id = %(collection_id)s AND p.chunker_fingerprint <> c.chunker_fingerprint
  AND embedding_assets.shard_of(p.document_key) = ANY(%(shards)s::smallint[])
  -- A run cuts what it takes from the queue as the collection says; queued twice, it would be looked at twice.
  AND NOT EXISTS (
      SELECT FROM embedding_assets.work_items AS w
      WHERE w.collection_id = p.collection_id AND w.document_key = p.document_key)
  AND NOT EXISTS (
      SELECT FROM embedding_assets.work_arrivals AS a
      WHERE a.collection_id = p.collection_id AND a.document_key = p.document_key)
ORDER BY 1 LIMIT %(most)s

-- name: stale_texts
-- A page in the order of the keys: documents that hold so many bytes together, and at least one document.
SELECT page.document_key, page.title, page.content FROM (
    SELECT l.*, sum(octet_length(l.content)) OVER (ORDER BY l.document_key) - octet_length(l.content) AS before
    FROM (
        SELECT p.document_key, d.title, d.content FROM embedding_assets.publications AS p
        JOIN embedding_assets.documents AS d USING (collection_id, document_key, version)
        WHERE p.collection_id = %(collection_id)s AND p.model_id = %(model_id)s
          AND p.chunker_fingerprint <> %(chunker_fingerprint)s AND p.document_key > %(after)s
        ORDER BY p.document_key LIMIT %(documents)s
    ) AS l
) AS page
WHERE page.before < %(size)s
ORDER BY page.document_key

-- name: corpus_counts
SELECT count(*), coalesce(sum(chunks), 0)::bigint FROM embedding_assets.publications
WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s
