-- Backfill yields to live work that waits for the limit.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- As before, and while live work of the consumer waits, of any of its collections, backfill gets a twentieth of the ceiling.
--
-- A fifth of the ceiling is not enough by itself. A sliding window gives a use back when its minute is over, so what was sent in one
-- burst may be sent in one burst again a minute later, and nothing in between. With 60 changes a minute and a fifth of 63, the wait of
-- a bad start shrank by no more than three seconds in each minute: p95 was 37 s after five minutes of them.
CREATE OR REPLACE FUNCTION waits_of(
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
