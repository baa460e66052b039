-- Failed documents and their attempts. History is never overwritten. Whoever waits for a row of failed_documents holds the work items
-- of these documents; whoever does not (the mover of retries, a person's command, the notifier) skips what is locked: no deadlock.

-- name: episodes
SELECT document_key, status, attempts, episode, since_generation FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
ORDER BY document_key FOR UPDATE

-- name: waiting
-- Work that came while the document was claimed: it stays in the queue when the claim ends.
SELECT document_key, generation FROM embedding_assets.work_items
WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND generation > claimed_generation

-- name: record_attempt
-- The attempt of an episode that is over has no number of its own yet: it is that episode's next.
INSERT INTO embedding_assets.failed_attempts
    (collection_id, document_key, episode, attempt, failed_at, stage, failure_class, error_type, message, provider_status,
     run_id, duration)
VALUES (%(collection_id)s, %(document_key)s, %(episode)s,
        coalesce(%(attempt)s::integer, (
            SELECT coalesce(max(a.attempt), 0) + 1 FROM embedding_assets.failed_attempts AS a
            WHERE a.collection_id = %(collection_id)s AND a.document_key = %(document_key)s AND a.episode = %(episode)s)),
        coalesce(%(now)s::timestamptz, clock_timestamp()), %(stage)s, %(failure_class)s, %(error_type)s,
        %(message)s, %(provider_status)s, %(run_id)s, make_interval(secs => %(seconds)s))

-- name: record_failure
INSERT INTO embedding_assets.failed_documents AS f
    (collection_id, document_key, status, failure_class, error_type, reason, attempts, episode, since_generation, lane,
     first_failed_at, last_failed_at, next_retry_at)
VALUES (%(collection_id)s, %(document_key)s, %(status)s, %(failure_class)s, %(error_type)s, %(message)s,
        %(row_attempts)s, %(row_episode)s, %(since_generation)s, %(lane)s::embedding_assets.lane,
        coalesce(%(now)s::timestamptz, clock_timestamp()), coalesce(%(now)s::timestamptz, clock_timestamp()),
        coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(retry_after)s))
ON CONFLICT (collection_id, document_key) DO UPDATE SET
    status = excluded.status, failure_class = excluded.failure_class, error_type = excluded.error_type,
    reason = excluded.reason, attempts = excluded.attempts, episode = excluded.episode, lane = excluded.lane,
    since_generation = greatest(f.since_generation, excluded.since_generation),
    first_failed_at = CASE WHEN f.episode = excluded.episode AND f.attempts > 0 THEN f.first_failed_at
                           ELSE excluded.first_failed_at END,
    last_failed_at = excluded.last_failed_at, next_retry_at = excluded.next_retry_at, resolved_at = NULL,
    notified_at = NULL

-- name: resolve
UPDATE embedding_assets.failed_documents AS f
SET status = 'resolved', next_retry_at = NULL, resolved_at = coalesce(%(now)s::timestamptz, clock_timestamp())
FROM (
    SELECT document_key FROM embedding_assets.failed_documents
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND status <> 'resolved'
    ORDER BY document_key FOR UPDATE
) AS came_through
WHERE f.collection_id = %(collection_id)s AND f.document_key = came_through.document_key

-- name: take_due
WITH due AS (
    SELECT document_key FROM embedding_assets.failed_documents
    WHERE collection_id = %(collection_id)s AND status = 'retrying'
      AND next_retry_at <= coalesce(%(now)s::timestamptz, clock_timestamp())
    ORDER BY document_key LIMIT %(documents)s FOR UPDATE SKIP LOCKED
)
UPDATE embedding_assets.failed_documents AS f SET status = 'queued', next_retry_at = NULL
FROM due WHERE f.collection_id = %(collection_id)s AND f.document_key = due.document_key
RETURNING f.document_key, f.lane::text

-- name: count_due
SELECT count(*) FROM embedding_assets.failed_documents
WHERE collection_id = %(collection_id)s AND status = 'retrying'
  AND next_retry_at <= coalesce(%(now)s::timestamptz, clock_timestamp())

-- name: failure_counts
SELECT c.name, f.status, f.error_type, count(*) FROM embedding_assets.failed_documents AS f
JOIN embedding_assets.collections AS c ON c.id = f.collection_id
WHERE f.status IN ('retrying', 'queued', 'escalated')
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
