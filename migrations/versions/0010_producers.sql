-- Applications tell of changes in their own transactions. Whatever we do meanwhile, they never wait for us and never fail by us.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- ---------------------------------------------------------------- arrivals that wait for nobody

-- A foreign key makes every arrival lock the row of its collection and the table: a migration that alters collections would hold up
-- the application, and a collection that is removed while an application's transaction is open would fail that transaction.
ALTER TABLE work_arrivals DROP CONSTRAINT work_arrivals_collection_id_fkey;

-- What was told while work_arrivals itself was locked: by a migration, by a VACUUM that gives disk space back, by hand. No migration may
-- ever lock both. The next fold moves it on. Without a key: everything that is known of the collection. A name instead of an id:
-- collections was locked too, and nobody could look it up.
CREATE TABLE arrivals_aside (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id   integer,
    collection      text,
    document_key    text,
    changed_at      timestamptz NOT NULL,
    not_before      timestamptz,
    enqueued_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT an_arrival_has_a_collection CHECK (num_nonnulls(collection_id, collection) = 1)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, vacuum_truncate = off);

-- What the foreign key did when a collection was removed. What an application commits later is swept up by the nightly upkeep.
CREATE FUNCTION forget_arrivals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
BEGIN
    DELETE FROM work_arrivals AS a WHERE a.collection_id = old.id;
    DELETE FROM arrivals_aside AS a WHERE a.collection_id = old.id OR a.collection = old.name;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_arrivals AFTER DELETE ON collections FOR EACH ROW EXECUTE FUNCTION forget_arrivals();

-- ---------------------------------------------------------------- appending

-- Whether this transaction may use the table now, and to its end; false instead of a wait, and where the table is not there. A handler
-- needs a subtransaction, but one that writes nothing gets no number: however many statements an application's transaction has,
-- it does not overflow what a snapshot holds of them (64), which would slow down everybody.
CREATE FUNCTION may_use(relation text) RETURNS boolean
LANGUAGE plpgsql AS $$
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

-- Append live changes without ever waiting. Keys that no reference can have (none, empty, more than 2,000 bytes) are left out. What can
-- be put nowhere is left to the next poll of the source, and said to the application.
CREATE FUNCTION append_arrivals(
    collection_id integer, collection text, document_keys text[], changed_at timestamptz, not_before timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
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

-- Everything that is known of the collection changed: one row, whatever there is, for an application that empties its table.
CREATE FUNCTION append_all(collection_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    IF may_use('arrivals_aside') THEN
        INSERT INTO arrivals_aside (collection_id, changed_at) VALUES (collection_id, clock_timestamp());
    ELSE
        RAISE WARNING 'embedding_assets: that all rows are gone could not be told; the next poll of the source finds it';
    END IF;
END $$;

-- ---------------------------------------------------------------- what programs call

-- Tell that documents of a collection changed, in the caller's own transaction: SELECT embedding_assets.enqueue_many('docs', keys).
-- Of changed_at counts what lies between the last complete poll, which did not show the change, and now.
CREATE FUNCTION enqueue_many(
    collection text, document_keys text[], changed_at timestamptz DEFAULT clock_timestamp()
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
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

-- The same for one document: SELECT embedding_assets.enqueue('docs', 'guide/install.md').
CREATE FUNCTION enqueue(
    collection text, document_key text, changed_at timestamptz DEFAULT clock_timestamp()
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = embedding_assets, pg_temp AS $$
    SELECT embedding_assets.enqueue_many(collection, ARRAY[document_key], changed_at)
$$;

REVOKE ALL ON FUNCTION may_use, append_arrivals, append_all, enqueue_many, enqueue, forget_arrivals FROM PUBLIC;

-- ---------------------------------------------------------------- what a fetch saw

-- When the claim began whose fetch saw this signature; null: only polls did. A later poll that shows another one found a change which
-- happened after that.
ALTER TABLE source_listings ADD COLUMN fetched_at timestamptz;
