-- Removing a collection: first its name, so that nobody finds it, then its rows in batches, its own row at the end.

-- name: lock_collection
-- Until the end of the transaction no run can make the rows by which it leases shards.
SELECT id, name FROM embedding_assets.collections WHERE name = %(name)s FOR UPDATE

-- name: lock_leases
-- Those that a run holds, or has just given back; one that is about to lease finds them locked and leaves them.
SELECT owner FROM embedding_assets.shard_leases
WHERE collection_id = %(collection_id)s AND expires_at > clock_timestamp()
ORDER BY shard FOR UPDATE

-- name: lock_shards
SELECT FROM embedding_assets.shard_leases WHERE collection_id = %(collection_id)s ORDER BY shard FOR UPDATE

-- name: take_name
-- Without its limit, of which it is owed no part any more.
UPDATE embedding_assets.collections
SET removing = name, name = 'removing_' || id || '_' || left(md5(name), 8), limit_name = NULL, updated_at = clock_timestamp()
WHERE id = %(collection_id)s

-- name: half_removed
SELECT id FROM embedding_assets.collections WHERE removing = %(name)s ORDER BY id

-- name: half_removed_names
SELECT DISTINCT removing FROM embedding_assets.collections WHERE removing IS NOT NULL ORDER BY 1

-- name: counts
SELECT
    (SELECT count(*) FROM embedding_assets.documents AS d WHERE d.collection_id = c.id AND d.deleted_at IS NULL),
    (SELECT count(*) FROM embedding_assets.chunks AS k WHERE k.collection_id = c.id),
    (SELECT count(*) FROM embedding_assets.work_items AS w WHERE w.collection_id = c.id)
        + (SELECT count(*) FROM embedding_assets.work_arrivals AS a WHERE a.collection_id = c.id),
    (SELECT count(*) FROM embedding_assets.failed_documents AS f WHERE f.collection_id = c.id),
    (SELECT count(*) FROM embedding_assets.failed_attempts AS f WHERE f.collection_id = c.id),
    (SELECT count(*) FROM embedding_assets.models AS m
     WHERE to_regclass('embedding_assets.embeddings_' || c.id || '_' || m.id) IS NOT NULL),
    (SELECT coalesce(sum(pg_total_relation_size(to_regclass('embedding_assets.embeddings_' || c.id || '_' || m.id))), 0)::bigint
     FROM embedding_assets.models AS m)
FROM embedding_assets.collections AS c WHERE c.id = %(collection_id)s

-- name: tables_of_collections
-- Every table whose rows belong to a collection, work_arrivals too where it has no key; parents after those that need them.
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'embedding_assets'::regnamespace AND c.relkind = 'r' AND c.relname <> 'collections'
  AND (c.relname = 'work_arrivals' OR EXISTS (
      SELECT FROM pg_constraint AS k
      WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = 'embedding_assets.collections'::regclass))
ORDER BY array_position(ARRAY['work_arrivals', 'work_items', 'obligations', 'publications', 'chunks', 'documents'], c.relname::text), 1

-- name: delete_rows
-- {table} is one of those. Rows that another session holds are left to the last statement.
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE collection_id = %(collection_id)s LIMIT %(rows)s FOR UPDATE SKIP LOCKED))

-- name: wait_briefly
-- For a search that still reads the table.
SELECT set_config('lock_timeout', '2s', true)

-- name: drop_table
DROP TABLE IF EXISTS {embeddings}

-- name: close_circuits
-- Of its source, and of its own way of asking a model.
DELETE FROM embedding_assets.circuits
WHERE provider = 'source ' || %(name)s::text OR right(provider, length(' of ' || %(name)s::text)) = ' of ' || %(name)s::text

-- name: delete_collection
DELETE FROM embedding_assets.collections WHERE id = %(collection_id)s AND removing IS NOT NULL
