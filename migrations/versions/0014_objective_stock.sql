-- How objectives stood at each hour: the ledger only grows, and the last thirty days are a difference.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- Cumulative, as the ledger is; three rows an hour for each collection.
CREATE TABLE objective_stock (
    hour        timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour, 'UTC')),
    objective   text NOT NULL,
    collection  text NOT NULL,
    total       double precision NOT NULL CHECK (total >= 0),
    bad         double precision NOT NULL CHECK (bad >= 0),
    -- When this was counted, within the hour.
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hour, objective, collection)
);
