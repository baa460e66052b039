-- Durable counters and histograms, each spread over rows so that few transactions wait for one another.

-- name: enter
-- Sorted by its caller, the same way in every transaction, and histograms before counters, which only the end of the statement runs:
-- no deadlock. One statement: 25 series cost one round trip.
WITH histograms AS (
    INSERT INTO embedding_assets.metric_histograms AS h (name, labels, shard, bounds, counts, sum)
    SELECT u.name, (string_to_array(u.labels, chr(31)))[2:], coalesce(%(shard)s::smallint, (pg_backend_pid() %% 8)::smallint),
           u.bounds::float8[], u.counts::bigint[], u.sum
    FROM unnest(%(histograms)s::text[], %(histogram_labels)s::text[], %(bounds)s::text[], %(counts)s::text[],
                %(sums)s::float8[]) WITH ORDINALITY AS u (name, labels, bounds, counts, sum, place)
    ORDER BY u.place
    ON CONFLICT (name, labels, shard) DO UPDATE SET
        counts = ARRAY(SELECT c.a + c.b FROM unnest(h.counts, excluded.counts) WITH ORDINALITY AS c (a, b, place) ORDER BY c.place),
        sum = h.sum + excluded.sum
    WHERE h.bounds = excluded.bounds
    RETURNING name
), counters AS (
    INSERT INTO embedding_assets.metric_counters AS m (name, labels, shard, value)
    SELECT u.name, (string_to_array(u.labels, chr(31)))[2:], coalesce(%(shard)s::smallint, (pg_backend_pid() %% 8)::smallint),
           u.value
    FROM unnest(%(names)s::text[], %(labels)s::text[], %(additions)s::float8[])
             WITH ORDINALITY AS u (name, labels, value, place)
    ORDER BY u.place
    ON CONFLICT (name, labels, shard) DO UPDATE SET value = m.value + excluded.value
)
SELECT pg_current_xact_id()::text::bigint, (SELECT count(*) FROM histograms),
       (SELECT jsonb_object_agg(e, coalesce(pg_xact_status(e::text::xid8), 'committed')) FROM unnest(%(earlier)s::bigint[]) AS e
        WHERE e < pg_current_xact_id()::text::bigint)

-- name: became_of
SELECT e, coalesce(pg_xact_status(e::text::xid8), 'committed') FROM unnest(%(earlier)s::bigint[]) AS e
WHERE e < pg_current_xact_id()::text::bigint

-- name: keep
INSERT INTO embedding_assets.metric_gauges AS g (name, labels, value)
SELECT u.name, (string_to_array(u.labels, chr(31)))[2:], u.value
FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::float8[]) WITH ORDINALITY AS u (name, labels, value, place)
ORDER BY u.place
ON CONFLICT (name, labels) DO UPDATE SET value = excluded.value, kept_at = clock_timestamp()

-- name: keep_latest
INSERT INTO embedding_assets.metric_gauges AS g (name, labels, value)
SELECT u.name, (string_to_array(u.labels, chr(31)))[2:], u.value
FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::float8[]) WITH ORDINALITY AS u (name, labels, value, place)
ORDER BY u.place
ON CONFLICT (name, labels) DO UPDATE SET value = excluded.value, kept_at = clock_timestamp() WHERE excluded.value > g.value

-- name: read
-- A histogram's sum travels behind its counts, as one more element: two bounds for one series are two rows, which the reader refuses.
SELECT 'counter' AS kind, name, labels, sum(value) AS value, NULL::float8[] AS bounds, NULL::float8[] AS counts
FROM embedding_assets.metric_counters GROUP BY name, labels
UNION ALL
SELECT 'gauge', name, labels, value, NULL, NULL FROM embedding_assets.metric_gauges
UNION ALL
SELECT 'histogram', s.name, s.labels, NULL, s.bounds, array_agg(s.number ORDER BY s.place)
FROM (
    SELECT h.name, h.labels, h.bounds, n.place, sum(n.number) AS number
    FROM embedding_assets.metric_histograms AS h, unnest(h.counts::float8[] || h.sum) WITH ORDINALITY AS n (number, place)
    GROUP BY h.name, h.labels, h.bounds, n.place
) AS s
GROUP BY s.name, s.labels, s.bounds

-- name: totals
SELECT labels, sum(value) FROM embedding_assets.metric_counters WHERE name = %(name)s GROUP BY labels ORDER BY labels
