-- What the last complete poll saw, and the difference to this one.

-- name: lock_collection
-- NO KEY: whatever a settle inserts locks the same row by its foreign key, and must not wait for a poll.
SELECT tracked_since, last_poll_at, last_listed_at FROM embedding_assets.collections
WHERE id = %(collection_id)s FOR NO KEY UPDATE

-- name: poll_state
SELECT source_cursor, extract(epoch FROM clock_timestamp() - last_listed_at)::float8, withheld_deletions
FROM embedding_assets.collections WHERE id = %(collection_id)s

-- name: drop_listing
DROP TABLE IF EXISTS pg_temp.listing

-- name: create_listing
-- The session's own, filled while no transaction is open: a source may take minutes to list. No signature: it is no longer there.
CREATE TEMPORARY TABLE listing (
    place bigint GENERATED ALWAYS AS IDENTITY, document_key text NOT NULL, signature text, changed_at timestamptz)

-- name: copy_listing
COPY listing (document_key, signature, changed_at) FROM STDIN

-- name: index_listing
CREATE INDEX ON listing (document_key, place)

-- name: analyze_listing
ANALYZE listing

-- name: keep_last
-- Of a document that was listed twice (by pages of a source that changes meanwhile) the last entry counts.
DELETE FROM listing AS l
WHERE EXISTS (SELECT FROM listing AS later WHERE later.document_key = l.document_key AND later.place > l.place)

-- name: difference
SELECT (SELECT count(*) FROM listing),
       (SELECT count(*) FROM embedding_assets.source_listings WHERE collection_id = %(collection_id)s),
       (SELECT count(*) FROM listing AS l WHERE NOT EXISTS (
            SELECT FROM embedding_assets.source_listings AS s
            WHERE s.collection_id = %(collection_id)s AND s.document_key = l.document_key)),
       (SELECT count(*) FROM listing AS l JOIN embedding_assets.source_listings AS s USING (document_key)
        WHERE s.collection_id = %(collection_id)s AND s.signature <> l.signature),
       (SELECT count(*) FROM embedding_assets.source_listings AS s
        WHERE s.collection_id = %(collection_id)s AND NOT EXISTS (
            SELECT FROM listing AS l WHERE l.document_key = s.document_key))

-- name: enqueue_changed
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
-- A fetch that did not show the change was a look at the document as much as a poll is.
SELECT %(collection_id)s, l.document_key, l.changed_at, greatest(%(not_before)s, s.fetched_at), %(lane)s::embedding_assets.lane
FROM listing AS l
LEFT JOIN embedding_assets.source_listings AS s
    ON s.collection_id = %(collection_id)s AND s.document_key = l.document_key
WHERE l.signature IS NOT NULL AND s.signature IS DISTINCT FROM l.signature
ORDER BY l.document_key

-- name: change_counts
-- What a source tells of its changes, against what was seen before: new, changed, gone.
SELECT count(*), count(*) FILTER (WHERE s.document_key IS NULL AND l.signature IS NOT NULL),
       count(*) FILTER (WHERE s.document_key IS NOT NULL AND l.signature <> s.signature),
       count(*) FILTER (WHERE s.document_key IS NOT NULL AND l.signature IS NULL)
FROM listing AS l
LEFT JOIN embedding_assets.source_listings AS s
    ON s.collection_id = %(collection_id)s AND s.document_key = l.document_key

-- name: enqueue_gone
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
SELECT %(collection_id)s, l.document_key, l.changed_at, greatest(%(not_before)s, s.fetched_at), 'live'
FROM listing AS l
JOIN embedding_assets.source_listings AS s ON s.collection_id = %(collection_id)s AND s.document_key = l.document_key
WHERE l.signature IS NULL
ORDER BY l.document_key

-- name: forget_gone
DELETE FROM embedding_assets.source_listings AS s
USING listing AS l
WHERE s.collection_id = %(collection_id)s AND s.document_key = l.document_key AND l.signature IS NULL

-- name: enqueue_missing
-- Only a reference: the worker deletes when fetching says definitely not there. When it vanished is not known: the last poll that
-- still showed it is the oldest it can be.
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
SELECT %(collection_id)s, s.document_key, greatest(%(not_before)s, s.fetched_at), greatest(%(not_before)s, s.fetched_at), 'live'
FROM embedding_assets.source_listings AS s
WHERE s.collection_id = %(collection_id)s
  AND NOT EXISTS (SELECT FROM listing AS l WHERE l.document_key = s.document_key)
ORDER BY s.document_key

-- name: forget_missing
DELETE FROM embedding_assets.source_listings AS s
WHERE s.collection_id = %(collection_id)s
  AND NOT EXISTS (SELECT FROM listing AS l WHERE l.document_key = s.document_key)

-- name: remember_listing
INSERT INTO embedding_assets.source_listings AS s (collection_id, document_key, signature)
SELECT %(collection_id)s, document_key, signature FROM listing WHERE signature IS NOT NULL ORDER BY document_key
ON CONFLICT (collection_id, document_key) DO UPDATE SET signature = excluded.signature, fetched_at = NULL
WHERE s.signature <> excluded.signature

-- name: forget_fetched
DELETE FROM embedding_assets.source_listings WHERE collection_id = %(collection_id)s AND document_key = ANY(%(document_keys)s)

-- name: remember_fetched
-- In key order, as a poll does it. Of a claim, its begin: the fetch came later.
INSERT INTO embedding_assets.source_listings AS s (collection_id, document_key, signature, fetched_at)
SELECT %(collection_id)s, u.document_key, u.signature, (
    SELECT w.claimed_at FROM embedding_assets.work_items AS w
    WHERE w.collection_id = %(collection_id)s AND w.document_key = u.document_key)
FROM unnest(%(document_keys)s::text[], %(signatures)s::text[]) AS u (document_key, signature)
ORDER BY u.document_key
ON CONFLICT (collection_id, document_key) DO UPDATE SET signature = excluded.signature, fetched_at = excluded.fetched_at
WHERE s.signature <> excluded.signature

-- name: remember_poll
UPDATE embedding_assets.collections SET
    last_poll_at = %(polled_at)s, last_listed_at = %(polled_at)s, tracked_since = coalesce(tracked_since, %(polled_at)s),
    source_cursor = %(cursor)s, withheld_deletions = %(withheld)s
WHERE id = %(collection_id)s

-- name: remember_changes
UPDATE embedding_assets.collections SET last_poll_at = %(polled_at)s, source_cursor = %(cursor)s
WHERE id = %(collection_id)s

-- name: now
SELECT clock_timestamp()
