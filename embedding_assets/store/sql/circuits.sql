-- Circuits: a failure that stops everybody's claims. `now` is passed by tests only.

-- name: open_circuit
-- It takes the place of those before it: since when they were open, and when they are probed, goes on.
WITH before AS (
    DELETE FROM embedding_assets.circuits
    WHERE (provider = %(provider)s OR provider = ANY(%(instead_of)s::text[]))
      AND (provider, reason) <> (%(provider)s, %(reason)s)
    RETURNING opened_at, probe_after, probes
)
INSERT INTO embedding_assets.circuits AS c (provider, reason, message, opened_at, probe_after, probes)
SELECT %(provider)s, %(reason)s, %(message)s,
       coalesce(min(opened_at), %(now)s::timestamptz, clock_timestamp()),
       coalesce(max(probe_after), coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(probe_in)s)),
       coalesce(max(probes), 0)
FROM before
ON CONFLICT (provider, reason) DO UPDATE SET
    message = excluded.message, opened_at = least(c.opened_at, excluded.opened_at),
    probe_after = greatest(c.probe_after, excluded.probe_after), probes = greatest(c.probes, excluded.probes)

-- name: open_circuits
SELECT provider, reason, message, opened_at,
       extract(epoch FROM coalesce(%(now)s::timestamptz, clock_timestamp()) - opened_at)::float8,
       extract(epoch FROM probe_after - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8, probes
FROM embedding_assets.circuits
WHERE %(scopes)s::text[] IS NULL OR provider = ANY(%(scopes)s::text[])
ORDER BY 1, 2

-- name: take_probe
-- Of several that read the same count of probes one gets the row; for whoever takes it, the next is put off before it is sent.
UPDATE embedding_assets.circuits
SET probes = probes + 1,
    probe_after = coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(next_in)s)
WHERE provider = %(provider)s AND reason = %(reason)s AND probes = %(probes)s
  AND (%(at_once)s OR probe_after <= coalesce(%(now)s::timestamptz, clock_timestamp()))

-- name: close_circuits
DELETE FROM embedding_assets.circuits WHERE provider = ANY(%(scopes)s::text[])
