-- Which run works a shard.

-- name: ensure_shards
-- Only what is not there: ON CONFLICT alone would wait for a run that is leasing the same shard.
INSERT INTO embedding_assets.shard_leases (collection_id, shard)
SELECT %(collection_id)s, s FROM unnest(%(shards)s::smallint[]) AS s
WHERE NOT EXISTS (
    SELECT FROM embedding_assets.shard_leases AS l WHERE l.collection_id = %(collection_id)s AND l.shard = s)
ORDER BY s
ON CONFLICT (collection_id, shard) DO NOTHING

-- name: lease_shards
-- Takes what is free or expired; a shard another run works is left to it.
WITH free AS (
    SELECT shard FROM embedding_assets.shard_leases
    WHERE collection_id = %(collection_id)s AND shard = ANY(%(shards)s::smallint[])
      AND (owner IS NULL OR owner = %(owner)s OR expires_at <= clock_timestamp())
      AND EXISTS (SELECT FROM embedding_assets.collections AS c WHERE c.id = %(collection_id)s AND c.removing IS NULL)
    ORDER BY shard FOR UPDATE SKIP LOCKED
)
UPDATE embedding_assets.shard_leases AS l
SET owner = %(owner)s, expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM free WHERE l.collection_id = %(collection_id)s AND l.shard = free.shard
RETURNING l.shard

-- name: end_leases_of_others
-- Whoever got a shard's lease knows that the run before it is gone or hung: its claims are over too. They stay marked as held,
-- so that taking them over counts as a lost claim.
UPDATE embedding_assets.work_items AS w
SET available_at = (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY (ARRAY(
    SELECT orphaned.document_key
    FROM unnest(%(shards)s::smallint[]) AS s (shard)
    CROSS JOIN unnest(enum_range(NULL::embedding_assets.lane)) AS l (lane)
    JOIN embedding_assets.work_items AS orphaned ON orphaned.line = embedding_assets.line_of(%(collection_id)s, s.shard, l.lane)
    WHERE orphaned.available_at > (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
      AND orphaned.lease_owner <> %(owner)s
    ORDER BY orphaned.document_key FOR UPDATE OF orphaned SKIP LOCKED
))

-- name: shards_held_for
-- Seconds until the last lease of other runs ends by itself; NULL when nobody holds a shard.
SELECT extract(epoch FROM max(expires_at) - clock_timestamp())::float8 FROM embedding_assets.shard_leases
WHERE collection_id = %(collection_id)s AND expires_at > clock_timestamp()

-- name: runs_alive
SELECT DISTINCT owner FROM embedding_assets.shard_leases
WHERE collection_id = %(collection_id)s AND expires_at > clock_timestamp()

-- name: extend_shards
UPDATE embedding_assets.shard_leases
SET expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE collection_id = %(collection_id)s AND owner = %(owner)s
RETURNING shard

-- name: free_shards
UPDATE embedding_assets.shard_leases SET owner = NULL, expires_at = NULL
WHERE collection_id = %(collection_id)s AND owner = %(owner)s
