-- A use is held from when its request may have reached the provider, not only from when it was granted.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- The answer took longer than the margin: its request may have arrived as late as that (a process that is short of CPU, a connection
-- that had to be made), and the provider counts a minute from there. Its use goes to a later slot: now, but at most two seconds on, for
-- a provider that thinks for long has had the request all the while. Measured: sixteen processes that began together on two cores
-- drew a 429 a minute later without this. Returns the slot. Slots are touched in their order, as everywhere: no deadlock.
CREATE FUNCTION move_use(
    limit_name text, consumer text, collection_id integer, lane lane, slot bigint, inputs integer, tokens integer
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    later bigint := least(floor(extract(epoch FROM clock_timestamp()) * 10)::bigint, slot + 20);
BEGIN
    UPDATE rate_limit_slots AS s SET
        requests = greatest(s.requests - 1, 0), inputs = greatest(s.inputs - move_use.inputs, 0),
        tokens = greatest(s.tokens - move_use.tokens, 0)
    WHERE s.limit_name = move_use.limit_name AND s.slot = move_use.slot AND s.consumer = move_use.consumer
      AND s.lane = move_use.lane AND s.collection_id = move_use.collection_id;
    INSERT INTO rate_limit_slots AS s VALUES (limit_name, later, consumer, lane, 1, inputs, tokens, collection_id)
    ON CONFLICT ON CONSTRAINT rate_limit_slots_pkey DO UPDATE SET
        requests = s.requests + 1, inputs = s.inputs + excluded.inputs, tokens = s.tokens + excluded.tokens;
    RETURN later;
END $$;

REVOKE ALL ON FUNCTION move_use FROM PUBLIC;
