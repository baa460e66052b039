-- Failed documents and their attempts. History is never overwritten.

-- name: open_failures
SELECT document_key, attempts, episode FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
  AND status IN ('retrying', 'queued')
ORDER BY document_key FOR UPDATE

-- name: last_episodes
SELECT document_key, episode FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)

-- name: record_attempt
INSERT INTO embedding_assets.failed_attempts
    (collection_id, document_key, episode, attempt, stage, failure_class, error_type, message, provider_status, run_id)
VALUES (%(collection_id)s, %(document_key)s, %(episode)s, %(attempt)s, %(stage)s, %(failure_class)s, %(error_type)s,
        %(message)s, %(provider_status)s, %(run_id)s)

-- name: record_failure
INSERT INTO embedding_assets.failed_documents AS f
    (collection_id, document_key, status, failure_class, error_type, reason, attempts, episode, lane, first_failed_at,
     last_failed_at, next_retry_at)
VALUES (%(collection_id)s, %(document_key)s, %(status)s, %(failure_class)s, %(error_type)s, %(message)s, %(attempt)s,
        %(episode)s, %(lane)s::embedding_assets.lane, coalesce(%(now)s::timestamptz, clock_timestamp()),
        coalesce(%(now)s::timestamptz, clock_timestamp()),
        coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(retry_after)s))
ON CONFLICT (collection_id, document_key) DO UPDATE SET
    status = excluded.status, failure_class = excluded.failure_class, error_type = excluded.error_type,
    reason = excluded.reason, attempts = excluded.attempts, episode = excluded.episode, lane = excluded.lane,
    first_failed_at = CASE WHEN f.episode = excluded.episode THEN f.first_failed_at ELSE excluded.first_failed_at END,
    last_failed_at = excluded.last_failed_at, next_retry_at = excluded.next_retry_at, resolved_at = NULL

-- name: resolve
UPDATE embedding_assets.failed_documents
SET status = 'resolved', next_retry_at = NULL, resolved_at = coalesce(%(now)s::timestamptz, clock_timestamp())
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
  AND status IN ('retrying', 'queued', 'escalated')

-- name: due
SELECT document_key, lane::text FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND status = 'retrying'
  AND next_retry_at <= coalesce(%(now)s::timestamptz, clock_timestamp())
ORDER BY document_key LIMIT %(documents)s FOR UPDATE SKIP LOCKED

-- name: count_due
SELECT count(*) FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND status = 'retrying'
  AND next_retry_at <= coalesce(%(now)s::timestamptz, clock_timestamp())

-- name: mark_queued
UPDATE embedding_assets.failed_documents SET status = 'queued', next_retry_at = NULL
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)

-- name: failure_counts
SELECT c.name, f.status, f.error_type, count(*) FROM embedding_assets.failed_documents AS f
JOIN embedding_assets.collections AS c ON c.id = f.collection_id
WHERE f.status IN ('retrying', 'queued', 'escalated')
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
