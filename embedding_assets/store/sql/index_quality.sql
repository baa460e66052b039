-- How good the HNSW index is. {embeddings} is the table of its vectors.

-- name: is_being_built
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE relid = to_regclass(%(table)s))

-- name: sampled_vectors
-- By the index of chunks: hashes are random, so those that follow a random one are a random sample.
SELECT s.document_key, e.embedding::text FROM (
    SELECT DISTINCT ON (input_hash) input_hash, document_key FROM embedding_assets.chunks
    WHERE collection_id = %(collection_id)s AND model_id = %(model_id)s AND input_hash >= %(start)s
    ORDER BY input_hash, document_key LIMIT %(count)s
) AS s
JOIN {embeddings} AS e USING (input_hash)
ORDER BY s.input_hash

-- name: found_by_index
-- As search asks, both ways. By distance and not by hash: of equally near neighbours either may come.
SELECT (SELECT count(*) FROM embedding_assets.nearest_by_index(
            to_regclass(%(table)s), %(operator)s, %(query)s, w.condition, %(k)s) AS n WHERE n.distance <= exact.farthest),
       exact.neighbours
FROM (SELECT embedding_assets.searchable_where(%(collection_id)s, %(model_id)s, '{}') AS condition) AS w
CROSS JOIN LATERAL (
    SELECT max(n.distance) AS farthest, count(*) AS neighbours
    FROM embedding_assets.nearest_exact(to_regclass(%(table)s), %(operator)s, %(query)s, w.condition, %(k)s) AS n
) AS exact
