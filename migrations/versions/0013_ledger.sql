-- What metrics need: counts as signed deltas, gauges that are kept, and indexes that a scrape reads instead of a queue.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- Gauges that somebody has to write down: when a run last succeeded, what a check found.
CREATE TABLE metric_gauges (
    name    text NOT NULL,
    labels  text[] NOT NULL,
    value   double precision NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, labels)
) WITH (fillfactor = 50);

-- Set when an attempt of the change was charged: whether the change came through well is counted once.
ALTER TABLE obligations ADD COLUMN charged boolean NOT NULL DEFAULT false;
-- What is overdue and was counted; what is overdue and was not, the index of what is to be counted finds.
CREATE INDEX obligations_counted ON obligations (collection_id) WHERE counted;

-- How many documents are tracked and queued: one row for each statement that changed it, added up when it is read. Nobody waits for
-- anybody: a counter in a row would be locked in the middle of a fold or a settle, before the rows that these lock next, and
-- transactions that share nothing else would deadlock by it.
-- No foreign key: a collection that is deleted takes its rows along after itself, and these say so.
CREATE TABLE count_deltas (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what            text NOT NULL CHECK (what IN ('queued', 'tracked')),
    collection_id   integer NOT NULL,
    -- Of what is queued.
    lane            lane CHECK ((lane IS NOT NULL) = (what = 'queued')),
    delta           bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- By triggers, so that no statement that anybody adds forgets it.
CREATE FUNCTION count_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    SELECT 'queued', c.collection_id, c.lane, count(*) * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END
    FROM changed AS c GROUP BY c.collection_id, c.lane;
    RETURN NULL;
END $$;

CREATE FUNCTION count_lane_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, lane, delta)
    VALUES ('queued', OLD.collection_id, OLD.lane, -1), ('queued', NEW.collection_id, NEW.lane, 1);
    RETURN NULL;
END $$;

CREATE FUNCTION count_tracked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, delta)
    SELECT 'tracked', c.collection_id, count(*) * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END
    FROM changed AS c WHERE c.deleted_at IS NULL GROUP BY c.collection_id;
    RETURN NULL;
END $$;

CREATE FUNCTION count_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_assets.count_deltas (what, collection_id, delta)
    VALUES ('tracked', NEW.collection_id, CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END);
    RETURN NULL;
END $$;

CREATE TRIGGER count_added AFTER INSERT ON work_items REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_queued();
CREATE TRIGGER count_removed AFTER DELETE ON work_items REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_queued();
-- A row trigger, and of this column: a claim, which updates every row it takes, does not name it.
CREATE TRIGGER count_lane_change AFTER UPDATE OF lane ON work_items
    FOR EACH ROW WHEN (OLD.lane IS DISTINCT FROM NEW.lane) EXECUTE FUNCTION count_lane_change();
CREATE TRIGGER count_added AFTER INSERT ON documents REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_tracked();
CREATE TRIGGER count_removed AFTER DELETE ON documents REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_tracked();
CREATE TRIGGER count_deletion AFTER UPDATE OF deleted_at ON documents
    FOR EACH ROW WHEN ((OLD.deleted_at IS NULL) IS DISTINCT FROM (NEW.deleted_at IS NULL)) EXECUTE FUNCTION count_deletion();

-- The triggers above hold off writers until this is committed: nothing is counted twice or not at all.
INSERT INTO count_deltas (what, collection_id, lane, delta)
SELECT 'queued', collection_id, lane, count(*) FROM work_items GROUP BY collection_id, lane
UNION ALL SELECT 'tracked', collection_id, NULL, count(*) FROM documents WHERE deleted_at IS NULL GROUP BY collection_id;

-- What is claimed, and what of it expired. The predicate is written so that no query but the scrape's implies it: where the planner
-- believes the table empty, it takes any index that it may.
CREATE INDEX work_items_leased ON work_items (collection_id, lane, available_at) WHERE coalesce(lease_owner, '') <> '';
