-- The queue: arrivals, fold, claim, extend, release, finish. `now` is passed by tests only.
--
-- The planner's idea of these tables is wrong whenever it matters: a queue that was vacuumed empty holds a million before it is
-- analyzed again, and a join planned for one row then compares each with each. So rows to write are named by `= ANY (array)`, which only
-- one index can serve, and nothing joins two sets that may both be large.

-- name: enqueue
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
SELECT %(collection_id)s, a.document_key, a.changed_at, %(not_before)s, %(lane)s::embedding_assets.lane
FROM unnest(%(document_keys)s::text[], %(changed_at)s::timestamptz[]) AS a (document_key, changed_at)

-- name: move_aside
-- What came while producers could not use work_arrivals, to where a fold takes it. Of a row without a key, all that is known.
WITH moved AS (
    DELETE FROM embedding_assets.arrivals_aside WHERE id = ANY (ARRAY(
        SELECT a.id FROM embedding_assets.arrivals_aside AS a
        WHERE a.collection_id = %(collection_id)s
           OR a.collection = (SELECT name FROM embedding_assets.collections WHERE id = %(collection_id)s)
        ORDER BY a.id LIMIT %(arrivals)s FOR UPDATE SKIP LOCKED
    ))
    RETURNING collection, document_key, changed_at, not_before, enqueued_at
)
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, enqueued_at)
SELECT c.id, k.document_key, m.changed_at,
       -- Told by name, when nobody could look up the last poll.
       CASE WHEN m.collection IS NULL THEN m.not_before ELSE least(c.last_poll_at, m.enqueued_at) END, m.enqueued_at
FROM moved AS m
CROSS JOIN embedding_assets.collections AS c
CROSS JOIN LATERAL (
    SELECT m.document_key WHERE m.document_key IS NOT NULL
    UNION SELECT d.document_key FROM embedding_assets.documents AS d
    WHERE m.document_key IS NULL AND d.collection_id = c.id AND d.deleted_at IS NULL
    UNION SELECT s.document_key FROM embedding_assets.source_listings AS s
    WHERE m.document_key IS NULL AND s.collection_id = c.id
) AS k
WHERE c.id = %(collection_id)s

-- name: forget_orphans
-- Arrivals of collections that are not there: removed while an application's transaction was open, or never known by that name.
WITH from_arrivals AS (
    DELETE FROM embedding_assets.work_arrivals AS a
    WHERE NOT EXISTS (SELECT FROM embedding_assets.collections AS c WHERE c.id = a.collection_id)
    RETURNING 1
), from_aside AS (
    DELETE FROM embedding_assets.arrivals_aside AS a
    WHERE NOT EXISTS (SELECT FROM embedding_assets.collections AS c WHERE c.id = a.collection_id OR c.name = a.collection)
    RETURNING 1
)
SELECT (SELECT count(*) FROM from_arrivals) + (SELECT count(*) FROM from_aside)

-- name: fold
-- Taken by SKIP LOCKED and never by an id watermark: a lower id may commit later.
WITH taken AS (
    DELETE FROM embedding_assets.work_arrivals
    WHERE collection_id = %(collection_id)s AND id = ANY (ARRAY(
        SELECT id FROM embedding_assets.work_arrivals
        WHERE collection_id = %(collection_id)s ORDER BY id LIMIT %(arrivals)s FOR UPDATE SKIP LOCKED
    ))
    RETURNING document_key, changed_at, not_before, lane, enqueued_at
), folded AS (
    SELECT document_key, min(lane) AS lane, min(enqueued_at) AS first_enqueued_at,
           -- The oldest that is promised: one from before the tracking began must not hide one that came after.
           coalesce(min(due_from) FILTER (WHERE due_from >= (
               SELECT tracked_since FROM embedding_assets.collections WHERE id = %(collection_id)s)), min(due_from)) AS due_from,
           count(*) AS arrivals
    FROM (
        SELECT *,
               -- Held to [the last poll that did not show it, its arrival]: sources' clocks and mtimes lie. Without both it is
               -- nobody's change: a retry keeps the lane it had.
               CASE WHEN lane = 'live' AND num_nonnulls(changed_at, not_before) > 0
                    THEN least(greatest(changed_at, not_before), enqueued_at) END AS due_from
        FROM taken
    ) AS dated
    GROUP BY document_key
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
    RETURNING w.document_key, w.generation
)
SELECT document_key, max(generation), min(due_from), sum(arrivals)::bigint, min(lane)::text
FROM (
    SELECT document_key, NULL::bigint AS generation, due_from, arrivals, lane FROM folded
    UNION ALL SELECT document_key, generation, NULL, 0, NULL FROM upserted
) AS told
GROUP BY document_key

-- name: restart_failures
-- A second statement, as below. New content begins a document's failures afresh: it is in the queue, with no attempt. What has begun
-- afresh already stays as it is, unless a claim in progress covers it: what that one fails with is not the newest content's.
WITH failed AS (
    SELECT f.document_key, u.generation
    FROM embedding_assets.failed_documents AS f
    JOIN unnest(%(document_keys)s::text[], %(generations)s::bigint[]) AS u (document_key, generation) USING (document_key)
    WHERE f.collection_id = %(collection_id)s AND f.document_key = ANY(%(document_keys)s) AND f.status <> 'resolved'
      AND NOT (f.status = 'queued' AND f.attempts = 0 AND f.since_generation > coalesce((
          SELECT w.claimed_generation FROM embedding_assets.work_items AS w
          WHERE w.collection_id = f.collection_id AND w.document_key = f.document_key), 0))
    ORDER BY f.document_key FOR UPDATE OF f
)
UPDATE embedding_assets.failed_documents AS f SET
    status = 'queued', attempts = 0, episode = f.episode + 1, since_generation = failed.generation,
    next_retry_at = NULL, resolved_at = NULL, notified_at = NULL
FROM failed
WHERE f.collection_id = %(collection_id)s AND f.document_key = failed.document_key

-- name: open_obligations
-- A second statement, so that it sees what settled before fold had the row locks. A change that a claim in progress does not
-- cover is kept in later_*: the first such one, from which the promise starts again when the claim publishes. Any other makes one
-- promise with what is open, from the oldest, which need not be folded first.
INSERT INTO embedding_assets.obligations AS o (collection_id, document_key, due_from, deadline, generation)
SELECT c.id, u.document_key, u.due_from, u.due_from + make_interval(secs => c.freshness_seconds), u.generation
FROM unnest(%(document_keys)s::text[], %(generations)s::bigint[], %(due_from)s::timestamptz[])
         AS u (document_key, generation, due_from),
     embedding_assets.collections AS c
WHERE c.id = %(collection_id)s AND u.due_from >= c.tracked_since
ORDER BY u.document_key
ON CONFLICT (collection_id, document_key) DO UPDATE SET (due_from, deadline, later_from, later_generation) = (
    SELECT CASE WHEN o.counted OR o.generation <= w.claimed_generation THEN o.due_from
                ELSE least(o.due_from, excluded.due_from) END,
           CASE WHEN o.counted OR o.generation <= w.claimed_generation THEN o.deadline
                ELSE least(o.deadline, excluded.deadline) END,
           CASE WHEN o.later_generation > w.claimed_generation THEN least(o.later_from, excluded.due_from)
                ELSE excluded.due_from END,
           CASE WHEN o.later_generation > w.claimed_generation THEN o.later_generation
                ELSE excluded.generation END
    FROM embedding_assets.work_items AS w
    WHERE w.collection_id = o.collection_id AND w.document_key = o.document_key
)

-- name: claim
-- One index range per shard, ended by LIMIT: an OR over readiness columns, or one range for all shards, reads the whole queue.
WITH ready AS (
    SELECT picked.document_key, picked.available_at
    FROM unnest(%(shards)s::smallint[], %(of_each)s::integer[], %(starts)s::timestamptz[]) AS s (shard, most, start)
    CROSS JOIN LATERAL (
        SELECT document_key, available_at FROM embedding_assets.work_items
        WHERE line = embedding_assets.line_of(%(collection_id)s, s.shard, %(lane)s::embedding_assets.lane)
          AND available_at >= coalesce(s.start, '-infinity')
          -- In a subquery the clock is read once, so that the index ends the range; volatile, it would only filter.
          AND available_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp())
                                      - make_interval(secs => %(waited_seconds)s))
          -- What lost two workers is claimed apart, alone: it cannot take its neighbours along.
          AND (lost_claims >= 2 OR (lost_claims = 1 AND lease_owner IS NOT NULL)) = %(suspects)s
          AND document_key <> ALL(%(leave)s::text[])
        ORDER BY available_at LIMIT s.most FOR UPDATE SKIP LOCKED
    ) AS picked
    LIMIT %(items)s
), claimed AS (
    UPDATE embedding_assets.work_items AS w SET
        lease_owner = %(owner)s,
        fence = nextval('embedding_assets.fence_seq'),
        claimed_generation = w.generation,
        claimed_at = coalesce(%(now)s::timestamptz, clock_timestamp()),
        available_at = coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(lease_seconds)s),
        lost_claims = w.lost_claims + (w.lease_owner IS NOT NULL)::integer
    WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY (ARRAY(SELECT document_key FROM ready))
    RETURNING w.document_key, w.shard, w.lane::text, w.fence, w.generation, w.first_enqueued_at, w.lost_claims, w.claimed_at
)
SELECT c.document_key, c.shard, c.lane, c.fence, c.generation, c.first_enqueued_at, c.lost_claims, ready.available_at AS ready_at,
       c.claimed_at
FROM claimed AS c JOIN ready USING (document_key)

-- name: extend
-- SKIP LOCKED: a row that is being settled needs no longer lease, and waiting for it in another order could deadlock.
UPDATE embedding_assets.work_items AS w
SET available_at = least(
    coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(lease_seconds)s),
    w.claimed_at + make_interval(secs => %(max_claim_seconds)s))
WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY (ARRAY(
    SELECT document_key FROM embedding_assets.work_items
    WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s) AND fence = ANY(%(fences)s)
    FOR UPDATE SKIP LOCKED
))

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
    WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY(%(document_keys)s)
    ORDER BY w.document_key FOR UPDATE OF w
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = NULL, fence = NULL, claimed_generation = NULL, claimed_at = NULL,
    -- It keeps its place: what was given back while the limit was full must not fall behind what came after it.
    available_at = least(w.first_enqueued_at, coalesce(%(now)s::timestamptz, clock_timestamp()))
WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY (ARRAY(SELECT document_key FROM held))

-- name: release_changed
-- Those of these claims whose document changed since: they wait in the backfill lane of a run, and belong into the live one.
WITH changed AS (
    SELECT w.document_key FROM embedding_assets.work_items AS w
    JOIN unnest(%(document_keys)s::text[], %(fences)s::bigint[]) AS mine (document_key, fence) USING (document_key, fence)
    WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY(%(document_keys)s) AND w.lane = 'live'
    ORDER BY w.document_key FOR UPDATE OF w SKIP LOCKED
)
UPDATE embedding_assets.work_items AS w SET
    lease_owner = NULL, fence = NULL, claimed_generation = NULL, claimed_at = NULL,
    available_at = least(w.first_enqueued_at, coalesce(%(now)s::timestamptz, clock_timestamp()))
WHERE w.collection_id = %(collection_id)s AND w.document_key = ANY (ARRAY(SELECT document_key FROM changed))
RETURNING w.document_key

-- name: ready_work
-- Whether a run would find anything: arrivals not folded yet, or items that may be claimed.
SELECT EXISTS (SELECT FROM embedding_assets.work_arrivals WHERE collection_id = %(collection_id)s)
    OR EXISTS (
        SELECT FROM embedding_assets.arrivals_aside AS a
        WHERE a.collection_id = %(collection_id)s
           OR a.collection = (SELECT name FROM embedding_assets.collections WHERE id = %(collection_id)s))
    OR EXISTS (
        SELECT FROM unnest(%(shards)s::smallint[]) AS s (shard)
        CROSS JOIN unnest(enum_range(NULL::embedding_assets.lane)) AS l (lane)
        CROSS JOIN LATERAL (
            SELECT FROM embedding_assets.work_items AS w
            WHERE w.line = embedding_assets.line_of(%(collection_id)s, s.shard, l.lane)
              AND w.available_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
            LIMIT 1
        ) AS ready
    )

-- name: live_ready
SELECT EXISTS (
    SELECT FROM unnest(%(shards)s::smallint[]) AS s (shard)
    CROSS JOIN LATERAL (
        SELECT FROM embedding_assets.work_items AS w
        WHERE w.line = embedding_assets.line_of(%(collection_id)s, s.shard, 'live')
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
FROM (
    SELECT collection_id, lane, enqueued_at FROM embedding_assets.work_arrivals
    UNION ALL SELECT coalesce(x.collection_id, n.id), 'live', x.enqueued_at FROM embedding_assets.arrivals_aside AS x
              LEFT JOIN embedding_assets.collections AS n ON n.name = x.collection
) AS a JOIN embedding_assets.collections AS c ON c.id = a.collection_id
GROUP BY 1, 2
ORDER BY 1, 2, 3
