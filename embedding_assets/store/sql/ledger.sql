-- Durable counters, each spread over rows so that few transactions wait for one another.

-- name: add
-- Sorted by its caller, the same way in every transaction: no deadlock.
INSERT INTO embedding_assets.metric_counters AS m (name, labels, shard, value)
VALUES (%(name)s, %(labels)s::text[], coalesce(%(shard)s::smallint, (pg_backend_pid() %% 8)::smallint), %(value)s)
ON CONFLICT (name, labels, shard) DO UPDATE SET value = m.value + excluded.value

-- name: totals
SELECT labels, sum(value) FROM embedding_assets.metric_counters WHERE name = %(name)s GROUP BY labels ORDER BY labels
