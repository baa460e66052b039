-- What every counter and size stands at, once a day.

-- name: write
-- The day is the server's, in UTC. Once more on the same day replaces it. Kept for 400 days: forecasts look back a year.
WITH moment AS (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), forgotten AS (
    DELETE FROM embedding_assets.daily_stats WHERE day < (SELECT (now AT TIME ZONE 'UTC')::date - 400 FROM moment)
), standing AS (
    SELECT name, labels, sum(value) AS value FROM embedding_assets.metric_counters GROUP BY name, labels
    UNION ALL
    SELECT name || '_sum', labels, sum(sum) FROM embedding_assets.metric_histograms GROUP BY name, labels
    UNION ALL
    SELECT 'live_queue', ARRAY[c.name], (
        (SELECT count(*) FROM embedding_assets.work_items AS w WHERE w.collection_id = c.id AND w.lane = 'live')
        + (SELECT count(*) FROM embedding_assets.work_arrivals AS a WHERE a.collection_id = c.id AND a.lane = 'live'))
    FROM embedding_assets.collections AS c
    UNION ALL
    SELECT v.name, ARRAY[c.name, m.name], v.value
    FROM embedding_assets.collections AS c
    JOIN embedding_assets.models AS m ON m.id IN (c.active_model_id, c.building_model_id)
    CROSS JOIN LATERAL (
        SELECT to_regclass('embedding_assets.embeddings_' || c.id || '_' || m.id) AS vectors,
               to_regclass('embedding_assets.embeddings_' || c.id || '_' || m.id || '_hnsw') AS index
    ) AS r
    CROSS JOIN LATERAL (VALUES
        ('vectors', (SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = r.vectors)),
        ('table_bytes', pg_table_size(r.vectors)::float8),
        ('index_bytes', coalesce(pg_relation_size(r.index), 0)::float8)
    ) AS v (name, value)
    WHERE v.value IS NOT NULL
    UNION ALL
    SELECT 'database_bytes', '{}', pg_database_size(current_database())
    UNION ALL
    SELECT 'connections', '{}', (SELECT sum(numbackends) FROM pg_stat_database)
)
INSERT INTO embedding_assets.daily_stats (day, name, labels, value, written_at)
SELECT (m.now AT TIME ZONE 'UTC')::date, s.name, s.labels, s.value, m.now FROM standing AS s CROSS JOIN moment AS m
ON CONFLICT (name, labels, day) DO UPDATE SET value = excluded.value, written_at = excluded.written_at

-- name: standings
SELECT name, labels, day, written_at, value FROM embedding_assets.daily_stats
WHERE name = ANY(%(names)s) ORDER BY name, labels, day

-- name: bounds
-- The memory an index should fit in is what the operator says the server and its system have for caching.
SELECT pg_size_bytes(current_setting('effective_cache_size'))::float8,
       (current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer)::float8
