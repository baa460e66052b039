-- How promises end.

-- name: close_obligations
DELETE FROM embedding_assets.obligations AS o
USING unnest(%(document_keys)s::text[], %(generations)s::bigint[]) AS covered (document_key, generation)
WHERE o.collection_id = %(collection_id)s AND o.document_key = ANY(%(document_keys)s)
  AND o.document_key = covered.document_key AND o.generation <= covered.generation
RETURNING o.document_key, o.counted, o.charged,
    extract(epoch FROM coalesce(%(now)s::timestamptz, clock_timestamp()) - o.due_from)::float8 AS lag_seconds,
    coalesce(%(now)s::timestamptz, clock_timestamp()) <= o.deadline AS in_time,
    CASE WHEN o.later_generation > covered.generation THEN o.later_from END AS later_from,
    CASE WHEN o.later_generation > covered.generation THEN o.later_generation END AS later_generation

-- name: charge_obligations
-- A change that was charged with an attempt; how many were not before.
UPDATE embedding_assets.obligations AS o SET charged = true
FROM unnest(%(document_keys)s::text[], %(generations)s::bigint[]) AS covered (document_key, generation)
WHERE o.collection_id = %(collection_id)s AND o.document_key = ANY(%(document_keys)s)
  AND o.document_key = covered.document_key AND o.generation <= covered.generation AND NOT o.charged

-- name: reopen_obligations
INSERT INTO embedding_assets.obligations (collection_id, document_key, due_from, deadline, generation)
SELECT c.id, u.document_key, u.due_from, u.due_from + make_interval(secs => c.freshness_seconds), u.generation
FROM unnest(%(document_keys)s::text[], %(due_from)s::timestamptz[], %(generations)s::bigint[])
         AS u (document_key, due_from, generation),
     embedding_assets.collections AS c
WHERE c.id = %(collection_id)s

-- name: left_unfolded
-- The first of each collection by an index: ids grow with time, but for transactions that committed late.
SELECT c.id, c.name FROM embedding_assets.collections AS c
CROSS JOIN LATERAL (
    SELECT a.enqueued_at FROM embedding_assets.work_arrivals AS a WHERE a.collection_id = c.id ORDER BY a.id LIMIT 1
) AS oldest
WHERE oldest.enqueued_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp())) - make_interval(secs => %(seconds)s)
ORDER BY c.id

-- name: take_missed
-- The oldest first, by the index of what is not counted; locked in key order, and never waited for: who holds one is closing it.
WITH late AS (
    SELECT collection_id, document_key FROM embedding_assets.obligations
    WHERE NOT counted AND deadline <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
    ORDER BY deadline LIMIT %(promises)s
), locked AS (
    SELECT o.collection_id, o.document_key FROM embedding_assets.obligations AS o
    JOIN late USING (collection_id, document_key)
    WHERE NOT o.counted AND o.deadline <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
    ORDER BY o.collection_id, o.document_key FOR UPDATE OF o SKIP LOCKED
), taken AS (
    UPDATE embedding_assets.obligations AS o SET counted = true FROM locked
    WHERE o.collection_id = locked.collection_id AND o.document_key = locked.document_key
    RETURNING o.collection_id
)
SELECT c.name, count(*) FROM taken JOIN embedding_assets.collections AS c ON c.id = taken.collection_id GROUP BY 1

-- name: give_up
WITH given_up AS (
    DELETE FROM embedding_assets.obligations
    WHERE (collection_id, document_key) IN (
        SELECT collection_id, document_key FROM embedding_assets.obligations
        WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
        ORDER BY document_key FOR UPDATE
    )
    RETURNING counted
)
SELECT count(*) FILTER (WHERE NOT counted) FROM given_up
