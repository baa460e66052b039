-- Promises that are not kept.

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
