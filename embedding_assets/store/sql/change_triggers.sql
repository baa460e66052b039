-- Triggers on a table of an application in our own database. `{…}` are identifiers: of the table, of the columns a document is made of.

-- name: columns
SELECT a.attname, format_type(a.atttypid, NULL),
       CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN format_type(t.typbasetype, NULL) ELSE format_type(t.oid, NULL) END
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s)) AND a.attnum > 0 AND NOT a.attisdropped

-- name: kind_of_table
SELECT relkind::text FROM pg_class WHERE oid = to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s))

-- name: installed
-- Those that call the collection's function, with that function's text.
SELECT n.nspname, c.relname, t.tgname, t.tgenabled::text <> 'D', p.prosrc
FROM pg_proc AS p
JOIN pg_trigger AS t ON t.tgfoid = p.oid AND NOT t.tgisinternal AND t.tgparentid = 0
JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE p.pronamespace = 'embedding_assets'::regnamespace AND p.proname = %(function)s

-- name: in_the_way
-- Transactions that hold the table, the oldest first: whoever reads it too, for dropping a trigger waits for those.
SELECT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.relation = to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s)) AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()
GROUP BY l.pid, a.xact_start ORDER BY a.xact_start

-- name: bound_waiting
-- Whoever writes waits behind us while we wait for the table: not for long, and again later.
SELECT set_config('lock_timeout', '300ms', true)

-- name: create_function
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tell_changes$
DECLARE
    document_keys text[];
BEGIN
    IF tg_op = 'TRUNCATE' THEN
        PERFORM embedding_assets.append_all({collection_id});
        RETURN NULL;
    END IF;
    BEGIN
        IF tg_op = 'INSERT' THEN
            document_keys := ARRAY(SELECT {new_key} FROM new_rows AS n);
        ELSIF tg_op = 'DELETE' THEN
            document_keys := ARRAY(SELECT {old_key} FROM old_rows AS o);
        ELSE
            -- Bytes are compared, by no operator or function of a type that somebody made.
            document_keys := ARRAY(
                SELECT coalesce(now.document_key, before.document_key)
                FROM (SELECT {new_key} AS document_key, ROW({new_columns})::record AS shown FROM new_rows AS n) AS now
                FULL JOIN (SELECT {old_key} AS document_key, ROW({old_columns})::record AS shown FROM old_rows AS o) AS before
                    ON now.document_key = before.document_key COLLATE "C"
                WHERE now.document_key IS NULL OR before.document_key IS NULL OR now.shown OPERATOR(pg_catalog.*<>) before.shown);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        -- A column was dropped or renamed since: the application must not fail by that. The source does, and says so.
        RAISE WARNING USING MESSAGE = 'embedding_assets: a change of ' || tg_relid::regclass || ' was not told (' || sqlerrm
            || '); run: embedding-assets collections track ' || {collection};
        RETURN NULL;
    END;
    IF cardinality(document_keys) > 0 THEN
        PERFORM embedding_assets.append_arrivals({collection_id}, NULL, document_keys, clock_timestamp(), NULL);
    END IF;
    RETURN NULL;
END $tell_changes$

-- name: protect_function
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC

-- name: create_insert_trigger
CREATE TRIGGER {trigger} AFTER INSERT ON {table}
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}()

-- name: create_update_trigger
CREATE TRIGGER {trigger} AFTER UPDATE ON {table}
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}()

-- name: create_delete_trigger
CREATE TRIGGER {trigger} AFTER DELETE ON {table}
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}()

-- name: create_truncate_trigger
CREATE TRIGGER {trigger} AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()

-- name: drop_function
-- With the triggers that call it, which need not be ours to drop.
DROP FUNCTION IF EXISTS {function}() CASCADE
