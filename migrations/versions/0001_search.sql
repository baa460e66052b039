-- Search: the HNSW index where there is much to search, exact order where there is little, never fewer rows than match.

-- What search can show: chunks of each document's published version. Settle writes documents, chunks and publications in one
-- transaction, so a chunk of documents.version is a published one.
CREATE VIEW searchable_chunks AS
SELECT c.collection_id, c.model_id, c.document_key, c.version, c.ordinal, c.content, c.start_char, c.end_char, c.input_hash,
       d.title, d.uri, d.metadata
FROM chunks AS c
JOIN documents AS d USING (collection_id, document_key, version)
WHERE d.deleted_at IS NULL;

-- The condition both ways of searching share, as text: a filter that is in the query is planned for what it is; as a parameter,
-- '{}' had the planner read the whole metadata index once per chunk (300 ms instead of 20).
CREATE FUNCTION searchable_where(collection_id integer, model_id integer, filter jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('s.collection_id = %s AND s.model_id = %s', collection_id, model_id)
    || CASE WHEN filter = '{}' THEN '' ELSE format(' AND s.metadata @> %L::jsonb', filter) END;

-- Both return (input_hash, distance) of the k nearest inputs; EXECUTE because the table is the collection's and model's own.
-- The distance is made in a materialized step, so that no index can order (and shorten) it.
CREATE FUNCTION nearest_exact(embeddings regclass, distance_operator text, query text, condition text, k integer)
RETURNS TABLE (input_hash bytea, distance double precision)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$
        WITH candidates AS (
            SELECT DISTINCT s.input_hash FROM embedding_assets.searchable_chunks AS s WHERE %4$s
        ), measured AS MATERIALIZED (
            SELECT e.input_hash, (e.embedding %2$s %3$L)::float8 AS distance
            FROM %1$s AS e JOIN candidates USING (input_hash)
        )
        SELECT m.input_hash, m.distance FROM measured AS m ORDER BY m.distance, m.input_hash LIMIT %5$s
    $q$, embeddings, distance_operator, query, condition, k);
END $$;

-- Sorting is off, so that only the index can give the order; strict_order keeps scanning until k rows pass the filter. The other joins
-- are off because the planner, which cannot know that (document_key, version) always matches, would hash the whole corpus to ask
-- about k rows: 90 ms instead of 4 at 50,000 chunks.
CREATE FUNCTION nearest_by_index(embeddings regclass, distance_operator text, query text, condition text, k integer)
RETURNS TABLE (input_hash bytea, distance double precision)
LANGUAGE plpgsql STABLE
SET hnsw.iterative_scan = 'strict_order'
SET hnsw.ef_search = 100
SET enable_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
SET enable_seqscan = off
AS $$
BEGIN
    IF k > 100 THEN
        PERFORM set_config('hnsw.ef_search', least(k, 1000)::text, true);
    END IF;
    RETURN QUERY EXECUTE format($q$
        SELECT e.input_hash, (e.embedding %2$s %3$L)::float8 FROM %1$s AS e
        WHERE EXISTS (
            SELECT FROM embedding_assets.searchable_chunks AS s WHERE s.input_hash = e.input_hash AND %4$s)
        ORDER BY e.embedding %2$s %3$L LIMIT %5$s
    $q$, embeddings, distance_operator, query, condition, k);
END $$;

-- The k nearest inputs of a collection's active model, nearest first; min(k, matching) rows, each input once.
-- score: cosine similarity, inner product, or minus the L2 distance: larger is nearer.
-- locations: the other places that hold the same input, as a list of {document_key, ordinal, start_char, end_char, title, uri}.
CREATE FUNCTION search(
    collection text, query_vector vector, k integer DEFAULT 10, filter jsonb DEFAULT '{}', exact_below integer DEFAULT 10000
) RETURNS TABLE (
    score double precision, document_key text, version bigint, ordinal integer, content text, start_char integer,
    end_char integer, title text, uri text, metadata jsonb, locations jsonb
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
                'title', p.title, 'uri', p.uri) ORDER BY p.turn) AS locations
            FROM places AS p WHERE p.turn > 1 GROUP BY p.place
        )
        SELECT CASE WHEN $3 THEN 1 - p.distance ELSE -p.distance END,
               p.document_key, p.version, p.ordinal, p.content, p.start_char, p.end_char, p.title, p.uri, p.metadata,
               coalesce(o.locations, '[]'::jsonb)
        FROM places AS p LEFT JOIN others AS o USING (place)
        WHERE p.turn = 1 ORDER BY p.place
    $q$, condition) USING hashes, distances, c.distance = 'cosine';
END $$;
