-- Rights of the roles that are not the owner. {role} is whom they are given to; all may be given again, and are after new tables.

-- name: everybody
-- PostgreSQL lets everybody call a new function; some here write with their owner's rights.
REVOKE ALL ON ALL ROUTINES IN SCHEMA embedding_assets FROM PUBLIC;
GRANT USAGE ON SCHEMA embedding_assets TO {role}

-- name: writer
-- CREATE, because the table of a collection's vectors is made by the run that first needs it, and belongs to it: building an index and
-- dropping a retired model are an owner's right. Which schema this is, only the owner says.
GRANT CREATE ON SCHEMA embedding_assets TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA embedding_assets TO {role};
REVOKE INSERT, UPDATE, DELETE ON embedding_assets.schema_version FROM {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA embedding_assets TO {role};
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA embedding_assets TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA embedding_assets GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA embedding_assets GRANT USAGE, SELECT ON SEQUENCES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA embedding_assets GRANT EXECUTE ON ROUTINES TO {role}

-- name: hand_over
-- A table of vectors that the owner made before there was a writer.
ALTER TABLE {embeddings} OWNER TO {role}

-- name: limit_consumer
GRANT EXECUTE ON PROCEDURE embedding_assets.reserve TO {role};
GRANT EXECUTE ON FUNCTION embedding_assets.take_from_limit TO {role}

-- name: call
GRANT EXECUTE ON FUNCTION {function} TO {role}

-- name: exporter
-- Everything but what documents say: those columns are given one by one, and a new table is not seen before this is given again.
GRANT SELECT ON {tables} TO {role}

-- name: exporter_columns
GRANT SELECT ({columns}) ON {table} TO {role}

-- name: reader_functions
-- The collection of this name and no other, whatever its active model is: with the owner's rights, so that the reader needs none on
-- the tables that hold every collection.
CREATE OR REPLACE FUNCTION {search} (
    query_vector {vector}, k integer DEFAULT 10, filter jsonb DEFAULT '{{}}', exact_below integer DEFAULT 10000
) RETURNS TABLE (
    score double precision, document_key text, version bigint, ordinal integer, content text, start_char integer,
    end_char integer, title text, uri text, metadata jsonb, locations jsonb
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {path} AS {body};
CREATE OR REPLACE VIEW {view} WITH (security_barrier) AS
    SELECT s.document_key, s.version, s.ordinal, s.content, s.start_char, s.end_char, s.title, s.uri, s.metadata, s.input_hash
    FROM embedding_assets.searchable_chunks AS s
    JOIN embedding_assets.collections AS c ON c.id = s.collection_id AND c.active_model_id = s.model_id
    WHERE c.name = {name};
REVOKE ALL ON FUNCTION {search} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {search} TO {role};
GRANT SELECT ON {view} TO {role}

-- name: read_vectors
GRANT SELECT ON {embeddings} TO {role}

-- name: vector_tables
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'embedding_assets'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^embeddings_\d+_\d+$'
ORDER BY c.relname

-- name: columns_without
SELECT c.relname,
       array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE c.relname || '.' || a.attname <> ALL (%(hidden)s::text[])),
       bool_or(c.relname || '.' || a.attname = ANY (%(hidden)s::text[]))
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'embedding_assets'::regnamespace AND c.relkind = 'r'
GROUP BY c.relname ORDER BY c.relname

-- name: plain_functions
-- Those that work with their caller's own rights, so that calling them opens nothing.
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = 'embedding_assets'::regnamespace AND p.prokind = 'f' AND NOT p.prosecdef ORDER BY 1

-- name: enqueue_functions
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = 'embedding_assets'::regnamespace AND p.proname IN ('enqueue', 'enqueue_many') ORDER BY 1

-- name: collection
SELECT c.id, n.nspname FROM embedding_assets.collections AS c
CROSS JOIN pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE c.name = %(name)s AND e.extname = 'vector'

-- name: may_act_as
SELECT pg_has_role(current_user, r.oid, 'USAGE'), current_user FROM pg_roles AS r WHERE r.rolname = %(role)s
