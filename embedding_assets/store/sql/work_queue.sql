-- The queue: arrivals, fold, claim, extend, release, finish. `now` is passed by tests only.

-- name: enqueue
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
SELECT %(collection_id)s, a.document_key, a.changed_at, %(not_before)s, %(lane)s::embedding_assets.lane
FROM unnest(%(document_keys)s::text[], %(changed_at)s::timestamptz[]) AS a (document_key, changed_at)

-- name: fold
-- Taken by SKIP LOCKED and never by an id watermark: a lower id may commit later.
WITH taken AS (
    DELETE FROM embedding_assets.work_arrivals
    WHERE id IN (
        SELECT id FROM embedding_assets.work_arrivals
        WHERE collection_id = %(collection_id)s ORDER BY id LIMIT %(arrivals)s FOR UPDATE SKIP LOCKED
    )
    RETURNING document_key, changed_at, not_before, lane, enqueued_at
), folded AS (
    SELECT document_key, min(lane) AS lane, min(enqueued_at) AS first_enqueued_at,
           -- Held to [the last poll that did not show it, its arrival]: sources' clocks and mtimes lie. Without both it is nobody's
           -- change: a retry keeps the lane it had.
           min(least(greatest(changed_at, not_before), enqueued_at))
               FILTER (WHERE lane = 'live' AND num_nonnulls(changed_at, not_before) > 0) AS due_from,
           count(*) AS arrivals
    FROM taken GROUP BY document_key
), upserted AS (
    INSERT INTO embedding_assets.work_items AS w
        (collection_id, document_key, lane, first_enqueued_at, generation, available_at)
    SELECT %(collection_id)s, document_key, lane, first_enqueued_at, nextval('embedding_assets.generation_seq'),
           coalesce(%(now)s::timestamptz, clock_timestamp())
    FROM (SELECT * FROM folded ORDER BY document_key) AS sorted
    ON CONFLICT (collection_id, document_key) DO UPDATE SET
        lane = least(w.lane, excluded.lane),
        -- Drawn anew under the row's lock: a fold that was overtaken on its way here would take the generation back.
        generation = nextval('embedding_assets.generation_seq'),
        available_at = CASE WHEN w.lease_owner IS NULL THEN least(w.available_at, excluded.available_at)
                            ELSE w.available_at END
    RETURNING w.document_key, w.generation, w.claimed_generation
)
SELECT document_key, upserted.generation, claimed_generation, due_from, arrivals
FROM folded JOIN upserted USING (document_key)

-- name: open_obligations
-- A second statement, so that it sees what settled before fold had the row locks. A change that a claim in progress does not
-- cover is kept in later_*: the first such one, from which the promise starts again when the claim publishes. Any other makes one
-- promise with what is open, from the oldest, which need not be folded first.
WITH changed AS (
    SELECT * FROM unnest(%(document_keys)s::text[], %(generations)s::bigint[], %(claimed)s::bigint[],
                         %(due_from)s::timestamptz[]) AS u (document_key, generation, claimed_generation, due_from)
), tracked AS (
    SELECT changed.*, due_from + make_interval(secs => c.freshness_seconds) AS deadline
    FROM changed, embedding_assets.collections AS c
    WHERE c.id = %(collection_id)s AND due_from >= c.tracked_since
), open AS (
    UPDATE embedding_assets.obligations AS o SET
        due_from = CASE WHEN o.counted OR o.generation <= t.claimed_generation THEN o.due_from
                        ELSE least(o.due_from, t.due_from) END,
        deadline = CASE WHEN o.counted OR o.generation <= t.claimed_generation THEN o.deadline
                        ELSE least(o.deadline, t.deadline) END,
        later_from = CASE WHEN o.later_generation > t.claimed_generation THEN least(o.later_from, t.due_from)
                          ELSE t.due_from END,
        later_generation = CASE WHEN o.later_generation > t.claimed_generation THEN o.later_generation
                                ELSE t.generation END
    FROM tracked AS t
    WHERE o.collection_id = %(collection_id)s AND o.document_key = t.document_key
)
INSERT INTO embedding_assets.obligations (collection_id, document_key, due_from, deadline, generation)
SELECT %(collection_id)s, document_key, due_from, deadline, generation FROM tracked ORDER BY document_key
ON CONFLICT (collection_id, document_key) DO NOTHING

-- name: claim
-- One index range per shard, ended by LIMIT: an OR over readiness columns, or one range for all shards, reads the whole queue.
WITH ready AS (
    SELECT picked.document_key
    FROM unnest(%(shards)s::smallint[], %(of_each)s::integer[]) AS s (shard, most)
    CROSS JOIN LATERAL (
        SELECT document_key FROM embedding_assets.work_items
        WHERE collection_id = %(collection_id)s AND shard = s.shard AND lane = %(lane)s::embedding_assets.lane
          -- In a subquery the clock is read once, so that the index ends the range; volatile, it would only filter.
          AND available_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp())
                                      - make_interval(secs => %(waited_seconds)s))
          -- What lost two workers is claimed apart, alone: it cannot take its neighbours along.
          AND (lost_claims >= 2 OR (lost_claims = 1 AND lease_owner IS NOT NULL)) = %(suspects)s
          AND document_key <> ALL(%(leave)s::text[])
        ORDER BY available_at LIMIT s.most FOR UPDATE SKIP LOCKED
    ) AS picked
    LIMIT %(items)s
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = %(owner)s,
    fence = nextval('embedding_assets.fence_seq'),
    claimed_generation = w.generation,
    claimed_at = coalesce(%(now)s::timestamptz, clock_timestamp()),
    available_at = coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(lease_seconds)s),
    lost_claims = w.lost_claims + (w.lease_owner IS NOT NULL)::integer
FROM ready
WHERE w.collection_id = %(collection_id)s AND w.document_key = ready.document_key
RETURNING w.document_key, w.shard, w.lane::text, w.fence, w.generation, w.first_enqueued_at, w.lost_claims

-- name: extend
-- SKIP LOCKED: a row that is being settled needs no longer lease, and waiting for it in another order could deadlock.
UPDATE embedding_assets.work_items AS w
SET available_at = least(
    coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(lease_seconds)s),
    w.claimed_at + make_interval(secs => %(max_claim_seconds)s))
FROM (
    SELECT document_key FROM embedding_assets.work_items
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND fence = ANY(%(fences)s)
    FOR UPDATE SKIP LOCKED
) AS held
WHERE w.collection_id = %(collection_id)s AND w.document_key = held.document_key

-- name: lock_claims
-- In key order, which every multi-row writer of this table keeps: no deadlock. Returns only what this claim still holds.
SELECT document_key FROM (
    SELECT w.document_key, w.fence FROM embedding_assets.work_items AS w
    WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY(%(document_keys)s)
    ORDER BY w.document_key FOR UPDATE
) AS locked
JOIN unnest(%(document_keys)s::text[], %(fences)s::bigint[]) AS mine (document_key, fence) USING (document_key, fence)

-- name: finish
-- What changed meanwhile stays in the queue, available now; the rest is done.
WITH done AS (
    DELETE FROM embedding_assets.work_items
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)
      AND generation = claimed_generation
    RETURNING document_key
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = NULL, fence = NULL, claimed_generation = NULL, claimed_at = NULL, lost_claims = 0,
    available_at = coalesce(%(now)s::timestamptz, clock_timestamp())
WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY(%(document_keys)s)
  AND w.generation > w.claimed_generation

-- name: release
WITH held AS (
    SELECT w.document_key FROM embedding_assets.work_items AS w
    JOIN unnest(%(document_keys)s::text[], %(fences)s::bigint[]) AS mine (document_key, fence) USING (document_key, fence)
    WHERE w.collection_id = %(collection_id)s
    ORDER BY w.document_key FOR UPDATE OF w
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = NULL, fence = NULL, claimed_generation = NULL, claimed_at = NULL,
    -- It keeps its place: what was given back while the limit was full must not fall behind what came after it.
    available_at = least(w.first_enqueued_at, coalesce(%(now)s::timestamptz, clock_timestamp()))
FROM held
WHERE w.collection_id = %(collection_id)s AND w.document_key = held.document_key

-- name: release_changed
-- Those of these claims whose document changed since: they wait in the backfill lane of a run, and belong into the live one.
WITH changed AS (
    SELECT w.document_key FROM embedding_assets.work_items AS w
    JOIN unnest(%(document_keys)s::text[], %(fences)s::bigint[]) AS mine (document_key, fence) USING (document_key, fence)
    WHERE w.collection_id = %(collection_id)s AND w.lane = 'live'
    ORDER BY w.document_key FOR UPDATE OF w SKIP LOCKED
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = NULL, fence = NULL, claimed_generation = NULL, claimed_at = NULL,
    available_at = least(w.first_enqueued_at, coalesce(%(now)s::timestamptz, clock_timestamp()))
FROM changed
WHERE w.collection_id = %(collection_id)s AND w.document_key = changed.document_key
RETURNING w.document_key

-- name: close_obligations
DELETE FROM embedding_assets.obligations AS o
USING unnest(%(document_keys)s::text[], %(generations)s::bigint[]) AS covered (document_key, generation)
WHERE o.collection_id = %(collection_id)s AND o.document_key = covered.document_key
  AND o.generation <= covered.generation
RETURNING o.document_key, o.counted,
    extract(epoch FROM coalesce(%(now)s::timestamptz, clock_timestamp()) - o.due_from)::float8 AS lag_seconds,
    coalesce(%(now)s::timestamptz, clock_timestamp()) <= o.deadline AS in_time,
    CASE WHEN o.later_generation > covered.generation THEN o.later_from END AS later_from,
    CASE WHEN o.later_generation > covered.generation THEN o.later_generation END AS later_generation

-- name: reopen_obligations
INSERT INTO embedding_assets.obligations (collection_id, document_key, due_from, deadline, generation)
SELECT c.id, u.document_key, u.due_from, u.due_from + make_interval(secs => c.freshness_seconds), u.generation
FROM unnest(%(document_keys)s::text[], %(due_from)s::timestamptz[], %(generations)s::bigint[])
         AS u (document_key, due_from, generation),
     embedding_assets.collections AS c
WHERE c.id = %(collection_id)s

-- name: ready_work
-- Whether a run would find anything: arrivals not folded yet, or items that may be claimed.
SELECT EXISTS (SELECT FROM embedding_assets.work_arrivals WHERE collection_id = %(collection_id)s)
    OR EXISTS (
        SELECT FROM unnest(%(shards)s::smallint[]) AS s (shard)
        CROSS JOIN unnest(enum_range(NULL::embedding_assets.lane)) AS l (lane)
        CROSS JOIN LATERAL (
            SELECT FROM embedding_assets.work_items AS w
            WHERE w.collection_id = %(collection_id)s AND w.shard = s.shard AND w.lane = l.lane
              AND w.available_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
            LIMIT 1
        ) AS ready
    )

-- name: live_ready
SELECT EXISTS (
    SELECT FROM unnest(%(shards)s::smallint[]) AS s (shard)
    CROSS JOIN LATERAL (
        SELECT FROM embedding_assets.work_items AS w
        WHERE w.collection_id = %(collection_id)s AND w.shard = s.shard AND w.lane = 'live'
          AND w.available_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
        LIMIT 1
    ) AS ready
)

-- name: backlog
SELECT count(*) FROM (
    SELECT FROM embedding_assets.work_items WHERE collection_id = %(collection_id)s LIMIT %(up_to)s) AS waiting

-- name: queue_depth
SELECT c.name, w.lane::text,
       CASE WHEN w.lease_owner IS NULL THEN 'waiting'
            WHEN w.available_at > clock_timestamp() THEN 'leased' ELSE 'expired' END AS state,
       count(*) AS documents,
       extract(epoch FROM clock_timestamp() - min(w.first_enqueued_at))::float8 AS oldest_seconds
FROM embedding_assets.work_items AS w JOIN embedding_assets.collections AS c ON c.id = w.collection_id
GROUP BY 1, 2, 3
UNION ALL
SELECT c.name, a.lane::text, 'arrived', count(*),
       extract(epoch FROM clock_timestamp() - min(a.enqueued_at))::float8
FROM embedding_assets.work_arrivals AS a JOIN embedding_assets.collections AS c ON c.id = a.collection_id
GROUP BY 1, 2
ORDER BY 1, 2, 3

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
FROM (
    SELECT document_key FROM embedding_assets.work_items
    WHERE collection_id = %(collection_id)s AND shard = ANY(%(shards)s::smallint[])
      AND available_at > (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
      AND lease_owner <> %(owner)s
    ORDER BY document_key FOR UPDATE SKIP LOCKED
) AS orphaned
WHERE w.collection_id = %(collection_id)s AND w.document_key = orphaned.document_key

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
