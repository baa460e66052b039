-- Forecasts as they were made: for each resource what there is of it, and what is expected at each horizon.

-- name: write
INSERT INTO embedding_assets.forecasts
    (made_at, resource, horizon, low, estimate, high, capacity, exhausted_at, exhausted_at_earliest)
VALUES (%(made_at)s, %(resource)s, make_interval(days => %(days)s::integer), %(low)s, %(estimate)s, %(high)s, %(capacity)s,
        %(exhausted_on)s::date::timestamp AT TIME ZONE 'UTC', %(earliest_on)s::date::timestamp AT TIME ZONE 'UTC')

-- name: forget
DELETE FROM embedding_assets.forecasts WHERE made_at < %(made_at)s::timestamptz - interval '400 days'

-- name: latest
-- One that is older than a week says nothing of today: then there is none.
SELECT resource, extract(day FROM horizon)::integer, low, estimate, high, capacity, exhausted_at, exhausted_at_earliest
FROM embedding_assets.forecasts
WHERE made_at = (SELECT max(made_at) FROM embedding_assets.forecasts)
  AND made_at > coalesce(%(now)s::timestamptz, clock_timestamp()) - interval '7 days'
ORDER BY resource, horizon
