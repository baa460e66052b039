-- Counts kept as signed deltas: put together so that few rows are read, and held against what they count.

-- name: put_together
-- In one statement, so that whoever reads meanwhile sees the old rows or the new one. What another puts together is left to it.
WITH gone AS (
    DELETE FROM embedding_assets.count_deltas WHERE id = ANY (ARRAY(
        SELECT id FROM embedding_assets.count_deltas ORDER BY id LIMIT %(rows)s FOR UPDATE SKIP LOCKED
    ))
    RETURNING what, collection_id, lane, delta
), together AS (
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    SELECT g.what, g.collection_id, g.lane, sum(g.delta) FROM gone AS g
    WHERE EXISTS (SELECT FROM embedding_assets.collections AS c WHERE c.id = g.collection_id)
    GROUP BY g.what, g.collection_id, g.lane HAVING sum(g.delta) <> 0
)
SELECT count(*) FROM gone

-- name: reconcile
-- One snapshot holds rows and their deltas alike: what other transactions are about to commit differs in neither.
WITH truth AS (
    SELECT 'queued' AS what, w.lane, count(*) AS number FROM embedding_assets.work_items AS w
    WHERE w.collection_id = %(collection_id)s GROUP BY w.lane
    UNION ALL
    SELECT 'tracked', NULL, count(*) FROM embedding_assets.documents AS d
    WHERE d.collection_id = %(collection_id)s AND d.deleted_at IS NULL
), both_ AS (
    SELECT what, lane, number FROM truth
    UNION ALL
    SELECT what, lane, -delta FROM embedding_assets.count_deltas WHERE collection_id = %(collection_id)s
), corrected AS (
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    SELECT what, %(collection_id)s, lane, sum(number) FROM both_ GROUP BY what, lane HAVING sum(number) <> 0
    RETURNING delta
)
SELECT coalesce(sum(abs(delta)), 0)::bigint FROM corrected
