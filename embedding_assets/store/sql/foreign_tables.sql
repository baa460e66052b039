-- Tables in other people's databases, read only. What is in braces is filled in by foreign_tables: identifiers of the columns that
-- were configured, `{key}` the key's, `{after}` where the page before ended, `{alive}` what keeps deleted rows out.

-- name: columns
-- The type to cast a text to, and what that type is underneath a domain.
SELECT a.attname, quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN format_type(t.typbasetype, NULL) ELSE format_type(t.oid, NULL) END
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE a.attrelid = to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s)) AND a.attnum > 0 AND NOT a.attisdropped

-- name: read_row
-- A text that is too large stays where it is.
SELECT size.bytes, CASE WHEN size.bytes <= %(max_bytes)s THEN ARRAY[{content}]::text[] END,
       {title}, {uri}, CASE WHEN size.bytes <= %(max_bytes)s THEN ARRAY[{metadata}]::jsonb[] END, {changed_at},
       CASE WHEN size.bytes <= %(max_bytes)s THEN {signature} END
FROM {table} AS t
CROSS JOIN LATERAL (
    SELECT coalesce(sum(octet_length(part)), 0)::bigint AS bytes FROM unnest(ARRAY[{texts}]::text[]) AS part
) AS size
WHERE ({key}) = ({values}) AND {alive}
LIMIT 1

-- name: list_page
-- Pages by key, each its own statement: no snapshot of theirs is held while we work, and no page is read twice. Signatures read the
-- texts, and so come after the limit.
SELECT {key_text}, {signature}, {changed_at}, ARRAY[{key_texts}]::text[]
FROM (
    SELECT * FROM {table} AS t WHERE {alive} AND num_nulls({key}) = 0 AND {after}
    ORDER BY {key} LIMIT %(rows)s
) AS t
ORDER BY {key}

-- name: changes_page
-- A row that was deleted has no signature any more.
SELECT {key_text}, CASE WHEN {alive} THEN {signature} END, {changed_at}, ARRAY[{key_texts}]::text[], {moved_at}::text
FROM (
    SELECT * FROM {table} AS t
    WHERE {moved_at} >= %(since)s::timestamptz AND num_nulls({key}) = 0 AND {after}
    ORDER BY {moved_at}, {key} LIMIT %(rows)s
) AS t
ORDER BY {moved_at}, {key}

-- name: activity
-- Who is in a transaction that may still commit. The locks are shown to every role, when a transaction began is not. Workers of
-- autovacuum have no user, and write no row of the table.
SELECT clock_timestamp(), ARRAY(
    SELECT l.virtualtransaction FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND a.usesysid IS NOT NULL AND l.pid <> pg_backend_pid()
    UNION SELECT p.transaction::text FROM pg_prepared_xacts AS p WHERE p.database = current_database())
