-- How objectives stood at each hour.

-- name: is_taken
SELECT EXISTS (
    SELECT FROM embedding_assets.objective_stock
    WHERE hour = date_trunc('hour', coalesce(%(now)s::timestamptz, clock_timestamp()), 'UTC')
)

-- name: take
-- The first of an hour stays: whoever comes at the same time adds nothing.
INSERT INTO embedding_assets.objective_stock (hour, objective, collection, total, bad, taken_at)
SELECT date_trunc('hour', coalesce(%(now)s::timestamptz, clock_timestamp()), 'UTC'), u.objective, u.collection, u.total, u.bad,
       coalesce(%(now)s::timestamptz, clock_timestamp())
FROM unnest(%(objectives)s::text[], %(collections)s::text[], %(totals)s::float8[], %(bads)s::float8[])
    AS u (objective, collection, total, bad)
ON CONFLICT (hour, objective, collection) DO NOTHING

-- name: forget
DELETE FROM embedding_assets.objective_stock
WHERE hour < coalesce(%(now)s::timestamptz, clock_timestamp()) - make_interval(days => %(days)s::integer)

-- name: history
SELECT objective, collection, taken_at, total, bad FROM embedding_assets.objective_stock
WHERE taken_at >= %(since)s::timestamptz
   OR (objective, collection, hour) IN (
        SELECT objective, collection, max(hour) FROM embedding_assets.objective_stock
        WHERE taken_at < %(since)s::timestamptz GROUP BY 1, 2)
ORDER BY objective, collection, taken_at
