-- Dagster's own tables, in its own database.

-- name: daemon_heartbeats
SELECT daemon_type, max(timestamp) FROM daemon_heartbeats GROUP BY daemon_type ORDER BY daemon_type

-- name: recorded_numbers
SELECT e.event FROM event_logs AS e JOIN run_tags AS t ON t.run_id = e.run_id
WHERE t.key = %(tag)s AND t.value = %(value)s
  AND e.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
ORDER BY e.id
