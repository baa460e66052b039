-- What the last complete poll saw, and the difference to this one.

-- name: lock_collection
-- NO KEY: an arrival's foreign key locks the same row, and a producer must not wait for a poll.
SELECT tracked_since, last_poll_at FROM embedding_assets.collections WHERE id = %(collection_id)s FOR NO KEY UPDATE

-- name: create_listing
CREATE TEMPORARY TABLE listing (
    document_key text PRIMARY KEY, signature text NOT NULL, changed_at timestamptz) ON COMMIT DROP

-- name: copy_listing
COPY listing (document_key, signature, changed_at) FROM STDIN

-- name: analyze_listing
ANALYZE listing

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
SELECT %(collection_id)s, l.document_key, l.changed_at, %(not_before)s, %(lane)s::embedding_assets.lane
FROM listing AS l
LEFT JOIN embedding_assets.source_listings AS s
    ON s.collection_id = %(collection_id)s AND s.document_key = l.document_key
WHERE s.signature IS DISTINCT FROM l.signature
ORDER BY l.document_key

-- name: enqueue_missing
-- Only a reference: the worker deletes when fetching says definitely not there. When it vanished is not known: the last poll that
-- still showed it is the oldest it can be.
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, not_before, lane)
SELECT %(collection_id)s, s.document_key, %(not_before)s, %(not_before)s, 'live'
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
SELECT %(collection_id)s, document_key, signature FROM listing ORDER BY document_key
ON CONFLICT (collection_id, document_key) DO UPDATE SET signature = excluded.signature
WHERE s.signature <> excluded.signature

-- name: remember_poll
UPDATE embedding_assets.collections
SET last_poll_at = %(polled_at)s, tracked_since = coalesce(tracked_since, %(polled_at)s)
WHERE id = %(collection_id)s

-- name: now
SELECT clock_timestamp()
