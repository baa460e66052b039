-- Gauges as a scrape reads them. Each is bounded: it reads sums of deltas, the ends of indexes, or no further than a limit.

-- name: known
SELECT c.id, c.name, m.name, b.name, c.limit_name,
       extract(epoch FROM c.last_poll_at)::float8, c.paused
FROM embedding_assets.collections AS c
JOIN embedding_assets.models AS m ON m.id = c.active_model_id
LEFT JOIN embedding_assets.models AS b ON b.id = c.building_model_id
ORDER BY c.name

-- name: counted
SELECT c.name, d.what, d.lane::text, sum(d.delta)::bigint
FROM embedding_assets.count_deltas AS d JOIN embedding_assets.collections AS c ON c.id = d.collection_id
GROUP BY 1, 2, 3

-- name: leased
-- By the index of what is claimed, which is never much; no further than the limit.
SELECT c.name, l.lane::text, (
    SELECT count(*) FROM (
        SELECT FROM embedding_assets.work_items AS w
        WHERE w.collection_id = c.id AND w.lane = l.lane AND coalesce(w.lease_owner, '') <> ''
          AND w.available_at > (SELECT clock_timestamp())
        LIMIT %(up_to)s
    ) AS leased
), (
    SELECT count(*) FROM (
        SELECT FROM embedding_assets.work_items AS w
        WHERE w.collection_id = c.id AND w.lane = l.lane AND coalesce(w.lease_owner, '') <> ''
          AND w.available_at <= (SELECT clock_timestamp())
        LIMIT %(up_to)s
    ) AS expired
)
FROM embedding_assets.collections AS c CROSS JOIN unnest(enum_range(NULL::embedding_assets.lane)) AS l (lane)

-- name: arrived
-- What producers told of and nobody folded, which is little while anything runs: the first so many are looked at. `reach` is how many
-- there may be by their ids, in which there are gaps.
SELECT c.name, a.lane::text, count(*), extract(epoch FROM clock_timestamp() - min(a.enqueued_at))::float8,
       (SELECT z.id FROM embedding_assets.work_arrivals AS z WHERE z.collection_id = c.id ORDER BY z.id DESC LIMIT 1)
           - min(min(a.id)) OVER (PARTITION BY c.id) + 1 AS reach
FROM embedding_assets.collections AS c
CROSS JOIN LATERAL (
    SELECT w.lane, w.enqueued_at, w.id FROM embedding_assets.work_arrivals AS w
    WHERE w.collection_id = c.id ORDER BY w.id LIMIT %(up_to)s
) AS a
GROUP BY c.id, c.name, a.lane

-- name: oldest
-- The head of each line: who came first is claimed first.
SELECT c.name, l.lane::text, extract(epoch FROM clock_timestamp() - min(head.first_enqueued_at))::float8
FROM embedding_assets.collections AS c
CROSS JOIN unnest(enum_range(NULL::embedding_assets.lane)) AS l (lane)
CROSS JOIN generate_series(0, 15) AS s (shard)
CROSS JOIN LATERAL (
    SELECT w.first_enqueued_at FROM embedding_assets.work_items AS w
    WHERE w.line = embedding_assets.line_of(c.id, s.shard, l.lane) ORDER BY w.available_at LIMIT 1
) AS head
GROUP BY 1, 2

-- name: overdue
-- Those that were counted as missed, and those that are about to be; no further than the limit.
SELECT c.name, (
    SELECT count(*) FROM (
        SELECT FROM embedding_assets.obligations AS o WHERE o.collection_id = c.id AND o.counted LIMIT %(up_to)s
    ) AS counted
) + (
    SELECT count(*) FROM (
        SELECT o.collection_id FROM embedding_assets.obligations AS o
        WHERE NOT o.counted AND o.deadline <= (SELECT clock_timestamp()) LIMIT %(up_to)s
    ) AS late WHERE late.collection_id = c.id
)
FROM embedding_assets.collections AS c

-- name: failed
-- By age too, for a histogram: `bucket` is how many of the bounds the age is above.
SELECT f.status, least(f.attempts, 5), width_bucket(f.seconds, %(bounds)s::float8[]), count(*), sum(f.seconds)::float8
FROM (
    SELECT status, attempts,
           greatest(extract(epoch FROM clock_timestamp() - first_failed_at)::float8, 0) AS seconds
    FROM embedding_assets.failed_documents WHERE status IN ('retrying', 'queued', 'escalated')
) AS f
GROUP BY 1, 2, 3

-- name: circuits
SELECT provider, reason FROM embedding_assets.circuits

-- name: consumers
-- By which names our collections draw on limits.
SELECT DISTINCT limit_name, limit_consumer FROM embedding_assets.collections
WHERE limit_name IS NOT NULL AND limit_consumer IS NOT NULL

-- name: tables
SELECT c.relname, pg_table_size(c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'embedding_assets' AND c.relkind = 'r'

-- name: indexes
-- Of vectors alone; the others are small beside them.
SELECT i.relname, pg_relation_size(i.oid)
FROM pg_class AS i
JOIN pg_namespace AS n ON n.oid = i.relnamespace
JOIN pg_am AS a ON a.oid = i.relam
WHERE n.nspname = 'embedding_assets' AND i.relkind = 'i' AND a.amname = 'hnsw'

-- name: vectors
SELECT m.name, coalesce(sum(s.n_live_tup), 0)::bigint
FROM embedding_assets.models AS m
JOIN embedding_assets.collections AS c ON m.id IN (c.active_model_id, c.building_model_id)
LEFT JOIN pg_stat_user_tables AS s
    ON s.schemaname = 'embedding_assets' AND s.relname = 'embeddings_' || c.id || '_' || m.id
GROUP BY 1

-- name: connections
SELECT CASE WHEN starts_with(application_name, 'embedding-assets') THEN application_name ELSE 'other' END,
       CASE WHEN state IN ('active', 'idle') THEN state
            WHEN starts_with(state, 'idle in transaction') THEN 'idle_in_transaction' ELSE 'other' END,
       count(*)
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2

-- name: max_connections
SELECT current_setting('max_connections')::integer
