-- Pausing a collection by hand, and removing one with everything that is its own.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

ALTER TABLE collections
    -- By hand, beside `paused`, which is the file's: neither undoes the other.
    ADD COLUMN paused_since timestamptz,
    -- The name it had, while it is removed in batches under another one: nobody finds it by its own any more, and a collection of that
    -- name may be applied anew meanwhile.
    ADD COLUMN removing text;
