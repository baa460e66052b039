-- The HNSW index of one collection's vectors under one model.

-- name: lock_builder
SELECT pg_try_advisory_lock(%(space)s, %(table)s)

-- name: index_state
SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = to_regclass(%(index)s)

-- name: drop_index
DROP INDEX IF EXISTS {index}

-- name: create_index
CREATE INDEX {index_name} ON {embeddings} USING hnsw (embedding {operators}) WITH (m = {m}, ef_construction = {ef})

-- name: create_index_concurrently
CREATE INDEX CONCURRENTLY {index_name} ON {embeddings}
USING hnsw (embedding {operators}) WITH (m = {m}, ef_construction = {ef})

-- name: analyze
ANALYZE {embeddings}
