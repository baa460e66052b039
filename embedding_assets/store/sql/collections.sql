-- name: ensure_model
INSERT INTO embedding_assets.models (name, dimensions, storage, distance, input_template, normalized, fingerprint)
VALUES (%(name)s, %(dimensions)s, %(storage)s, %(distance)s, %(input_template)s, %(normalized)s, %(fingerprint)s)
ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name
RETURNING id

-- name: upsert_collection
-- A model that is built beside the active one leaves the active one as it is, with how it is asked.
INSERT INTO embedding_assets.collections AS c
    (name, owner, source, chunking, chunker_fingerprint, active_model_id, active_options, limit_name, limit_consumer, budgets,
     weight, paused, freshness_seconds)
VALUES (%(name)s, %(owner)s, %(source)s, %(chunking)s, %(chunker_fingerprint)s, %(model_id)s, %(options)s, %(limit_name)s,
        %(limit_consumer)s, %(budgets)s, %(weight)s, %(paused)s, %(freshness_seconds)s)
ON CONFLICT (name) DO UPDATE SET
    owner = excluded.owner, source = excluded.source, chunking = excluded.chunking,
    -- Another source knows nothing of the cursor: the next poll lists all of it.
    source_cursor = CASE WHEN c.source = excluded.source THEN c.source_cursor END,
    chunker_fingerprint = excluded.chunker_fingerprint,
    active_model_id = CASE WHEN %(beside)s THEN c.active_model_id ELSE excluded.active_model_id END,
    active_options = CASE WHEN %(beside)s THEN c.active_options ELSE excluded.active_options END,
    limit_name = CASE WHEN %(beside)s THEN c.limit_name ELSE excluded.limit_name END,
    limit_consumer = CASE WHEN %(beside)s THEN c.limit_consumer ELSE excluded.limit_consumer END,
    building_model_id = CASE WHEN %(beside)s THEN excluded.active_model_id END,
    building_options = CASE WHEN %(beside)s THEN excluded.active_options END,
    budgets = excluded.budgets, weight = excluded.weight, paused = excluded.paused,
    freshness_seconds = excluded.freshness_seconds, updated_at = clock_timestamp()

-- name: find_collection
SELECT c.id, c.name, c.owner, c.source, c.chunking, c.chunker_fingerprint, c.limit_name, c.limit_consumer, c.paused, c.paused_since, c.tracked_since,
       c.last_poll_at, c.active_options,
       m.id, m.fingerprint, m.name, m.dimensions, m.storage, m.distance, m.input_template, m.normalized, m.wire_format,
       b.id, b.fingerprint, b.name, b.dimensions, b.storage, b.distance, b.input_template, b.normalized, b.wire_format
FROM embedding_assets.collections AS c
JOIN embedding_assets.models AS m ON m.id = c.active_model_id
LEFT JOIN embedding_assets.models AS b ON b.id = c.building_model_id
WHERE c.name = %(name)s

-- name: active_model
SELECT active_model_id FROM embedding_assets.collections WHERE id = %(collection_id)s AND removing IS NULL

-- name: pause
UPDATE embedding_assets.collections SET paused_since = coalesce(paused_since, clock_timestamp()), updated_at = clock_timestamp()
WHERE name = %(name)s

-- name: resume
UPDATE embedding_assets.collections SET paused_since = NULL, updated_at = clock_timestamp() WHERE name = %(name)s

-- name: vector_tables
SELECT m.id, m.fingerprint, m.name, m.dimensions, m.storage, m.distance, m.input_template, m.normalized, m.wire_format
FROM embedding_assets.models AS m
WHERE to_regclass('embedding_assets.embeddings_' || %(collection_id)s::integer || '_' || m.id) IS NOT NULL
ORDER BY m.id

-- name: cut_over
UPDATE embedding_assets.collections SET
    active_model_id = building_model_id, active_options = building_options, building_model_id = NULL, building_options = NULL,
    limit_name = building_options ->> 'limit', limit_consumer = building_options ->> 'limit_consumer',
    updated_at = clock_timestamp()
WHERE id = %(collection_id)s AND building_model_id IS NOT NULL

-- name: collection_names
SELECT name FROM embedding_assets.collections WHERE removing IS NULL ORDER BY name

-- name: has_publications
SELECT EXISTS (
    SELECT FROM embedding_assets.publications AS p
    JOIN embedding_assets.collections AS c ON c.id = p.collection_id AND c.active_model_id = p.model_id
    WHERE c.name = %(name)s)

-- name: remember_wire_format
UPDATE embedding_assets.models SET wire_format = %(wire_format)s
WHERE id = %(model_id)s AND wire_format IS DISTINCT FROM %(wire_format)s

-- name: inputs_per_document
SELECT coalesce(inputs_per_document, 1.0) FROM embedding_assets.collections WHERE id = %(collection_id)s

-- name: remember_inputs_per_document
-- A run of 200 documents or more counts for half.
UPDATE embedding_assets.collections
SET inputs_per_document = coalesce(inputs_per_document, %(inputs)s::float8 / %(documents)s)
    + (%(inputs)s::float8 / %(documents)s - coalesce(inputs_per_document, %(inputs)s::float8 / %(documents)s))
      * 0.5 * least(1.0, %(documents)s / 200.0)
WHERE id = %(collection_id)s
