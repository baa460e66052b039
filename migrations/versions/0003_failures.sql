-- Failures end where they should: a budget that refused is not asked again and again, a circuit is probed ever more rarely, a person
-- is told of an escalation once.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- ---------------------------------------------------------------- columns

-- The least a budget refused in its period: until that fits, nothing is claimed that it would refuse again.
ALTER TABLE budgets
    ADD COLUMN refused_tokens bigint,
    ADD COLUMN refused_usd    numeric(16, 9),
    ADD CONSTRAINT a_refusal_is_whole CHECK (num_nonnulls(refused_tokens, refused_usd) IN (0, 2));

-- How often it was tried whether the fault is over; the wait before the next try grows with it.
ALTER TABLE circuits ADD COLUMN probes integer NOT NULL DEFAULT 0 CHECK (probes >= 0);

-- When somebody was told of this escalation; a new episode starts untold.
ALTER TABLE failed_documents ADD COLUMN notified_at timestamptz;
CREATE INDEX failed_documents_untold ON failed_documents (collection_id, document_key)
    WHERE status = 'escalated' AND notified_at IS NULL;

-- ---------------------------------------------------------------- budgets

-- The seconds until a budget's period ends that would refuse again what it refused last, and which it is; no row while there is money.
CREATE FUNCTION budget_used_up(kind text, holder text, budgets jsonb) RETURNS TABLE (wait double precision, about text)
LANGUAGE sql STABLE AS $$
    SELECT w.wait, w.about
    FROM (SELECT coalesce(min(b.refused_tokens), 1) AS tokens, coalesce(min(b.refused_usd), 0)::double precision AS usd
          FROM embedding_assets.budgets AS b
          WHERE b.kind = budget_used_up.kind AND b.holder = budget_used_up.holder
            AND b.starts_on IN ((clock_timestamp() AT TIME ZONE 'UTC')::date,
                                date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)
         ) AS refused
    CROSS JOIN LATERAL embedding_assets.budget_in_the_way(kind, holder, budgets, refused.tokens, refused.usd) AS w
$$;

-- Keep the least that the budgets of a holder refused in their current periods.
CREATE FUNCTION remember_refusal(kind text, holder text, budgets jsonb, tokens bigint, usd double precision) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO embedding_assets.budgets AS b (kind, holder, period, starts_on, refused_tokens, refused_usd)
    SELECT remember_refusal.kind, remember_refusal.holder, p.period, p.starts_on, tokens, greatest(usd, 0)
    FROM (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date),
                 ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)) AS p (period, starts_on)
    WHERE remember_refusal.budgets <> '{}'
    ON CONFLICT ON CONSTRAINT budgets_pkey DO UPDATE SET
        refused_tokens = least(b.refused_tokens, excluded.refused_tokens),
        refused_usd = least(b.refused_usd, excluded.refused_usd)
$$;

-- As before, and what a budget refused is remembered: the one thing that a refused use writes.
CREATE OR REPLACE FUNCTION enter_use(
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
        IF wait > 0 THEN
            PERFORM remember_refusal('collection', owner.name, owner.budgets, tokens, usd);
            PERFORM remember_refusal('limit', l.name, l.budgets, tokens, usd);
        END IF;
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

REVOKE ALL ON FUNCTION remember_refusal FROM PUBLIC;
