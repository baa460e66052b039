-- A source that can tell its changes is asked for them from a cursor on, and listed whole once a day; deletions that were withheld are
-- remembered until a listing is believed.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- `last_poll_at` is the last time the source was asked at all, `last_listed_at` the last time it showed everything: what only a
-- listing finds may have happened any time since then. The cursor is the source's own text.
ALTER TABLE collections
    ADD COLUMN source_cursor text,
    ADD COLUMN last_listed_at timestamptz,
    ADD COLUMN withheld_deletions integer NOT NULL DEFAULT 0 CHECK (withheld_deletions >= 0);

UPDATE collections SET last_listed_at = last_poll_at;
