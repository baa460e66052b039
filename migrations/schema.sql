-- The schema after every migration, made by `make schema`; do not edit. Reasons stand in the migrations.
-- Not here: the tables of vectors, one for each collection and model, made when a collection first runs.

CREATE SCHEMA embedding_assets;

CREATE TYPE embedding_assets.lane AS ENUM (
    'live',
    'backfill'
);

CREATE FUNCTION embedding_assets.another_goes_first(limit_name text, consumer text, collection_id integer, lane embedding_assets.lane, resource text, asked bigint, held_seconds double precision, moment double precision) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
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

CREATE FUNCTION embedding_assets.append_all(collection_id integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
#variable_conflict use_variable
BEGIN
    IF may_use('arrivals_aside') THEN
        INSERT INTO arrivals_aside (collection_id, changed_at) VALUES (collection_id, clock_timestamp());
    ELSE
        RAISE WARNING 'embedding_assets: that all rows are gone could not be told; the next poll of the source finds it';
    END IF;
END $$;

CREATE FUNCTION embedding_assets.append_arrivals(collection_id integer, collection text, document_keys text[], changed_at timestamp with time zone, not_before timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
#variable_conflict use_variable
BEGIN
    IF collection_id IS NOT NULL AND may_use('work_arrivals') THEN
        INSERT INTO work_arrivals (collection_id, document_key, changed_at, not_before)
        SELECT collection_id, k.document_key, changed_at, not_before FROM unnest(document_keys) AS k (document_key)
        WHERE octet_length(k.document_key) BETWEEN 1 AND 2000;
    ELSIF may_use('arrivals_aside') THEN
        INSERT INTO arrivals_aside (collection_id, collection, document_key, changed_at, not_before)
        SELECT collection_id, CASE WHEN collection_id IS NULL THEN collection END, k.document_key, changed_at, not_before
        FROM unnest(document_keys) AS k (document_key)
        WHERE octet_length(k.document_key) BETWEEN 1 AND 2000;
    ELSE
        RAISE WARNING 'embedding_assets: % changes could not be told; the next poll of the source finds them',
            cardinality(document_keys);
    END IF;
END $$;

CREATE FUNCTION embedding_assets.budget_in_the_way(kind text, holder text, budgets jsonb, tokens bigint, usd double precision) RETURNS TABLE(wait double precision, about text)
    LANGUAGE sql STABLE
    AS $$
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

CREATE FUNCTION embedding_assets.budget_used_up(kind text, holder text, budgets jsonb) RETURNS TABLE(wait double precision, about text)
    LANGUAGE sql STABLE
    AS $$
    SELECT w.wait, w.about
    FROM (SELECT coalesce(min(b.refused_tokens), 1) AS tokens, coalesce(min(b.refused_usd), 0)::double precision AS usd
          FROM embedding_assets.budgets AS b
          WHERE b.kind = budget_used_up.kind AND b.holder = budget_used_up.holder
            AND b.starts_on IN ((clock_timestamp() AT TIME ZONE 'UTC')::date,
                                date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)
         ) AS refused
    CROSS JOIN LATERAL embedding_assets.budget_in_the_way(kind, holder, budgets, refused.tokens, refused.usd) AS w
$$;

CREATE FUNCTION embedding_assets.correct_use(limit_name text, consumer text, collection_id integer, lane embedding_assets.lane, slot bigint, tokens integer, spent_tokens bigint, usd double precision) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
#variable_conflict use_variable
BEGIN
    PERFORM spend('collection', x.name, x.budgets, spent_tokens, usd) FROM collections AS x WHERE x.id = collection_id;
    PERFORM spend('limit', x.name, x.budgets, spent_tokens, usd) FROM rate_limits AS x WHERE x.name = limit_name;
    UPDATE rate_limit_slots AS s SET tokens = greatest(s.tokens + correct_use.tokens, 0)
    WHERE s.limit_name = correct_use.limit_name AND s.slot = correct_use.slot AND s.consumer = correct_use.consumer
      AND s.lane = correct_use.lane AND s.collection_id = correct_use.collection_id;
END $$;

CREATE FUNCTION embedding_assets.count_deletion() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, delta)
    VALUES ('tracked', NEW.collection_id, CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END);
    RETURN NULL;
END $$;

CREATE FUNCTION embedding_assets.count_lane_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    VALUES ('queued', OLD.collection_id, OLD.lane, -1), ('queued', NEW.collection_id, NEW.lane, 1);
    RETURN NULL;
END $$;

CREATE FUNCTION embedding_assets.count_queued() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    SELECT 'queued', c.collection_id, c.lane, count(*) * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END
    FROM changed AS c GROUP BY c.collection_id, c.lane;
    RETURN NULL;
END $$;

CREATE FUNCTION embedding_assets.count_tracked() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, delta)
    SELECT 'tracked', c.collection_id, count(*) * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END
    FROM changed AS c WHERE c.deleted_at IS NULL GROUP BY c.collection_id;
    RETURN NULL;
END $$;

CREATE FUNCTION embedding_assets.enqueue(collection text, document_key text, changed_at timestamp with time zone DEFAULT clock_timestamp()) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
    SELECT embedding_assets.enqueue_many(collection, ARRAY[document_key], changed_at)
$$;

CREATE FUNCTION embedding_assets.enqueue_many(collection text, document_keys text[], changed_at timestamp with time zone DEFAULT clock_timestamp()) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
#variable_conflict use_variable
DECLARE
    found_id integer;
    polled_at timestamptz;
    wrong text;
BEGIN
    IF collection IS NULL OR document_keys IS NULL THEN
        RAISE EXCEPTION 'enqueue needs a collection and a document_key, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT coalesce(left(quote_nullable(k.key), 60), '') INTO wrong FROM unnest(document_keys) AS k (key)
    WHERE (octet_length(k.key) BETWEEN 1 AND 2000) IS NOT TRUE LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a document_key has 1 to 2,000 bytes, and % has not', wrong USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF may_use('collections') THEN
        SELECT c.id, c.last_poll_at INTO found_id, polled_at FROM collections AS c WHERE c.name = collection;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no collection %: embedding-assets collections list shows them', quote_literal(collection)
                USING ERRCODE = 'no_data_found';
        END IF;
    END IF;
    PERFORM append_arrivals(found_id, collection, document_keys, least(coalesce(changed_at, clock_timestamp()), clock_timestamp()),
        polled_at);
END $$;

CREATE FUNCTION embedding_assets.enter_use(limit_name text, consumer text, collection_id integer, lane embedding_assets.lane, requests integer, inputs integer, tokens integer, usd double precision, OUT wait double precision, OUT kind text, OUT about text, OUT slot bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
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

CREATE FUNCTION embedding_assets.forget_arrivals() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM work_arrivals AS a WHERE a.collection_id = old.id;
    DELETE FROM arrivals_aside AS a WHERE a.collection_id = old.id OR a.collection = old.name;
    RETURN NULL;
END $$;

CREATE TABLE embedding_assets.rate_limits (
    name text NOT NULL,
    requests_per_minute integer,
    inputs_per_minute integer,
    tokens_per_minute integer,
    ceiling_on text DEFAULT 'own'::text NOT NULL,
    skew_margin double precision DEFAULT 0.3 NOT NULL,
    blocked_until timestamp with time zone,
    last_used_at timestamp with time zone,
    lowered_to double precision,
    lowered_at timestamp with time zone,
    budgets jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT lowered_has_a_time CHECK ((num_nonnulls(lowered_to, lowered_at) = ANY (ARRAY[0, 2]))),
    CONSTRAINT rate_limits_ceiling_on_check CHECK ((ceiling_on = ANY (ARRAY['own'::text, 'total'::text]))),
    CONSTRAINT rate_limits_check CHECK ((num_nonnulls(requests_per_minute, inputs_per_minute, tokens_per_minute) > 0)),
    CONSTRAINT rate_limits_inputs_per_minute_check CHECK ((inputs_per_minute > 0)),
    CONSTRAINT rate_limits_lowered_to_check CHECK (((lowered_to > (0)::double precision) AND (lowered_to <= (1)::double precision))),
    CONSTRAINT rate_limits_requests_per_minute_check CHECK ((requests_per_minute > 0)),
    CONSTRAINT rate_limits_skew_margin_check CHECK ((skew_margin >= (0)::double precision)),
    CONSTRAINT rate_limits_tokens_per_minute_check CHECK ((tokens_per_minute > 0))
)
WITH (fillfactor='50');

CREATE FUNCTION embedding_assets.free_in_limit(l embedding_assets.rate_limits, consumer text, resource text, capacity integer) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
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

CREATE FUNCTION embedding_assets.lacking_documents(collection_id integer, active_model_id integer, building_model_id integer) RETURNS TABLE(document_key text, version bigint, chunker_fingerprint text, chunks integer)
    LANGUAGE sql STABLE
    AS $$
    SELECT p.document_key, p.version, p.chunker_fingerprint, p.chunks
    FROM embedding_assets.publications AS p
    WHERE p.collection_id = lacking_documents.collection_id AND p.model_id = lacking_documents.active_model_id
      AND p.version IS DISTINCT FROM (
          SELECT b.version FROM embedding_assets.publications AS b
          WHERE b.collection_id = p.collection_id AND b.model_id = lacking_documents.building_model_id
            AND b.document_key = p.document_key AND b.chunker_fingerprint = p.chunker_fingerprint)
$$;

CREATE FUNCTION embedding_assets.line_of(collection_id integer, shard integer, lane embedding_assets.lane) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((collection_id * 32) + (shard * 2)) + CASE lane WHEN 'live'::embedding_assets.lane THEN 0 ELSE 1 END);

CREATE FUNCTION embedding_assets.look_at_limit(l embedding_assets.rate_limits, consumer text, collection_id integer, lane embedding_assets.lane, requests integer, inputs integer, tokens integer, OUT wait double precision, OUT kind text, OUT about text) RETURNS record
    LANGUAGE plpgsql STABLE
    AS $$
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

CREATE FUNCTION embedding_assets.may_use(relation text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    CASE relation
        WHEN 'work_arrivals' THEN LOCK TABLE ONLY embedding_assets.work_arrivals IN ROW EXCLUSIVE MODE NOWAIT;
        WHEN 'arrivals_aside' THEN LOCK TABLE ONLY embedding_assets.arrivals_aside IN ROW EXCLUSIVE MODE NOWAIT;
        ELSE LOCK TABLE ONLY embedding_assets.collections IN ACCESS SHARE MODE NOWAIT;
    END CASE;
    RETURN true;
EXCEPTION WHEN lock_not_available OR undefined_table OR insufficient_privilege THEN
    RETURN false;
END $$;

CREATE FUNCTION embedding_assets.move_use(limit_name text, consumer text, collection_id integer, lane embedding_assets.lane, slot bigint, inputs integer, tokens integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
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

CREATE FUNCTION embedding_assets.nearest_by_index(embeddings regclass, distance_operator text, query text, condition text, k integer) RETURNS TABLE(input_hash bytea, distance double precision)
    LANGUAGE plpgsql STABLE
    SET "hnsw.iterative_scan" TO 'strict_order'
    SET "hnsw.ef_search" TO '100'
    SET enable_sort TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
    SET enable_seqscan TO 'off'
    AS $_$
BEGIN
    IF k > 100 THEN
        PERFORM set_config('hnsw.ef_search', least(k, 1000)::text, true);
    END IF;
    RETURN QUERY EXECUTE format($q$
        SELECT e.input_hash, (e.embedding %2$s %3$L)::float8 FROM %1$s AS e
        WHERE EXISTS (
            SELECT FROM embedding_assets.searchable_chunks AS s WHERE s.input_hash = e.input_hash AND %4$s)
        ORDER BY e.embedding %2$s %3$L LIMIT %5$s
    $q$, embeddings, distance_operator, query, condition, k);
END $_$;

CREATE FUNCTION embedding_assets.nearest_exact(embeddings regclass, distance_operator text, query text, condition text, k integer) RETURNS TABLE(input_hash bytea, distance double precision)
    LANGUAGE plpgsql STABLE
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format($q$
        WITH candidates AS (
            SELECT DISTINCT s.input_hash FROM embedding_assets.searchable_chunks AS s WHERE %4$s
        ), measured AS MATERIALIZED (
            SELECT e.input_hash, (e.embedding %2$s %3$L)::float8 AS distance
            FROM %1$s AS e JOIN candidates USING (input_hash)
        )
        SELECT m.input_hash, m.distance FROM measured AS m ORDER BY m.distance, m.input_hash LIMIT %5$s
    $q$, embeddings, distance_operator, query, condition, k);
END $_$;

CREATE FUNCTION embedding_assets.part_in_use(l embedding_assets.rate_limits, moment double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ((l).lowered_to IS NULL) THEN (1)::double precision ELSE LEAST((1)::double precision, ((l).lowered_to + ((0.005)::double precision * power((GREATEST((moment - (EXTRACT(epoch FROM (l).lowered_at))::double precision), (0)::double precision) / (60)::double precision), (2)::double precision)))) END;

CREATE FUNCTION embedding_assets.provider_refused(limit_name text, seconds double precision) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
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

CREATE FUNCTION embedding_assets.remember_refusal(kind text, holder text, budgets jsonb, tokens bigint, usd double precision) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO embedding_assets.budgets AS b (kind, holder, period, starts_on, refused_tokens, refused_usd)
    SELECT remember_refusal.kind, remember_refusal.holder, p.period, p.starts_on, tokens, greatest(usd, 0)
    FROM (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date),
                 ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)) AS p (period, starts_on)
    WHERE remember_refusal.budgets <> '{}'
    ON CONFLICT ON CONSTRAINT budgets_pkey DO UPDATE SET
        refused_tokens = least(b.refused_tokens, excluded.refused_tokens),
        refused_usd = least(b.refused_usd, excluded.refused_usd)
$$;

CREATE PROCEDURE embedding_assets.reserve(IN limit_name text, IN consumer text, IN lane embedding_assets.lane, IN requests integer, IN inputs integer, IN tokens integer, INOUT wait_seconds double precision)
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF limit_name IS NULL THEN
        RAISE EXCEPTION 'the limit has no name' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- A crash may forget the last half second; the last use of all is remembered apart, and the minute counts as full then.
    PERFORM set_config('synchronous_commit', 'off', true);
    wait_seconds := embedding_assets.take_from_limit(limit_name, consumer, lane, requests, inputs, tokens);
    COMMIT;
END $$;

CREATE PROCEDURE embedding_assets.reserve_for_collection(IN limit_name text, IN consumer text, IN collection_id integer, IN lane embedding_assets.lane, IN requests integer, IN inputs integer, IN tokens integer, IN usd double precision, INOUT wait_seconds double precision, INOUT kind text, INOUT about text, INOUT slot bigint, INOUT granted_after double precision)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_variable
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT u.wait, u.kind, u.about, u.slot INTO wait_seconds, kind, about, slot
    FROM embedding_assets.enter_use(limit_name, consumer, collection_id, lane, requests, inputs, tokens, usd) AS u;
    granted_after := extract(epoch FROM clock_timestamp() - statement_timestamp());
    COMMIT;
END $$;

CREATE FUNCTION embedding_assets.search(collection text, query_vector public.vector, k integer DEFAULT 10, filter jsonb DEFAULT '{}'::jsonb, exact_below integer DEFAULT 10000) RETURNS TABLE(score double precision, document_key text, version bigint, ordinal integer, content text, start_char integer, end_char integer, title text, uri text, metadata jsonb, headings text[], locations jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
#variable_conflict use_column
DECLARE
    c record;
    embeddings regclass;
    operator text;
    condition text;
    candidates bigint := 0;
    hashes bytea[];
    distances double precision[];
BEGIN
    SELECT col.id, col.active_model_id, m.dimensions, m.distance INTO c
    FROM embedding_assets.collections AS col JOIN embedding_assets.models AS m ON m.id = col.active_model_id
    WHERE col.name = search.collection;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no collection %', quote_literal(search.collection)
            USING HINT = 'SELECT name FROM embedding_assets.collections lists them', ERRCODE = 'no_data_found';
    END IF;
    IF vector_dims(query_vector) <> c.dimensions THEN
        RAISE EXCEPTION 'the query has % dimensions and the model of collection % has %',
            vector_dims(query_vector), search.collection, c.dimensions USING ERRCODE = 'data_exception';
    END IF;
    IF c.distance = 'cosine' AND vector_norm(query_vector) = 0 THEN
        RAISE EXCEPTION 'the query vector is zero: it has no direction to compare' USING ERRCODE = 'data_exception';
    END IF;
    embeddings := to_regclass(format('embedding_assets.embeddings_%s_%s', c.id, c.active_model_id));
    operator := CASE c.distance WHEN 'cosine' THEN '<=>' WHEN 'ip' THEN '<#>' ELSE '<->' END;
    condition := embedding_assets.searchable_where(c.id, c.active_model_id, filter);
    IF embeddings IS NULL OR k < 1 THEN
        RETURN;
    END IF;

    IF to_regclass(format('embedding_assets.embeddings_%s_%s_hnsw', c.id, c.active_model_id)) IS NOT NULL THEN
        -- Without a filter the chunks alone tell, from their index.
        EXECUTE format('SELECT count(*) FROM (SELECT FROM embedding_assets.%s AS s WHERE %s LIMIT %s) AS n',
                       CASE WHEN filter = '{}' THEN 'chunks' ELSE 'searchable_chunks' END, condition, exact_below)
        INTO candidates;
        IF candidates >= exact_below THEN
            SELECT array_agg(n.input_hash ORDER BY n.distance), array_agg(n.distance ORDER BY n.distance)
            INTO hashes, distances
            FROM embedding_assets.nearest_by_index(embeddings, operator, query_vector::text, condition, k) AS n;
        END IF;
    END IF;
    IF coalesce(cardinality(hashes), 0) < k THEN
        SELECT array_agg(n.input_hash ORDER BY n.distance, n.input_hash),
               array_agg(n.distance ORDER BY n.distance, n.input_hash)
        INTO hashes, distances
        FROM embedding_assets.nearest_exact(embeddings, operator, query_vector::text, condition, k) AS n;
    END IF;

    RETURN QUERY EXECUTE format($q$
        WITH places AS (
            SELECT n.place, n.distance, s.*,
                   row_number() OVER (PARTITION BY n.place ORDER BY s.document_key, s.ordinal) AS turn
            FROM unnest($1, $2) WITH ORDINALITY AS n (input_hash, distance, place)
            JOIN embedding_assets.searchable_chunks AS s USING (input_hash)
            WHERE %s
        ), others AS (
            SELECT p.place, jsonb_agg(jsonb_build_object(
                'document_key', p.document_key, 'ordinal', p.ordinal, 'start_char', p.start_char, 'end_char', p.end_char,
                'title', p.title, 'uri', p.uri, 'headings', coalesce(p.headings, ARRAY[]::text[])) ORDER BY p.turn) AS locations
            FROM places AS p WHERE p.turn > 1 GROUP BY p.place
        )
        SELECT CASE WHEN $3 THEN 1 - p.distance ELSE -p.distance END,
               p.document_key, p.version, p.ordinal, p.content, p.start_char, p.end_char, p.title, p.uri, p.metadata, coalesce(p.headings, ARRAY[]::text[]),
               coalesce(o.locations, '[]'::jsonb)
        FROM places AS p LEFT JOIN others AS o USING (place)
        WHERE p.turn = 1 ORDER BY p.place
    $q$, condition) USING hashes, distances, c.distance = 'cosine';
END $_$;

CREATE FUNCTION embedding_assets.searchable_where(collection_id integer, model_id integer, filter jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (format('s.collection_id = %s AND s.model_id = %s'::text, collection_id, model_id) || CASE WHEN (filter = '{}'::jsonb) THEN ''::text ELSE format(' AND s.metadata @> %L::jsonb'::text, filter) END);

CREATE FUNCTION embedding_assets.seconds_until_free(limit_name text, consumer text, lane embedding_assets.lane, resource text, asked bigint, most bigint, held_seconds double precision, moment double precision) RETURNS double precision
    LANGUAGE sql STABLE
    AS $$
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

CREATE FUNCTION embedding_assets.shard_of(document_key text) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ((get_byte(decode(md5(document_key), 'hex'::text), 3) % 16))::smallint;

CREATE FUNCTION embedding_assets.size_for(capacity integer, share double precision, part double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN (GREATEST((1)::double precision, floor((((capacity)::double precision * share) * part))))::bigint;

CREATE FUNCTION embedding_assets.spend(kind text, holder text, budgets jsonb, tokens bigint, usd double precision) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO embedding_assets.budgets AS b (kind, holder, period, starts_on, used_usd, used_tokens)
    SELECT spend.kind, spend.holder, p.period, p.starts_on, greatest(usd, 0), greatest(tokens, 0)
    FROM (VALUES ('day', (clock_timestamp() AT TIME ZONE 'UTC')::date),
                 ('month', date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)) AS p (period, starts_on)
    WHERE spend.budgets <> '{}'
    ON CONFLICT ON CONSTRAINT budgets_pkey DO UPDATE SET
        used_usd = greatest(b.used_usd + spend.usd::numeric, 0), used_tokens = greatest(b.used_tokens + spend.tokens, 0)
$$;

CREATE FUNCTION embedding_assets.take_from_limit(limit_name text, consumer text, lane embedding_assets.lane, requests integer, inputs integer, tokens integer) RETURNS double precision
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'embedding_assets', 'pg_temp'
    AS $$
    SELECT wait FROM embedding_assets.enter_use(limit_name, consumer, 0, lane, requests, inputs, tokens, 0)
$$;

CREATE TABLE embedding_assets.rate_limit_consumers (
    limit_name text NOT NULL,
    consumer text NOT NULL,
    share double precision DEFAULT 1 NOT NULL,
    min_per_minute integer DEFAULT 0 NOT NULL,
    last_live_at timestamp with time zone,
    CONSTRAINT rate_limit_consumers_min_per_minute_check CHECK ((min_per_minute >= 0)),
    CONSTRAINT rate_limit_consumers_share_check CHECK (((share > (0)::double precision) AND (share <= (1)::double precision)))
);

CREATE FUNCTION embedding_assets.waits_of(l embedding_assets.rate_limits, c embedding_assets.rate_limit_consumers, lane embedding_assets.lane, resource text, asked bigint, capacity bigint, ceiling bigint, held double precision, moment double precision) RETURNS TABLE(wait double precision, kind text)
    LANGUAGE plpgsql STABLE
    AS $$
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
        -- Whoever waits asks again within a second or two; one that was killed is not waited for.
        IF EXISTS (SELECT FROM embedding_assets.rate_limit_waiting AS w
                   WHERE w.limit_name = l.name AND w.consumer = c.consumer AND w.lane = 'live'
                     AND extract(epoch FROM w.waiting_at) > moment - 4)
        THEN
            RETURN QUERY SELECT least(0.5, embedding_assets.seconds_until_free(l.name, c.consumer, 'backfill', waits_of.resource,
                asked, greatest(ceiling / 20, asked), held, moment)), 'live_part';
        END IF;
    END IF;
END $$;

CREATE TABLE embedding_assets.arrivals_aside (
    id bigint NOT NULL,
    collection_id integer,
    collection text,
    document_key text,
    changed_at timestamp with time zone NOT NULL,
    not_before timestamp with time zone,
    enqueued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT an_arrival_has_a_collection CHECK ((num_nonnulls(collection_id, collection) = 1))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='200', vacuum_truncate=off);

ALTER TABLE embedding_assets.arrivals_aside ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.arrivals_aside_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.budgets (
    kind text NOT NULL,
    holder text NOT NULL,
    period text NOT NULL,
    starts_on date NOT NULL,
    used_usd numeric(16,9) DEFAULT 0 NOT NULL,
    used_tokens bigint DEFAULT 0 NOT NULL,
    refused_tokens bigint,
    refused_usd numeric(16,9),
    CONSTRAINT a_refusal_is_whole CHECK ((num_nonnulls(refused_tokens, refused_usd) = ANY (ARRAY[0, 2]))),
    CONSTRAINT budgets_kind_check CHECK ((kind = ANY (ARRAY['collection'::text, 'limit'::text]))),
    CONSTRAINT budgets_period_check CHECK ((period = ANY (ARRAY['day'::text, 'month'::text])))
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.chunks (
    collection_id integer NOT NULL,
    model_id integer NOT NULL,
    document_key text NOT NULL,
    version bigint NOT NULL,
    ordinal integer NOT NULL,
    content text NOT NULL,
    start_char integer NOT NULL,
    end_char integer NOT NULL,
    token_count integer NOT NULL,
    input_hash bytea NOT NULL,
    headings text[],
    CONSTRAINT chunks_check CHECK ((end_char > start_char)),
    CONSTRAINT chunks_input_hash_check CHECK ((octet_length(input_hash) = 32)),
    CONSTRAINT chunks_ordinal_check CHECK ((ordinal >= 0)),
    CONSTRAINT chunks_start_char_check CHECK ((start_char >= 0)),
    CONSTRAINT chunks_token_count_check CHECK ((token_count >= 0))
);

CREATE TABLE embedding_assets.circuits (
    provider text NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    probe_after timestamp with time zone NOT NULL,
    probes integer DEFAULT 0 NOT NULL,
    CONSTRAINT circuits_probes_check CHECK ((probes >= 0))
);

CREATE TABLE embedding_assets.collections (
    id integer NOT NULL,
    name text NOT NULL,
    owner text DEFAULT ''::text NOT NULL,
    source jsonb NOT NULL,
    chunking jsonb NOT NULL,
    chunker_fingerprint text NOT NULL,
    active_model_id integer NOT NULL,
    building_model_id integer,
    limit_name text,
    budgets jsonb DEFAULT '{}'::jsonb NOT NULL,
    weight double precision DEFAULT 1 NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    freshness_seconds double precision DEFAULT 3600 NOT NULL,
    tracked_since timestamp with time zone,
    last_poll_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    limit_consumer text,
    inputs_per_document double precision,
    active_options jsonb DEFAULT '{}'::jsonb NOT NULL,
    building_options jsonb,
    source_cursor text,
    last_listed_at timestamp with time zone,
    withheld_deletions integer DEFAULT 0 NOT NULL,
    paused_since timestamp with time zone,
    removing text,
    CONSTRAINT a_build_is_whole CHECK (((building_model_id IS NULL) = (building_options IS NULL))),
    CONSTRAINT collections_check CHECK ((building_model_id <> active_model_id)),
    CONSTRAINT collections_freshness_seconds_check CHECK ((freshness_seconds > (0)::double precision)),
    CONSTRAINT collections_inputs_per_document_check CHECK ((inputs_per_document > (0)::double precision)),
    CONSTRAINT collections_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,40}$'::text)),
    CONSTRAINT collections_weight_check CHECK ((weight > (0)::double precision)),
    CONSTRAINT collections_withheld_deletions_check CHECK ((withheld_deletions >= 0))
);

ALTER TABLE embedding_assets.collections ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.collections_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.count_deltas (
    id bigint NOT NULL,
    what text NOT NULL,
    collection_id integer NOT NULL,
    lane embedding_assets.lane,
    delta bigint NOT NULL,
    CONSTRAINT count_deltas_check CHECK (((lane IS NOT NULL) = (what = 'queued'::text))),
    CONSTRAINT count_deltas_what_check CHECK ((what = ANY (ARRAY['queued'::text, 'tracked'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

ALTER TABLE embedding_assets.count_deltas ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.count_deltas_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.daily_stats (
    day date NOT NULL,
    name text NOT NULL,
    labels text[] NOT NULL,
    value double precision NOT NULL,
    written_at timestamp with time zone NOT NULL
);

CREATE TABLE embedding_assets.documents (
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    shard smallint GENERATED ALWAYS AS (embedding_assets.shard_of(document_key)) STORED NOT NULL,
    version bigint NOT NULL,
    content text NOT NULL,
    content_hash bytea NOT NULL,
    title text DEFAULT ''::text NOT NULL,
    uri text DEFAULT ''::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    source_updated_at timestamp with time zone,
    fetched_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT documents_content_hash_check CHECK ((octet_length(content_hash) = 32))
);

CREATE TABLE embedding_assets.failed_attempts (
    id bigint NOT NULL,
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    episode integer NOT NULL,
    attempt integer NOT NULL,
    failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stage text NOT NULL,
    failure_class text NOT NULL,
    error_type text NOT NULL,
    message text NOT NULL,
    provider_status integer,
    run_id text NOT NULL,
    duration interval
);

ALTER TABLE embedding_assets.failed_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.failed_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.failed_documents (
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    status text NOT NULL,
    failure_class text NOT NULL,
    error_type text NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    episode integer DEFAULT 1 NOT NULL,
    lane embedding_assets.lane NOT NULL,
    first_failed_at timestamp with time zone NOT NULL,
    last_failed_at timestamp with time zone NOT NULL,
    next_retry_at timestamp with time zone,
    resolved_at timestamp with time zone,
    notified_at timestamp with time zone,
    since_generation bigint DEFAULT 0 NOT NULL,
    CONSTRAINT an_end_has_a_time CHECK (((status = ANY (ARRAY['resolved'::text, 'dismissed'::text])) = (resolved_at IS NOT NULL))),
    CONSTRAINT failed_documents_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT failed_documents_status_check CHECK ((status = ANY (ARRAY['retrying'::text, 'queued'::text, 'escalated'::text, 'resolved'::text, 'dismissed'::text]))),
    CONSTRAINT retrying_has_a_time CHECK (((status = 'retrying'::text) = (next_retry_at IS NOT NULL)))
);

CREATE SEQUENCE embedding_assets.fence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE embedding_assets.forecasts (
    id bigint NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    resource text NOT NULL,
    horizon interval NOT NULL,
    low double precision,
    estimate double precision,
    high double precision,
    exhausted_at timestamp with time zone,
    capacity double precision,
    exhausted_at_earliest timestamp with time zone,
    CONSTRAINT all_or_no_estimates CHECK ((num_nonnulls(low, estimate, high) = ANY (ARRAY[0, 3]))),
    CONSTRAINT forecasts_check CHECK (((low <= estimate) AND (estimate <= high)))
);

ALTER TABLE embedding_assets.forecasts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.forecasts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE embedding_assets.generation_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE embedding_assets.metric_counters (
    name text NOT NULL,
    labels text[] NOT NULL,
    shard smallint NOT NULL,
    value double precision NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.metric_gauges (
    name text NOT NULL,
    labels text[] NOT NULL,
    value double precision NOT NULL,
    kept_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.metric_histograms (
    name text NOT NULL,
    labels text[] NOT NULL,
    shard smallint NOT NULL,
    bounds double precision[] NOT NULL,
    counts bigint[] NOT NULL,
    sum double precision NOT NULL,
    CONSTRAINT metric_histograms_check CHECK ((cardinality(counts) = (cardinality(bounds) + 1)))
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.models (
    id integer NOT NULL,
    name text NOT NULL,
    dimensions integer NOT NULL,
    storage text NOT NULL,
    distance text NOT NULL,
    input_template text NOT NULL,
    normalized boolean NOT NULL,
    fingerprint text NOT NULL,
    wire_format text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT models_dimensions_check CHECK (((dimensions >= 1) AND (dimensions <= 16000))),
    CONSTRAINT models_distance_check CHECK ((distance = ANY (ARRAY['cosine'::text, 'ip'::text, 'l2'::text]))),
    CONSTRAINT models_storage_check CHECK ((storage = ANY (ARRAY['vector'::text, 'halfvec'::text]))),
    CONSTRAINT models_wire_format_check CHECK ((wire_format = ANY (ARRAY['base64'::text, 'float'::text])))
);

ALTER TABLE embedding_assets.models ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.models_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.objective_stock (
    hour timestamp with time zone NOT NULL,
    objective text NOT NULL,
    collection text NOT NULL,
    total double precision NOT NULL,
    bad double precision NOT NULL,
    taken_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT objective_stock_bad_check CHECK ((bad >= (0)::double precision)),
    CONSTRAINT objective_stock_hour_check CHECK ((hour = date_trunc('hour'::text, hour, 'UTC'::text))),
    CONSTRAINT objective_stock_total_check CHECK ((total >= (0)::double precision))
);

CREATE TABLE embedding_assets.obligations (
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    due_from timestamp with time zone NOT NULL,
    deadline timestamp with time zone NOT NULL,
    counted boolean DEFAULT false NOT NULL,
    generation bigint NOT NULL,
    later_from timestamp with time zone,
    later_generation bigint,
    charged boolean DEFAULT false NOT NULL,
    CONSTRAINT obligations_check CHECK ((deadline > due_from)),
    CONSTRAINT obligations_check1 CHECK ((num_nonnulls(later_from, later_generation) = ANY (ARRAY[0, 2]))),
    CONSTRAINT obligations_check2 CHECK ((later_generation > generation))
);

CREATE TABLE embedding_assets.publications (
    collection_id integer NOT NULL,
    model_id integer NOT NULL,
    document_key text NOT NULL,
    version bigint NOT NULL,
    chunker_fingerprint text NOT NULL,
    chunks integer NOT NULL,
    published_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT publications_chunks_check CHECK ((chunks >= 0))
);

CREATE UNLOGGED TABLE embedding_assets.rate_limit_slots (
    limit_name text NOT NULL,
    slot bigint NOT NULL,
    consumer text NOT NULL,
    lane embedding_assets.lane NOT NULL,
    requests integer NOT NULL,
    inputs integer NOT NULL,
    tokens integer NOT NULL,
    collection_id integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='200');

CREATE UNLOGGED TABLE embedding_assets.rate_limit_waiting (
    limit_name text NOT NULL,
    consumer text NOT NULL,
    collection_id integer NOT NULL,
    lane embedding_assets.lane NOT NULL,
    waiting_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.schema_version (
    version_num character varying(32) NOT NULL
);

CREATE VIEW embedding_assets.searchable_chunks AS
 SELECT c.collection_id,
    c.model_id,
    c.document_key,
    c.version,
    c.ordinal,
    c.content,
    c.start_char,
    c.end_char,
    c.input_hash,
    d.title,
    d.uri,
    d.metadata,
    c.headings
   FROM (embedding_assets.chunks c
     JOIN embedding_assets.documents d USING (collection_id, document_key, version))
  WHERE (d.deleted_at IS NULL);

CREATE TABLE embedding_assets.shard_leases (
    collection_id integer NOT NULL,
    shard smallint NOT NULL,
    owner text,
    expires_at timestamp with time zone,
    CONSTRAINT shard_leases_check CHECK ((num_nonnulls(owner, expires_at) = ANY (ARRAY[0, 2]))),
    CONSTRAINT shard_leases_shard_check CHECK (((shard >= 0) AND (shard <= 15)))
)
WITH (fillfactor='50');

CREATE TABLE embedding_assets.source_listings (
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    signature text NOT NULL,
    fetched_at timestamp with time zone
);

CREATE TABLE embedding_assets.vector_garbage (
    collection_id integer NOT NULL,
    model_id integer NOT NULL,
    input_hash bytea NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE embedding_assets.work_arrivals (
    id bigint NOT NULL,
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    changed_at timestamp with time zone,
    not_before timestamp with time zone,
    lane embedding_assets.lane DEFAULT 'live'::embedding_assets.lane NOT NULL,
    enqueued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

ALTER TABLE embedding_assets.work_arrivals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME embedding_assets.work_arrivals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE embedding_assets.work_items (
    collection_id integer NOT NULL,
    document_key text NOT NULL,
    shard smallint GENERATED ALWAYS AS (embedding_assets.shard_of(document_key)) STORED NOT NULL,
    lane embedding_assets.lane NOT NULL,
    first_enqueued_at timestamp with time zone NOT NULL,
    generation bigint NOT NULL,
    available_at timestamp with time zone NOT NULL,
    lease_owner text,
    fence bigint,
    claimed_generation bigint,
    claimed_at timestamp with time zone,
    lost_claims smallint DEFAULT 0 NOT NULL,
    line integer GENERATED ALWAYS AS (embedding_assets.line_of(collection_id, (embedding_assets.shard_of(document_key))::integer, lane)) STORED NOT NULL,
    CONSTRAINT a_lease_is_whole CHECK ((num_nonnulls(lease_owner, fence, claimed_generation, claimed_at) = ANY (ARRAY[0, 4]))),
    CONSTRAINT no_claim_of_the_future CHECK ((claimed_generation <= generation)),
    CONSTRAINT work_items_lost_claims_check CHECK ((lost_claims >= 0))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='500', autovacuum_vacuum_cost_delay='0');

ALTER TABLE ONLY embedding_assets.arrivals_aside
    ADD CONSTRAINT arrivals_aside_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.budgets
    ADD CONSTRAINT budgets_pkey PRIMARY KEY (kind, holder, period, starts_on);

ALTER TABLE ONLY embedding_assets.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (collection_id, model_id, document_key, version, ordinal);

ALTER TABLE ONLY embedding_assets.circuits
    ADD CONSTRAINT circuits_pkey PRIMARY KEY (provider, reason);

ALTER TABLE ONLY embedding_assets.collections
    ADD CONSTRAINT collections_name_key UNIQUE (name);

ALTER TABLE ONLY embedding_assets.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.count_deltas
    ADD CONSTRAINT count_deltas_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.daily_stats
    ADD CONSTRAINT daily_stats_pkey PRIMARY KEY (name, labels, day);

ALTER TABLE ONLY embedding_assets.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (collection_id, document_key);

ALTER TABLE ONLY embedding_assets.failed_attempts
    ADD CONSTRAINT failed_attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.failed_documents
    ADD CONSTRAINT failed_documents_pkey PRIMARY KEY (collection_id, document_key);

ALTER TABLE ONLY embedding_assets.forecasts
    ADD CONSTRAINT forecasts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.metric_counters
    ADD CONSTRAINT metric_counters_pkey PRIMARY KEY (name, labels, shard);

ALTER TABLE ONLY embedding_assets.metric_gauges
    ADD CONSTRAINT metric_gauges_pkey PRIMARY KEY (name, labels);

ALTER TABLE ONLY embedding_assets.metric_histograms
    ADD CONSTRAINT metric_histograms_pkey PRIMARY KEY (name, labels, shard);

ALTER TABLE ONLY embedding_assets.models
    ADD CONSTRAINT models_fingerprint_key UNIQUE (fingerprint);

ALTER TABLE ONLY embedding_assets.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);

ALTER TABLE ONLY embedding_assets.objective_stock
    ADD CONSTRAINT objective_stock_pkey PRIMARY KEY (hour, objective, collection);

ALTER TABLE ONLY embedding_assets.obligations
    ADD CONSTRAINT obligations_pkey PRIMARY KEY (collection_id, document_key);

ALTER TABLE ONLY embedding_assets.publications
    ADD CONSTRAINT publications_pkey PRIMARY KEY (collection_id, model_id, document_key);

ALTER TABLE ONLY embedding_assets.rate_limit_consumers
    ADD CONSTRAINT rate_limit_consumers_pkey PRIMARY KEY (limit_name, consumer);

ALTER TABLE ONLY embedding_assets.rate_limit_slots
    ADD CONSTRAINT rate_limit_slots_pkey PRIMARY KEY (limit_name, slot, consumer, lane, collection_id);

ALTER TABLE ONLY embedding_assets.rate_limit_waiting
    ADD CONSTRAINT rate_limit_waiting_pkey PRIMARY KEY (limit_name, consumer, collection_id, lane);

ALTER TABLE ONLY embedding_assets.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY embedding_assets.schema_version
    ADD CONSTRAINT schema_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY embedding_assets.shard_leases
    ADD CONSTRAINT shard_leases_pkey PRIMARY KEY (collection_id, shard);

ALTER TABLE ONLY embedding_assets.source_listings
    ADD CONSTRAINT source_listings_pkey PRIMARY KEY (collection_id, document_key);

ALTER TABLE ONLY embedding_assets.vector_garbage
    ADD CONSTRAINT vector_garbage_pkey PRIMARY KEY (collection_id, model_id, input_hash);

ALTER TABLE ONLY embedding_assets.work_arrivals
    ADD CONSTRAINT work_arrivals_pkey PRIMARY KEY (collection_id, id);

ALTER TABLE ONLY embedding_assets.work_items
    ADD CONSTRAINT work_items_pkey PRIMARY KEY (collection_id, document_key);

CREATE INDEX chunks_input ON embedding_assets.chunks USING btree (collection_id, model_id, input_hash);

CREATE INDEX documents_metadata ON embedding_assets.documents USING gin (metadata jsonb_path_ops);

CREATE INDEX documents_shard ON embedding_assets.documents USING btree (collection_id, shard, document_key);

CREATE INDEX failed_attempts_document ON embedding_assets.failed_attempts USING btree (collection_id, document_key, id);

CREATE INDEX failed_attempts_recent ON embedding_assets.failed_attempts USING btree (collection_id, failed_at);

CREATE INDEX failed_documents_due ON embedding_assets.failed_documents USING btree (next_retry_at) WHERE (status = 'retrying'::text);

CREATE INDEX failed_documents_open ON embedding_assets.failed_documents USING btree (collection_id, status) WHERE (status <> 'resolved'::text);

CREATE INDEX failed_documents_untold ON embedding_assets.failed_documents USING btree (collection_id, document_key) WHERE ((status = 'escalated'::text) AND (notified_at IS NULL));

CREATE INDEX forecasts_latest ON embedding_assets.forecasts USING btree (made_at);

CREATE INDEX forecasts_made ON embedding_assets.forecasts USING btree (resource, made_at DESC);

CREATE INDEX obligations_counted ON embedding_assets.obligations USING btree (collection_id) WHERE counted;

CREATE INDEX obligations_to_count ON embedding_assets.obligations USING btree (deadline) WHERE (NOT counted);

CREATE INDEX vector_garbage_since ON embedding_assets.vector_garbage USING btree (since);

CREATE INDEX work_items_leased ON embedding_assets.work_items USING btree (collection_id, lane, available_at) WHERE (COALESCE(lease_owner, ''::text) <> ''::text);

CREATE INDEX work_items_lost ON embedding_assets.work_items USING btree (line, available_at) WHERE (lost_claims > 0);

CREATE INDEX work_items_ready ON embedding_assets.work_items USING btree (line, available_at);

CREATE TRIGGER count_added AFTER INSERT ON embedding_assets.documents REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION embedding_assets.count_tracked();

CREATE TRIGGER count_added AFTER INSERT ON embedding_assets.work_items REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION embedding_assets.count_queued();

CREATE TRIGGER count_deletion AFTER UPDATE OF deleted_at ON embedding_assets.documents FOR EACH ROW WHEN (((old.deleted_at IS NULL) IS DISTINCT FROM (new.deleted_at IS NULL))) EXECUTE FUNCTION embedding_assets.count_deletion();

CREATE TRIGGER count_lane_change AFTER UPDATE OF lane ON embedding_assets.work_items FOR EACH ROW WHEN ((old.lane IS DISTINCT FROM new.lane)) EXECUTE FUNCTION embedding_assets.count_lane_change();

CREATE TRIGGER count_removed AFTER DELETE ON embedding_assets.documents REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION embedding_assets.count_tracked();

CREATE TRIGGER count_removed AFTER DELETE ON embedding_assets.work_items REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION embedding_assets.count_queued();

CREATE TRIGGER forget_arrivals AFTER DELETE ON embedding_assets.collections FOR EACH ROW EXECUTE FUNCTION embedding_assets.forget_arrivals();

ALTER TABLE ONLY embedding_assets.chunks
    ADD CONSTRAINT chunks_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.chunks
    ADD CONSTRAINT chunks_model_id_fkey FOREIGN KEY (model_id) REFERENCES embedding_assets.models(id);

ALTER TABLE ONLY embedding_assets.collections
    ADD CONSTRAINT collections_active_model_id_fkey FOREIGN KEY (active_model_id) REFERENCES embedding_assets.models(id);

ALTER TABLE ONLY embedding_assets.collections
    ADD CONSTRAINT collections_building_model_id_fkey FOREIGN KEY (building_model_id) REFERENCES embedding_assets.models(id);

ALTER TABLE ONLY embedding_assets.documents
    ADD CONSTRAINT documents_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.failed_attempts
    ADD CONSTRAINT failed_attempts_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.failed_documents
    ADD CONSTRAINT failed_documents_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.obligations
    ADD CONSTRAINT obligations_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.publications
    ADD CONSTRAINT publications_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.publications
    ADD CONSTRAINT publications_model_id_fkey FOREIGN KEY (model_id) REFERENCES embedding_assets.models(id);

ALTER TABLE ONLY embedding_assets.rate_limit_consumers
    ADD CONSTRAINT rate_limit_consumers_limit_name_fkey FOREIGN KEY (limit_name) REFERENCES embedding_assets.rate_limits(name) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.shard_leases
    ADD CONSTRAINT shard_leases_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.source_listings
    ADD CONSTRAINT source_listings_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.vector_garbage
    ADD CONSTRAINT vector_garbage_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY embedding_assets.vector_garbage
    ADD CONSTRAINT vector_garbage_model_id_fkey FOREIGN KEY (model_id) REFERENCES embedding_assets.models(id);

ALTER TABLE ONLY embedding_assets.work_items
    ADD CONSTRAINT work_items_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES embedding_assets.collections(id) ON DELETE CASCADE;
