-- name: in_one_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: search
SELECT score, document_key, version, ordinal, content, start_char, end_char, title, uri, metadata, headings, locations
FROM embedding_assets.search(%(collection)s, %(query_vector)s::vector, %(k)s, %(filter)s::jsonb, %(exact_below)s)
