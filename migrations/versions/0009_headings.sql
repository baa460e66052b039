-- A chunk keeps the headings it stands under, and search shows them.

SET LOCAL lock_timeout = '5s';
-- Ours first, then wherever the extension lives: some providers keep it out of public.
SELECT set_config('search_path', 'embedding_assets, ' || quote_ident(n.nspname), true)
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';

-- Outermost first. NULL for what was published before this column: a model that is built with them finds them in the document's text.
ALTER TABLE chunks ADD COLUMN headings text[];

CREATE OR REPLACE VIEW searchable_chunks AS
SELECT c.collection_id, c.model_id, c.document_key, c.version, c.ordinal, c.content, c.start_char, c.end_char, c.input_hash,
       d.title, d.uri, d.metadata, c.headings
FROM chunks AS c
JOIN documents AS d USING (collection_id, document_key, version)
WHERE d.deleted_at IS NULL;

-- A function that returns one column more must be made anew, and who may call it must stay as it was granted.
CREATE TEMPORARY TABLE search_grants ON COMMIT DROP AS
SELECT a.grantee, a.is_grantable FROM pg_proc AS p CROSS JOIN aclexplode(p.proacl) AS a
WHERE p.oid = 'search(text, vector, integer, jsonb, integer)'::regprocedure AND a.grantee <> p.proowner;
CREATE TEMPORARY TABLE search_was_granted ON COMMIT DROP AS
SELECT proacl IS NOT NULL AS explicitly FROM pg_proc WHERE oid = 'search(text, vector, integer, jsonb, integer)'::regprocedure;

DO $$
BEGIN
    DROP FUNCTION search(text, vector, integer, jsonb, integer);
EXCEPTION WHEN dependent_objects_still_exist THEN
    RAISE EXCEPTION 'views or functions of yours are built on embedding_assets.search, which gets a column more'
        USING HINT = 'drop them, migrate, and make them again; DROP FUNCTION embedding_assets.search names them', ERRCODE = SQLSTATE;
END $$;

-- The k nearest inputs of a collection's active model, nearest first; min(k, matching) rows, each input once.
-- score: cosine similarity, inner product, or minus the L2 distance: larger is nearer.
-- headings: those the chunk stands under, outermost first; empty where there are none, or none were kept when it was published.
-- locations: the other places that hold the same input, as a list of {document_key, ordinal, start_char, end_char, title, uri, headings}.
CREATE FUNCTION search(
    collection text, query_vector vector, k integer DEFAULT 10, filter jsonb DEFAULT '{}', exact_below integer DEFAULT 10000
) RETURNS TABLE (
    score double precision, document_key text, version bigint, ordinal integer, content text, start_char integer,
    end_char integer, title text, uri text, metadata jsonb, headings text[], locations jsonb
)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    c record;
    embeddings regclass;
    operator text;
    condition text;
    candidates bigint := 0;
    hashes bytea[];
    distances double precision[];
BEGIN
    SELECT col.id, col.active_model_id, m.dimensions, m.distance INTO c
    FROM embedding_assets.collections AS col JOIN embedding_assets.models AS m ON m.id = col.active_model_id
    WHERE col.name = search.collection;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no collection %', quote_literal(search.collection)
            USING HINT = 'SELECT name FROM embedding_assets.collections lists them', ERRCODE = 'no_data_found';
    END IF;
    IF vector_dims(query_vector) <> c.dimensions THEN
        RAISE EXCEPTION 'the query has % dimensions and the model of collection % has %',
            vector_dims(query_vector), search.collection, c.dimensions USING ERRCODE = 'data_exception';
    END IF;
    IF c.distance = 'cosine' AND vector_norm(query_vector) = 0 THEN
        RAISE EXCEPTION 'the query vector is zero: it has no direction to compare' USING ERRCODE = 'data_exception';
    END IF;
    embeddings := to_regclass(format('embedding_assets.embeddings_%s_%s', c.id, c.active_model_id));
    operator := CASE c.distance WHEN 'cosine' THEN '<=>' WHEN 'ip' THEN '<#>' ELSE '<->' END;
    condition := embedding_assets.searchable_where(c.id, c.active_model_id, filter);
    IF embeddings IS NULL OR k < 1 THEN
        RETURN;
    END IF;

    IF to_regclass(format('embedding_assets.embeddings_%s_%s_hnsw', c.id, c.active_model_id)) IS NOT NULL THEN
        -- Without a filter the chunks alone tell, from their index.
        EXECUTE format('SELECT count(*) FROM (SELECT FROM embedding_assets.%s AS s WHERE %s LIMIT %s) AS n',
                       CASE WHEN filter = '{}' THEN 'chunks' ELSE 'searchable_chunks' END, condition, exact_below)
        INTO candidates;
        IF candidates >= exact_below THEN
            SELECT array_agg(n.input_hash ORDER BY n.distance), array_agg(n.distance ORDER BY n.distance)
            INTO hashes, distances
            FROM embedding_assets.nearest_by_index(embeddings, operator, query_vector::text, condition, k) AS n;
        END IF;
    END IF;
    IF coalesce(cardinality(hashes), 0) < k THEN
        SELECT array_agg(n.input_hash ORDER BY n.distance, n.input_hash),
               array_agg(n.distance ORDER BY n.distance, n.input_hash)
        INTO hashes, distances
        FROM embedding_assets.nearest_exact(embeddings, operator, query_vector::text, condition, k) AS n;
    END IF;

    RETURN QUERY EXECUTE format($q$
        WITH places AS (
            SELECT n.place, n.distance, s.*,
                   row_number() OVER (PARTITION BY n.place ORDER BY s.document_key, s.ordinal) AS turn
            FROM unnest($1, $2) WITH ORDINALITY AS n (input_hash, distance, place)
            JOIN embedding_assets.searchable_chunks AS s USING (input_hash)
            WHERE %s
        ), others AS (
            SELECT p.place, jsonb_agg(jsonb_build_object(
                'document_key', p.document_key, 'ordinal', p.ordinal, 'start_char', p.start_char, 'end_char', p.end_char,
                'title', p.title, 'uri', p.uri, 'headings', coalesce(p.headings, ARRAY[]::text[])) ORDER BY p.turn) AS locations
            FROM places AS p WHERE p.turn > 1 GROUP BY p.place
        )
        SELECT CASE WHEN $3 THEN 1 - p.distance ELSE -p.distance END,
               p.document_key, p.version, p.ordinal, p.content, p.start_char, p.end_char, p.title, p.uri, p.metadata, coalesce(p.headings, ARRAY[]::text[]),
               coalesce(o.locations, '[]'::jsonb)
        FROM places AS p LEFT JOIN others AS o USING (place)
        WHERE p.turn = 1 ORDER BY p.place
    $q$, condition) USING hashes, distances, c.distance = 'cosine';
END $$;

DO $$
DECLARE
    g record;
BEGIN
    IF (SELECT explicitly FROM search_was_granted) THEN
        REVOKE ALL ON FUNCTION search FROM PUBLIC;
    END IF;
    FOR g IN SELECT * FROM search_grants LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION search TO %s%s',
                       CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                       CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
END $$;
