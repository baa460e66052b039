-- What every counter and size stands at each day, and forecasts that may have no answer.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- Nothing has written daily_stats before. Standings, not increments: written twice a day stays as it is, and a day on which nobody wrote
-- is in the difference of the days around it. `labels` as in metric_counters; written_at says how much of its day a row knows.
DROP TABLE daily_stats;
CREATE TABLE daily_stats (
    day         date NOT NULL,
    name        text NOT NULL,
    labels      text[] NOT NULL,
    value       double precision NOT NULL,
    written_at  timestamptz NOT NULL,
    PRIMARY KEY (name, labels, day)
);

-- A constraint's capacity is known before there is history enough for a forecast.
ALTER TABLE forecasts
    ALTER COLUMN low DROP NOT NULL,
    ALTER COLUMN estimate DROP NOT NULL,
    ALTER COLUMN high DROP NOT NULL,
    ADD COLUMN capacity double precision,
    ADD COLUMN exhausted_at_earliest timestamptz,
    ADD CONSTRAINT all_or_no_estimates CHECK (num_nonnulls(low, estimate, high) IN (0, 3));
CREATE INDEX forecasts_latest ON forecasts (made_at);
