-- The shared limit learns: what a provider really takes, who of ours is waiting, what money is left.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- ---------------------------------------------------------------- tables

-- A provider that refuses (429) below the capacity it is said to have takes less than that: the part of it to be used from then on.
ALTER TABLE rate_limits
    ADD COLUMN lowered_to double precision CHECK (lowered_to > 0 AND lowered_to <= 1),
    ADD COLUMN lowered_at timestamptz,
    ADD COLUMN budgets    jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT lowered_has_a_time CHECK (num_nonnulls(lowered_to, lowered_at) IN (0, 2));

-- Which collection of ours used it; 0 for other programs.
ALTER TABLE rate_limit_slots
    ADD COLUMN collection_id integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT rate_limit_slots_pkey,
    ADD PRIMARY KEY (limit_name, slot, consumer, lane, collection_id);

-- Collections of one consumer that found no room and wait; those that share a limit divide it by weight.
CREATE UNLOGGED TABLE rate_limit_waiting (
    limit_name      text NOT NULL,
    consumer        text NOT NULL,
    collection_id   integer NOT NULL,
    lane            lane NOT NULL,
    waiting_at      timestamptz NOT NULL,
    PRIMARY KEY (limit_name, consumer, collection_id, lane)
) WITH (fillfactor = 50);

-- Nothing has written budgets before. `holder` is a collection's or a limit's name.
DROP TABLE budgets;
CREATE TABLE budgets (
    kind            text NOT NULL CHECK (kind IN ('collection', 'limit')),
    holder          text NOT NULL,
    period          text NOT NULL CHECK (period IN ('day', 'month')),
    starts_on       date NOT NULL,
    used_usd        numeric(16, 9) NOT NULL DEFAULT 0,
    used_tokens     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, holder, period, starts_on)
) WITH (fillfactor = 50);

ALTER TABLE collections
    -- Its name among those who draw on its limit.
    ADD COLUMN limit_consumer text,
    -- What its documents needed lately; null: not known yet.
    ADD COLUMN inputs_per_document double precision CHECK (inputs_per_document > 0);

-- ---------------------------------------------------------------- what is free

DROP PROCEDURE reserve;
DROP FUNCTION take_from_limit;
DROP FUNCTION seconds_until_free;

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

-- The part of a limit's capacity that is used: all of it, or, after the provider refused, what it was lowered to. It grows back with
-- the square of time, 0.5 % of capacity after a minute, all of it within a quarter of an hour: slowly where the provider's own limit
-- is near, quickly when the refusal was a passing one.
CREATE FUNCTION part_in_use(l rate_limits, moment double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN l.lowered_to IS NULL THEN 1
            ELSE least(1, l.lowered_to + 0.005 * power(greatest(moment - extract(epoch FROM l.lowered_at), 0) / 60, 2)) END;

-- One resource's size for one consumer at this moment: its capacity and the consumer's ceiling, lowered where the provider refused.
CREATE FUNCTION size_for(capacity integer, share double precision, part double precision) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN greatest(1, floor(capacity * share * part))::bigint;

-- What of one resource is free for a consumer at this moment; null where the limit does not bound it.
CREATE FUNCTION free_in_limit(l rate_limits, consumer text, resource text, capacity integer) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT greatest(0, least(
        embedding_assets.size_for(free_in_limit.capacity, 1, p.part) - used.everybody,
        embedding_assets.size_for(free_in_limit.capacity, c.share, p.part)
            - CASE (l).ceiling_on WHEN 'own' THEN used.own ELSE used.everybody END))
    FROM embedding_assets.rate_limit_consumers AS c
    CROSS JOIN LATERAL (
        SELECT embedding_assets.part_in_use(l, extract(epoch FROM clock_timestamp())::double precision) AS part) AS p
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(n.uses), 0)::bigint AS everybody,
               coalesce(sum(n.uses) FILTER (WHERE s.consumer = c.consumer), 0)::bigint AS own
        FROM embedding_assets.rate_limit_slots AS s
        CROSS JOIN LATERAL (SELECT CASE free_in_limit.resource WHEN 'requests' THEN s.requests WHEN 'inputs' THEN s.inputs
                                        ELSE s.tokens END AS uses) AS n
        WHERE s.limit_name = (l).name
          AND s.slot >= floor((extract(epoch FROM clock_timestamp()) - 60 - (l).skew_margin) * 10)) AS used
    WHERE c.limit_name = (l).name AND c.consumer = free_in_limit.consumer AND free_in_limit.capacity IS NOT NULL
$$;

-- Whether a collection of the same consumer waits that has used less of this resource in the window, for its weight, than this one
-- would have. Whoever waits with the least goes first; what nobody waits for is lent. Live work yields to live work only.
CREATE FUNCTION another_goes_first(
    limit_name text, consumer text, collection_id integer, lane lane, resource text, asked bigint,
    held_seconds double precision, moment double precision
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    WITH waiting AS (
        SELECT DISTINCT w.collection_id FROM embedding_assets.rate_limit_waiting AS w
        WHERE w.limit_name = another_goes_first.limit_name AND w.consumer = another_goes_first.consumer
          AND w.collection_id <> another_goes_first.collection_id
          -- Whoever waits asks again within a second or two; one that was killed is not waited for.
          AND extract(epoch FROM w.waiting_at) > moment - 4
          AND (w.lane = 'live' OR another_goes_first.lane = 'backfill')
    ), used AS (
        SELECT c.id, sum(CASE WHEN s.slot IS NULL THEN 0 WHEN resource = 'requests' THEN s.requests
                              WHEN resource = 'inputs' THEN s.inputs ELSE s.tokens END) AS used, c.weight
        FROM embedding_assets.collections AS c
        LEFT JOIN embedding_assets.rate_limit_slots AS s
            ON s.collection_id = c.id AND s.limit_name = another_goes_first.limit_name
           AND s.consumer = another_goes_first.consumer AND s.slot >= floor((moment - held_seconds) * 10)
        WHERE c.id = another_goes_first.collection_id OR c.id IN (SELECT w.collection_id FROM waiting AS w)
        GROUP BY c.id, c.weight
    )
    SELECT EXISTS (
        SELECT FROM used AS mine JOIN used AS others ON others.id <> mine.id
        WHERE mine.id = another_goes_first.collection_id
          AND (mine.used + asked) / mine.weight > (others.used + asked) / others.weight
    )
$$;

-- When a budget would be passed: the seconds until its period ends, and which it is; no row while there is money.
CREATE FUNCTION budget_in_the_way(kind text, holder text, budgets jsonb, tokens bigint, usd double precision)
RETURNS TABLE (wait double precision, about text)
LANGUAGE sql STABLE AS $$
    SELECT extract(epoch FROM (p.starts_on + p.length) - (clock_timestamp() AT TIME ZONE 'UTC'))::double precision,
           format('%s of %s %s', m.name, budget_in_the_way.kind, budget_in_the_way.holder)
    FROM (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date, interval '1 day'),
                 ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date, interval '1 month')
         ) AS p (period, starts_on, length)
    LEFT JOIN embedding_assets.budgets AS b
        ON b.kind = budget_in_the_way.kind AND b.holder = budget_in_the_way.holder
       AND b.period = p.period AND b.starts_on = p.starts_on
    CROSS JOIN LATERAL (
        VALUES ('max_usd_per_' || p.period, usd + coalesce(b.used_usd, 0)::double precision),
               ('max_tokens_per_' || p.period, (tokens + coalesce(b.used_tokens, 0))::double precision)
    ) AS m (name, would_be)
    WHERE m.would_be > (budget_in_the_way.budgets ->> m.name)::double precision
    ORDER BY 1 DESC LIMIT 1
$$;

-- Enter a use, or a correction of one, in the budgets that the holder has.
CREATE FUNCTION spend(kind text, holder text, budgets jsonb, tokens bigint, usd double precision) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO embedding_assets.budgets AS b (kind, holder, period, starts_on, used_usd, used_tokens)
    SELECT spend.kind, spend.holder, p.period, p.starts_on, greatest(usd, 0), greatest(tokens, 0)
    FROM (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date),
                 ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)) AS p (period, starts_on)
    WHERE spend.budgets <> '{}'
    ON CONFLICT ON CONSTRAINT budgets_pkey DO UPDATE SET
        used_usd = greatest(b.used_usd + spend.usd::numeric, 0), used_tokens = greatest(b.used_tokens + spend.tokens, 0)
$$;

-- ---------------------------------------------------------------- the rules of the limit, in one place

-- The window's rules for one resource, each with the seconds until it lets `asked` more pass.
CREATE FUNCTION waits_of(
    l rate_limits, c rate_limit_consumers, lane lane, resource text, asked bigint, capacity bigint, ceiling bigint,
    held double precision, moment double precision
) RETURNS TABLE (wait double precision, kind text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    by_ceiling double precision;
BEGIN
    RETURN QUERY SELECT embedding_assets.seconds_until_free(
        l.name, NULL, NULL, waits_of.resource, asked, capacity, held, moment), 'capacity';
    by_ceiling := embedding_assets.seconds_until_free(l.name, CASE l.ceiling_on WHEN 'own' THEN c.consumer END, NULL,
        waits_of.resource, asked, ceiling, held, moment);
    IF l.ceiling_on = 'total' AND by_ceiling > 0 AND asked <= c.min_per_minute THEN
        by_ceiling := least(by_ceiling, embedding_assets.seconds_until_free(
            l.name, c.consumer, NULL, waits_of.resource, asked, c.min_per_minute, held, moment));
    END IF;
    RETURN QUERY SELECT by_ceiling, 'ceiling';
    IF waits_of.lane = 'backfill' THEN
        -- Paced: at most two seconds' worth of the ceiling in any second, or one request where that is larger.
        RETURN QUERY SELECT embedding_assets.seconds_until_free(l.name, c.consumer, 'backfill', waits_of.resource, asked,
            greatest(2 * ceiling / 60, asked), 1, moment), 'pace';
        -- And a fifth of the ceiling is left to live work while there is any.
        IF extract(epoch FROM c.last_live_at) > moment - 600 THEN
            RETURN QUERY SELECT embedding_assets.seconds_until_free(l.name, c.consumer, 'backfill', waits_of.resource, asked,
                greatest(ceiling * 4 / 5, asked), held, moment), 'live_part';
        END IF;
    END IF;
END $$;

-- Whether a use may pass now: wait 0, or the seconds after which to ask again, and why: `blocked` (the provider asked to be left
-- alone), `restarted` (the minute before a restart counts as full), `capacity` (everybody's use), `ceiling` (ours), `pace` and
-- `live_part` (backfill), `turn` (a collection that shares the limit goes first). `about` is the resource.
-- Writes nothing. Whoever decides by it holds the limit's row (enter_use); anybody may look (a run before it claims).
CREATE FUNCTION look_at_limit(
    l rate_limits, consumer text, collection_id integer, lane lane, requests integer, inputs integer, tokens integer,
    OUT wait double precision, OUT kind text, OUT about text
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    c embedding_assets.rate_limit_consumers;
    r record;
    rule record;
    moment double precision := extract(epoch FROM clock_timestamp());
    -- A use is held for its minute and the margin: the request may reach the provider that much later than this.
    held double precision := 60 + l.skew_margin;
    part double precision := embedding_assets.part_in_use(l, moment);
BEGIN
    wait := 0;
    SELECT * INTO c FROM embedding_assets.rate_limit_consumers AS x
    WHERE x.limit_name = l.name AND x.consumer = look_at_limit.consumer;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'rate limit % has no consumer %', quote_literal(l.name), quote_literal(consumer)
            USING ERRCODE = 'no_data_found';
    END IF;
    IF extract(epoch FROM l.blocked_until) > moment THEN
        wait := extract(epoch FROM l.blocked_until) - moment;
        kind := 'blocked';
        RETURN;
    END IF;
    -- A crash empties the unlogged slots: then the minute that was in use counts as full.
    IF l.last_used_at < pg_postmaster_start_time() AND extract(epoch FROM l.last_used_at) + held > moment
       AND NOT EXISTS (SELECT FROM embedding_assets.rate_limit_slots AS s WHERE s.limit_name = l.name) THEN
        wait := extract(epoch FROM l.last_used_at) + held - moment;
        kind := 'restarted';
        RETURN;
    END IF;
    FOR r IN
        SELECT * FROM (VALUES ('requests', l.requests_per_minute, requests), ('inputs', l.inputs_per_minute, inputs),
                              ('tokens', l.tokens_per_minute, tokens)) AS v (resource, capacity, asked)
        WHERE capacity IS NOT NULL AND asked > 0
    LOOP
        IF r.asked > floor(c.share * r.capacity) THEN
            RAISE EXCEPTION '% % in one request can never pass: the ceiling of consumer % is % per minute', r.asked, r.resource,
                quote_literal(consumer), floor(c.share * r.capacity) USING ERRCODE = 'data_exception';
        END IF;
        -- A request larger than a lowered size passes alone.
        FOR rule IN SELECT * FROM embedding_assets.waits_of(
            l, c, lane, r.resource, r.asked, greatest(embedding_assets.size_for(r.capacity, 1, part), r.asked),
            greatest(embedding_assets.size_for(r.capacity, c.share, part), r.asked), held, moment)
        LOOP
            IF rule.wait > wait THEN
                wait := rule.wait;
                kind := rule.kind;
                about := r.resource;
            END IF;
        END LOOP;
        IF wait = 0 AND collection_id > 0 AND embedding_assets.another_goes_first(
            l.name, consumer, collection_id, lane, r.resource, r.asked, held, moment)
        THEN
            wait := 0.5;
            kind := 'turn';
            about := r.resource;
        END IF;
    END LOOP;
END $$;

-- Enter a use, or say how long to wait and for what (`budget` too); a refused one enters nothing. Time is the server's, read after
-- the limit's row is held, so that uses are entered in the order they are granted. `slot` names the use for a later correction.
-- Without a limit (limit_name null) only the collection's budget is asked.
CREATE FUNCTION enter_use(
    limit_name text, consumer text, collection_id integer, lane lane, requests integer, inputs integer, tokens integer,
    usd double precision, OUT wait double precision, OUT kind text, OUT about text, OUT slot bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    l rate_limits;
    owner collections;
BEGIN
    wait := 0;
    SELECT * INTO owner FROM collections AS x WHERE x.id = collection_id;
    IF limit_name IS NOT NULL THEN
        SELECT * INTO l FROM rate_limits AS x WHERE x.name = limit_name FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no rate limit %', quote_literal(limit_name) USING ERRCODE = 'no_data_found';
        END IF;
        SELECT x.wait, x.kind, x.about INTO wait, kind, about
        FROM look_at_limit(l, consumer, collection_id, lane, requests, inputs, tokens) AS x;
    END IF;
    slot := floor(extract(epoch FROM clock_timestamp()) * 10)::bigint;
    IF wait = 0 THEN
        SELECT b.wait, 'budget', b.about INTO wait, kind, about FROM (
            SELECT * FROM budget_in_the_way('collection', owner.name, owner.budgets, tokens, usd)
            UNION ALL SELECT * FROM budget_in_the_way('limit', l.name, l.budgets, tokens, usd)
        ) AS b ORDER BY b.wait DESC LIMIT 1;
        wait := coalesce(wait, 0);
    ELSIF collection_id > 0 AND kind IN ('capacity', 'ceiling', 'turn') THEN
        INSERT INTO rate_limit_waiting AS w VALUES (l.name, consumer, collection_id, lane, clock_timestamp())
        ON CONFLICT ON CONSTRAINT rate_limit_waiting_pkey DO UPDATE SET waiting_at = clock_timestamp()
        WHERE w.waiting_at < clock_timestamp() - interval '0.5 seconds';
    END IF;
    IF wait > 0 THEN
        RETURN;
    END IF;
    PERFORM spend('collection', owner.name, owner.budgets, tokens, usd);
    PERFORM spend('limit', l.name, l.budgets, tokens, usd);
    IF l.name IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM rate_limit_slots AS s WHERE s.limit_name = l.name AND s.slot < enter_use.slot - ceil((60 + l.skew_margin) * 10);
    INSERT INTO rate_limit_slots AS s VALUES (l.name, slot, consumer, lane, requests, inputs, tokens, collection_id)
    ON CONFLICT ON CONSTRAINT rate_limit_slots_pkey DO UPDATE SET
        requests = s.requests + excluded.requests, inputs = s.inputs + excluded.inputs, tokens = s.tokens + excluded.tokens;
    DELETE FROM rate_limit_waiting AS w WHERE w.limit_name = l.name AND w.consumer = enter_use.consumer
        AND w.collection_id = enter_use.collection_id AND w.lane = enter_use.lane;
    UPDATE rate_limits AS x SET last_used_at = clock_timestamp() WHERE x.name = l.name;
    IF lane = 'live' THEN
        UPDATE rate_limit_consumers AS x SET last_live_at = clock_timestamp()
        WHERE x.limit_name = l.name AND x.consumer = enter_use.consumer;
    END IF;
END $$;

-- The provider's own count of a use is known: its slot and the budgets are put right, even beyond the ceiling. `tokens` belongs to
-- the window, where a request that was sent stays sent; `spent_tokens` and `usd` to the budgets, which a refused one gives back.
CREATE FUNCTION correct_use(
    limit_name text, consumer text, collection_id integer, lane lane, slot bigint, tokens integer, spent_tokens bigint,
    usd double precision
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    PERFORM spend('collection', x.name, x.budgets, spent_tokens, usd) FROM collections AS x WHERE x.id = collection_id;
    PERFORM spend('limit', x.name, x.budgets, spent_tokens, usd) FROM rate_limits AS x WHERE x.name = limit_name;
    UPDATE rate_limit_slots AS s SET tokens = greatest(s.tokens + correct_use.tokens, 0)
    WHERE s.limit_name = correct_use.limit_name AND s.slot = correct_use.slot AND s.consumer = correct_use.consumer
      AND s.lane = correct_use.lane AND s.collection_id = correct_use.collection_id;
END $$;

-- What a role of another program may call through `reserve`, and nothing else.
CREATE FUNCTION take_from_limit(
    limit_name text, consumer text, lane lane, requests integer, inputs integer, tokens integer
) RETURNS double precision
LANGUAGE sql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
    SELECT wait FROM embedding_assets.enter_use(limit_name, consumer, 0, lane, requests, inputs, tokens, 0)
$$;

-- What programs call: CALL embedding_assets.reserve(limit, consumer, lane, requests, inputs, tokens, NULL). wait_seconds comes back:
-- 0 means go, anything else means ask again after that. It commits by itself and so refuses to run inside a transaction: an open
-- one would hold the limit's row, and a rollback would erase a use that happened.
CREATE PROCEDURE reserve(
    limit_name text, consumer text, lane lane, requests integer, inputs integer, tokens integer,
    INOUT wait_seconds double precision
) LANGUAGE plpgsql AS $$
BEGIN
    IF limit_name IS NULL THEN
        RAISE EXCEPTION 'the limit has no name' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- A crash may forget the last half second; the last use of all is remembered apart, and the minute counts as full then.
    PERFORM set_config('synchronous_commit', 'off', true);
    wait_seconds := embedding_assets.take_from_limit(limit_name, consumer, lane, requests, inputs, tokens);
    COMMIT;
END $$;

-- The same for a collection of ours: by weight among those that share the limit, within its budgets, and to be corrected later.
-- granted_after: seconds from the call's arrival to its slot, by which the caller tells how old the grant is when it has it.
CREATE PROCEDURE reserve_for_collection(
    limit_name text, consumer text, collection_id integer, lane lane, requests integer, inputs integer, tokens integer,
    usd double precision, INOUT wait_seconds double precision, INOUT kind text, INOUT about text, INOUT slot bigint,
    INOUT granted_after double precision
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT u.wait, u.kind, u.about, u.slot INTO wait_seconds, kind, about, slot
    FROM embedding_assets.enter_use(limit_name, consumer, collection_id, lane, requests, inputs, tokens, usd) AS u;
    granted_after := extract(epoch FROM clock_timestamp() - statement_timestamp());
    COMMIT;
END $$;

-- After a refusal: nobody's reserve passes for so long, and the limit is lowered to nine tenths of what was in use when the provider
-- refused, by half at the most; once for all the requests that were under way together.
CREATE FUNCTION provider_refused(limit_name text, seconds double precision) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    l rate_limits;
    moment double precision;
    used double precision;
BEGIN
    SELECT * INTO l FROM rate_limits AS x WHERE x.name = limit_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    moment := extract(epoch FROM clock_timestamp());
    IF coalesce(extract(epoch FROM l.blocked_until) <= moment, true)
       AND coalesce(extract(epoch FROM l.lowered_at) <= moment - 1, true) THEN
        SELECT max(v.used / v.capacity) INTO used FROM (
            SELECT sum(u.used)::double precision, u.capacity FROM rate_limit_slots AS s CROSS JOIN LATERAL (
                VALUES ('requests', s.requests, l.requests_per_minute), ('inputs', s.inputs, l.inputs_per_minute),
                       ('tokens', s.tokens, l.tokens_per_minute)
            ) AS u (resource, used, capacity)
            WHERE s.limit_name = l.name AND s.slot >= floor((moment - 60) * 10) AND u.capacity IS NOT NULL
            GROUP BY u.resource, u.capacity
        ) AS v (used, capacity);
        l.lowered_to := greatest(0.02, part_in_use(l, moment) / 2, 0.9 * least(part_in_use(l, moment), coalesce(used, 0)));
        l.lowered_at := clock_timestamp();
    END IF;
    UPDATE rate_limits AS x SET lowered_to = l.lowered_to, lowered_at = l.lowered_at,
        blocked_until = greatest(x.blocked_until, clock_timestamp() + make_interval(secs => seconds))
    WHERE x.name = l.name;
END $$;

-- PUBLIC may execute new functions unless told otherwise; a role that may only search must not use the limit up.
REVOKE ALL ON FUNCTION enter_use, correct_use, take_from_limit, provider_refused, spend FROM PUBLIC;
REVOKE ALL ON PROCEDURE reserve, reserve_for_collection FROM PUBLIC;
