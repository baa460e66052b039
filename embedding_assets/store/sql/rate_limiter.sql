-- The shared limit of a provider key, and budgets. The rules are functions of the schema: look_at_limit, enter_use.

-- name: reserve
CALL embedding_assets.reserve(%(limit_name)s, %(consumer)s, %(lane)s, %(requests)s, %(inputs)s, %(tokens)s, NULL)

-- name: reserve_for_collection
CALL embedding_assets.reserve_for_collection(%(limit_name)s, %(consumer)s, %(collection_id)s, %(lane)s, %(requests)s, %(inputs)s,
    %(tokens)s, %(usd)s, NULL, NULL, NULL, NULL, NULL)

-- name: move_use
SELECT embedding_assets.move_use(%(limit_name)s, %(consumer)s, %(collection_id)s, %(lane)s::embedding_assets.lane, %(slot)s,
    %(inputs)s, %(tokens)s)

-- name: correct_use
SELECT embedding_assets.correct_use(%(limit_name)s, %(consumer)s, %(collection_id)s, %(lane)s::embedding_assets.lane, %(slot)s,
    %(tokens)s, %(spent_tokens)s, %(usd)s)

-- name: room
-- A look without a lock: whoever decides by it asks again by reserve.
SELECT look.wait, look.kind, look.about,
       embedding_assets.free_in_limit(l, %(consumer)s, 'requests', l.requests_per_minute),
       embedding_assets.free_in_limit(l, %(consumer)s, 'inputs', l.inputs_per_minute),
       embedding_assets.free_in_limit(l, %(consumer)s, 'tokens', l.tokens_per_minute)
FROM embedding_assets.rate_limits AS l,
     embedding_assets.look_at_limit(l, %(consumer)s, %(collection_id)s, %(lane)s::embedding_assets.lane, 1, 1, 1) AS look
WHERE l.name = %(limit_name)s

-- name: say_waiting
-- What a refused reserve says by itself; for a run that saw no room and claims nothing to ask with.
INSERT INTO embedding_assets.rate_limit_waiting AS w
VALUES (%(limit_name)s, %(consumer)s, %(collection_id)s, %(lane)s::embedding_assets.lane, clock_timestamp())
ON CONFLICT ON CONSTRAINT rate_limit_waiting_pkey DO UPDATE SET waiting_at = clock_timestamp()
WHERE w.waiting_at < clock_timestamp() - interval '0.5 seconds'

-- name: held_up_by
SELECT b.wait, b.kind, b.about FROM (
    SELECT w.wait, 'budget' AS kind, w.about FROM embedding_assets.collections AS c,
        embedding_assets.budget_used_up('collection', c.name, c.budgets) AS w WHERE c.id = %(collection_id)s
    UNION ALL
    SELECT w.wait, 'budget', w.about FROM embedding_assets.collections AS c
    JOIN embedding_assets.rate_limits AS l ON l.name = c.limit_name,
        embedding_assets.budget_used_up('limit', l.name, l.budgets) AS w WHERE c.id = %(collection_id)s
    UNION ALL
    SELECT extract(epoch FROM l.blocked_until - clock_timestamp())::float8, 'blocked', '' FROM embedding_assets.collections AS c
    JOIN embedding_assets.rate_limits AS l ON l.name = c.limit_name
    WHERE c.id = %(collection_id)s AND l.blocked_until > clock_timestamp()
) AS b ORDER BY b.wait DESC LIMIT 1

-- name: provider_refused
SELECT embedding_assets.provider_refused(%(limit_name)s, %(seconds)s)

-- name: apply_limit
INSERT INTO embedding_assets.rate_limits
    (name, requests_per_minute, inputs_per_minute, tokens_per_minute, ceiling_on, budgets)
VALUES (%(name)s, %(requests_per_minute)s, %(inputs_per_minute)s, %(tokens_per_minute)s, %(ceiling_on)s, %(budgets)s)
ON CONFLICT (name) DO UPDATE SET
    requests_per_minute = excluded.requests_per_minute, inputs_per_minute = excluded.inputs_per_minute,
    tokens_per_minute = excluded.tokens_per_minute, ceiling_on = excluded.ceiling_on, budgets = excluded.budgets

-- name: apply_consumer
INSERT INTO embedding_assets.rate_limit_consumers (limit_name, consumer, share, min_per_minute)
VALUES (%(name)s, %(consumer)s, %(share)s, %(min_per_minute)s)
ON CONFLICT (limit_name, consumer) DO UPDATE SET share = excluded.share, min_per_minute = excluded.min_per_minute

-- name: limit_use
SELECT l.name, c.consumer, v.resource, v.capacity, floor(c.share * v.capacity)::integer AS ceiling,
       coalesce(sum(v.used) FILTER (WHERE v.user_ = c.consumer), 0)::bigint AS own,
       coalesce(sum(v.used), 0)::bigint AS everybody,
       coalesce(greatest(extract(epoch FROM l.blocked_until - clock_timestamp()), 0), 0)::float8 AS blocked_seconds,
       embedding_assets.part_in_use(l, extract(epoch FROM clock_timestamp())::float8) AS part
FROM embedding_assets.rate_limits AS l
JOIN embedding_assets.rate_limit_consumers AS c ON c.limit_name = l.name
LEFT JOIN embedding_assets.rate_limit_slots AS s
    ON s.limit_name = l.name AND s.slot >= floor((extract(epoch FROM clock_timestamp()) - 60) * 10)
CROSS JOIN LATERAL (
    VALUES ('requests', l.requests_per_minute, s.requests, s.consumer), ('inputs', l.inputs_per_minute, s.inputs, s.consumer),
           ('tokens', l.tokens_per_minute, s.tokens, s.consumer)
) AS v (resource, capacity, used, user_)
WHERE v.capacity IS NOT NULL
GROUP BY l.name, c.consumer, c.share, v.resource, v.capacity, l.blocked_until, l.lowered_to, l.lowered_at, l.*
ORDER BY 1, 2, 3

-- name: budget_use
-- Every budget of the current day and month, spent from or not.
SELECT h.kind, h.name, m.period, m.unit, m.most, m.used
FROM (SELECT 'collection' AS kind, name, budgets FROM embedding_assets.collections
      UNION ALL SELECT 'limit', name, budgets FROM embedding_assets.rate_limits) AS h
CROSS JOIN (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date),
                   ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)) AS p (period, starts_on)
LEFT JOIN embedding_assets.budgets AS b
    ON b.kind = h.kind AND b.holder = h.name AND b.period = p.period AND b.starts_on = p.starts_on
CROSS JOIN LATERAL (
    VALUES (p.period, 'usd', (h.budgets ->> ('max_usd_per_' || p.period))::float8, coalesce(b.used_usd, 0)::float8),
           (p.period, 'tokens', (h.budgets ->> ('max_tokens_per_' || p.period))::float8, coalesce(b.used_tokens, 0)::float8)
) AS m (period, unit, most, used)
WHERE m.most IS NOT NULL
ORDER BY 1, 2, 3, 4
