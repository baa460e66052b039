-- The shared limit: requests, inputs and tokens in a true sliding minute, for every consumer of one provider key.

-- Seconds until `asked` more fits under `most` by one rule, 0 when it does now. What counts is the uses of the trailing window:
-- everybody's, or one consumer's, or one consumer's in one lane. It ends with the newest slot that has to leave the window first.
CREATE FUNCTION seconds_until_free(
    limit_name text, consumer text, lane lane, resource text, asked bigint, most bigint, held_seconds double precision,
    moment double precision
) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(counted.slot + 1) / 10.0 + held_seconds - moment, 0)
    FROM (
        SELECT s.slot, sum(CASE resource WHEN 'requests' THEN s.requests WHEN 'inputs' THEN s.inputs ELSE s.tokens END)
                           OVER (ORDER BY s.slot DESC) AS since
        FROM embedding_assets.rate_limit_slots AS s
        WHERE s.limit_name = seconds_until_free.limit_name
          AND s.slot >= floor((moment - held_seconds) * 10)
          AND (seconds_until_free.consumer IS NULL OR s.consumer = seconds_until_free.consumer)
          AND (seconds_until_free.lane IS NULL OR s.lane = seconds_until_free.lane)
    ) AS counted
    WHERE counted.since + asked > most
$$;

-- Seconds to wait, 0 when the use was entered; a refused one writes nothing. Time is the server's, read after the limit's row is
-- held, so that uses are entered in the order they are granted. Meant to be called by reserve, which commits at once.
CREATE FUNCTION take_from_limit(
    limit_name text, consumer text, lane lane, requests integer, inputs integer, tokens integer
) RETURNS double precision
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    l rate_limits;
    c rate_limit_consumers;
    r record;
    moment double precision;
    held double precision;
    wait double precision := 0;
    ceiling bigint;
    by_ceiling double precision;
BEGIN
    SELECT * INTO l FROM rate_limits AS x WHERE x.name = limit_name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no rate limit %', quote_literal(limit_name) USING ERRCODE = 'no_data_found';
    END IF;
    SELECT * INTO c FROM rate_limit_consumers AS x WHERE x.limit_name = l.name AND x.consumer = take_from_limit.consumer;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'rate limit % has no consumer %', quote_literal(l.name), quote_literal(consumer)
            USING ERRCODE = 'no_data_found';
    END IF;
    moment := extract(epoch FROM clock_timestamp());
    -- A use is held for its minute and the margin: the request may reach the provider that much later than this.
    held := 60 + l.skew_margin;
    IF extract(epoch FROM l.blocked_until) > moment THEN
        RETURN extract(epoch FROM l.blocked_until) - moment;
    END IF;
    -- A crash empties the unlogged slots: then the minute that was in use counts as full.
    IF l.last_used_at < pg_postmaster_start_time() AND extract(epoch FROM l.last_used_at) + held > moment
       AND NOT EXISTS (SELECT FROM rate_limit_slots AS s WHERE s.limit_name = l.name) THEN
        RETURN extract(epoch FROM l.last_used_at) + held - moment;
    END IF;

    FOR r IN
        SELECT * FROM (VALUES ('requests', l.requests_per_minute, requests), ('inputs', l.inputs_per_minute, inputs),
                              ('tokens', l.tokens_per_minute, tokens)) AS v (resource, capacity, asked)
        WHERE capacity IS NOT NULL AND asked > 0
    LOOP
        ceiling := floor(c.share * r.capacity);
        IF r.asked > ceiling THEN
            RAISE EXCEPTION '% % in one request can never pass: the ceiling of consumer % is % per minute', r.asked, r.resource,
                quote_literal(consumer), ceiling USING ERRCODE = 'data_exception';
        END IF;
        wait := greatest(wait, seconds_until_free(l.name, NULL, NULL, r.resource, r.asked, r.capacity, held, moment));
        by_ceiling := seconds_until_free(
            l.name, CASE l.ceiling_on WHEN 'own' THEN consumer END, NULL, r.resource, r.asked, ceiling, held, moment);
        IF l.ceiling_on = 'total' AND by_ceiling > 0 AND r.asked <= c.min_per_minute THEN
            by_ceiling := least(by_ceiling, seconds_until_free(
                l.name, consumer, NULL, r.resource, r.asked, c.min_per_minute, held, moment));
        END IF;
        wait := greatest(wait, by_ceiling);
        IF lane = 'backfill' THEN
            -- Paced: at most two seconds' worth of the ceiling in any second, or one request where that is larger.
            wait := greatest(wait, seconds_until_free(l.name, consumer, 'backfill', r.resource, r.asked,
                greatest(2 * ceiling / 60, r.asked), 1, moment));
            -- And a fifth of the ceiling is left to live work while there is any.
            IF c.last_live_at > clock_timestamp() - interval '10 minutes' THEN
                wait := greatest(wait, seconds_until_free(l.name, consumer, 'backfill', r.resource, r.asked,
                    greatest(ceiling * 4 / 5, r.asked), held, moment));
            END IF;
        END IF;
    END LOOP;
    IF wait > 0 THEN
        RETURN wait;
    END IF;

    DELETE FROM rate_limit_slots AS s WHERE s.limit_name = l.name AND s.slot < floor((moment - held) * 10);
    INSERT INTO rate_limit_slots AS s VALUES (l.name, floor(moment * 10)::bigint, consumer, lane, requests, inputs, tokens)
    ON CONFLICT ON CONSTRAINT rate_limit_slots_pkey DO UPDATE SET
        requests = s.requests + excluded.requests, inputs = s.inputs + excluded.inputs, tokens = s.tokens + excluded.tokens;
    UPDATE rate_limits AS x SET last_used_at = clock_timestamp() WHERE x.name = l.name;
    IF lane = 'live' THEN
        UPDATE rate_limit_consumers AS x SET last_live_at = clock_timestamp()
        WHERE x.limit_name = l.name AND x.consumer = c.consumer;
    END IF;
    RETURN 0;
END $$;

-- What programs call: CALL embedding_assets.reserve(limit, consumer, lane, requests, inputs, tokens, NULL). wait_seconds comes back:
-- 0 means go, anything else means ask again after that. It commits by itself and so refuses to run inside a transaction: an open
-- one would hold the limit's row, and a rollback would erase a use that happened.
CREATE PROCEDURE reserve(
    limit_name text, consumer text, lane lane, requests integer, inputs integer, tokens integer,
    INOUT wait_seconds double precision
) LANGUAGE plpgsql AS $$
BEGIN
    -- A crash may forget the last half second; the last use of all is remembered apart, and the minute counts as full then.
    PERFORM set_config('synchronous_commit', 'off', true);
    wait_seconds := embedding_assets.take_from_limit(limit_name, consumer, lane, requests, inputs, tokens);
    COMMIT;
END $$;
