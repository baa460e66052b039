-- Failed documents found, put back, dismissed, told of. What is locked is in another's hands just now and skipped: nobody waits here.

-- name: find
SELECT f.collection_id, c.name AS collection, f.document_key, f.status, f.failure_class, f.error_type, f.reason, f.attempts,
       f.episode, f.lane::text, f.first_failed_at, f.last_failed_at, f.next_retry_at, f.resolved_at, f.notified_at
FROM embedding_assets.failed_documents AS f JOIN embedding_assets.collections AS c ON c.id = f.collection_id
WHERE f.status = ANY(%(statuses)s::text[])
  AND (%(collection)s::text IS NULL OR c.name = %(collection)s)
  AND (%(failure_class)s::text IS NULL OR f.failure_class = %(failure_class)s)
  AND (%(error_type)s::text IS NULL OR f.error_type = %(error_type)s)
  AND (%(older_than_seconds)s::float8 IS NULL OR f.last_failed_at
       <= coalesce(%(now)s::timestamptz, clock_timestamp()) - make_interval(secs => %(older_than_seconds)s))
  AND (%(document_keys)s::text[] IS NULL OR f.document_key = ANY(%(document_keys)s))
ORDER BY c.name, f.document_key

-- name: put_back
-- A claim that is at work on it drew its generation before: what that one fails with belongs to the episode before.
WITH chosen AS (
    SELECT document_key FROM embedding_assets.failed_documents
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
      AND status = ANY(%(statuses)s::text[])
    ORDER BY document_key FOR UPDATE SKIP LOCKED
)
UPDATE embedding_assets.failed_documents AS f SET
    status = 'queued', attempts = 0, episode = f.episode + 1, since_generation = nextval('embedding_assets.generation_seq'),
    next_retry_at = NULL, resolved_at = NULL, notified_at = NULL
FROM chosen WHERE f.collection_id = %(collection_id)s AND f.document_key = chosen.document_key
RETURNING f.document_key, f.lane::text

-- name: dismiss
WITH chosen AS (
    SELECT document_key FROM embedding_assets.failed_documents
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
      AND status = ANY(%(statuses)s::text[])
    ORDER BY document_key FOR UPDATE SKIP LOCKED
)
UPDATE embedding_assets.failed_documents AS f SET
    status = 'dismissed', next_retry_at = NULL, resolved_at = coalesce(%(now)s::timestamptz, clock_timestamp())
FROM chosen WHERE f.collection_id = %(collection_id)s AND f.document_key = chosen.document_key
RETURNING f.document_key

-- name: untold
SELECT document_key, episode, error_type, attempts, last_failed_at FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND status = 'escalated' AND notified_at IS NULL
ORDER BY document_key LIMIT %(documents)s

-- name: mark_told
WITH told AS (
    SELECT f.document_key FROM embedding_assets.failed_documents AS f
    JOIN unnest(%(document_keys)s::text[], %(episodes)s::integer[]) AS t (document_key, episode) USING (document_key, episode)
    WHERE f.collection_id = %(collection_id)s AND f.status = 'escalated' AND f.notified_at IS NULL
    ORDER BY f.document_key FOR UPDATE OF f SKIP LOCKED
)
UPDATE embedding_assets.failed_documents AS f SET notified_at = clock_timestamp()
FROM told WHERE f.collection_id = %(collection_id)s AND f.document_key = told.document_key
