-- What a vector index looks like beside what the server has.

-- name: facts
-- Dead rows are those that were deleted and not vacuumed yet: the index still holds them.
SELECT coalesce(s.n_live_tup, 0)::float8, coalesce(s.n_dead_tup, 0)::float8,
       pg_size_bytes(current_setting('maintenance_work_mem'))::float8,
       pg_size_bytes(current_setting('shared_buffers'))::float8,
       pg_size_bytes(current_setting('effective_cache_size'))::float8,
       coalesce((SELECT option_value::integer FROM pg_class AS i, pg_options_to_table(i.reloptions)
                 WHERE i.oid = to_regclass(%(index)s) AND option_name = 'm'), 16)
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_stat_all_tables AS s ON s.relid = to_regclass(%(table)s)
