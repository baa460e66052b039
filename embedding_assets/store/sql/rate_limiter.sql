-- The shared limit of a provider key. Its rules are in the function take_from_limit.

-- name: reserve
CALL embedding_assets.reserve(%(limit_name)s, %(consumer)s, %(lane)s, %(requests)s, %(inputs)s, %(tokens)s, NULL)

-- name: block
UPDATE embedding_assets.rate_limits
SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => %(seconds)s))
WHERE name = %(limit_name)s

-- name: apply_limit
INSERT INTO embedding_assets.rate_limits
    (name, requests_per_minute, inputs_per_minute, tokens_per_minute, ceiling_on)
VALUES (%(name)s, %(requests_per_minute)s, %(inputs_per_minute)s, %(tokens_per_minute)s, %(ceiling_on)s)
ON CONFLICT (name) DO UPDATE SET
    requests_per_minute = excluded.requests_per_minute, inputs_per_minute = excluded.inputs_per_minute,
    tokens_per_minute = excluded.tokens_per_minute, ceiling_on = excluded.ceiling_on

-- name: apply_consumer
INSERT INTO embedding_assets.rate_limit_consumers (limit_name, consumer, share, min_per_minute)
VALUES (%(name)s, %(consumer)s, %(share)s, %(min_per_minute)s)
ON CONFLICT (limit_name, consumer) DO UPDATE SET share = excluded.share, min_per_minute = excluded.min_per_minute

-- name: limit_use
SELECT l.name, c.consumer, v.resource, v.capacity, floor(c.share * v.capacity)::integer AS ceiling,
       coalesce(sum(v.used) FILTER (WHERE v.user_ = c.consumer), 0)::bigint AS own,
       coalesce(sum(v.used), 0)::bigint AS everybody,
       coalesce(greatest(extract(epoch FROM l.blocked_until - clock_timestamp()), 0), 0)::float8 AS blocked_seconds
FROM embedding_assets.rate_limits AS l
JOIN embedding_assets.rate_limit_consumers AS c ON c.limit_name = l.name
LEFT JOIN embedding_assets.rate_limit_slots AS s
    ON s.limit_name = l.name AND s.slot >= floor((extract(epoch FROM clock_timestamp()) - 60) * 10)
CROSS JOIN LATERAL (
    VALUES ('requests', l.requests_per_minute, s.requests, s.consumer), ('inputs', l.inputs_per_minute, s.inputs, s.consumer),
           ('tokens', l.tokens_per_minute, s.tokens, s.consumer)
) AS v (resource, capacity, used, user_)
WHERE v.capacity IS NOT NULL
GROUP BY l.name, c.consumer, c.share, v.resource, v.capacity, l.blocked_until
ORDER BY 1, 2, 3
