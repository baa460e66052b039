-- The whole schema of Embedding Assets. Comments give reasons; the words are those of docs/glossary.md.

SET LOCAL lock_timeout = '5s';

CREATE SCHEMA IF NOT EXISTS embedding_assets;
CREATE EXTENSION IF NOT EXISTS vector;
-- Ours first, then wherever the extension lives: some providers keep it out of public.
SELECT set_config('search_path', 'embedding_assets, ' || quote_ident(n.nspname), true)
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
-- Loads its library: before that its settings are unknown ones, which none but a superuser may attach to a function.
SELECT '[1]'::vector;

CREATE TYPE lane AS ENUM ('live', 'backfill');

-- First 4 bytes of md5 of the key, mod 16: the low nibble of byte 3. Stable across PostgreSQL versions, unlike hashtext.
CREATE FUNCTION shard_of(document_key text) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (get_byte(decode(md5(document_key), 'hex'), 3) % 16)::smallint;

-- ---------------------------------------------------------------- collections and models

CREATE TABLE models (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL,
    dimensions      integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    storage         text NOT NULL CHECK (storage IN ('vector', 'halfvec')),
    distance        text NOT NULL CHECK (distance IN ('cosine', 'ip', 'l2')),
    input_template  text NOT NULL,
    normalized      boolean NOT NULL,
    fingerprint     text NOT NULL UNIQUE,
    -- What the provider turned out to speak, so that the question is asked once: base64, float, or not known yet.
    wire_format     text CHECK (wire_format IN ('base64', 'float')),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE collections (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_]{0,40}$'),
    owner               text NOT NULL DEFAULT '',
    source              jsonb NOT NULL,
    chunking            jsonb NOT NULL,
    chunker_fingerprint text NOT NULL,
    active_model_id     integer NOT NULL REFERENCES models,
    building_model_id   integer REFERENCES models CHECK (building_model_id <> active_model_id),
    limit_name          text,
    budgets             jsonb NOT NULL DEFAULT '{}',
    weight              double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
    paused              boolean NOT NULL DEFAULT false,
    freshness_seconds   double precision NOT NULL DEFAULT 3600 CHECK (freshness_seconds > 0),
    -- Changes older than this are the initial load and open no obligation. Set by the first complete poll.
    tracked_since       timestamptz,
    last_poll_at        timestamptz,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- ---------------------------------------------------------------- what the source holds, and what we published

-- What the last complete poll of a source saw. Apart from documents, because a listing is not content: a document appears in
-- documents only when it is settled, and a poll before that must not see it as new again.
CREATE TABLE source_listings (
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key    text NOT NULL,
    signature       text NOT NULL,
    PRIMARY KEY (collection_id, document_key)
);

CREATE TABLE documents (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key        text NOT NULL,
    shard               smallint NOT NULL GENERATED ALWAYS AS (shard_of(document_key)) STORED,
    -- The fence of the claim that fetched it: two late twins can never write under one version.
    version             bigint NOT NULL,
    content             text NOT NULL,
    content_hash        bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    title               text NOT NULL DEFAULT '',
    uri                 text NOT NULL DEFAULT '',
    metadata            jsonb NOT NULL DEFAULT '{}',
    source_updated_at   timestamptz,
    fetched_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at          timestamptz,
    PRIMARY KEY (collection_id, document_key)
);
CREATE INDEX documents_shard ON documents (collection_id, shard, document_key);
CREATE INDEX documents_metadata ON documents USING gin (metadata jsonb_path_ops);

CREATE TABLE publications (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    model_id            integer NOT NULL REFERENCES models,
    document_key        text NOT NULL,
    version             bigint NOT NULL,
    chunker_fingerprint text NOT NULL,
    chunks              integer NOT NULL CHECK (chunks >= 0),
    published_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (collection_id, model_id, document_key)
);

CREATE TABLE chunks (
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    model_id        integer NOT NULL REFERENCES models,
    document_key    text NOT NULL,
    version         bigint NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 0),
    content         text NOT NULL,
    start_char      integer NOT NULL CHECK (start_char >= 0),
    end_char        integer NOT NULL CHECK (end_char > start_char),
    token_count     integer NOT NULL CHECK (token_count >= 0),
    input_hash      bytea NOT NULL CHECK (octet_length(input_hash) = 32),
    PRIMARY KEY (collection_id, model_id, document_key, version, ordinal)
);
-- Search goes from a vector to the chunks that hold it; the collector asks whether anybody still does.
CREATE INDEX chunks_input ON chunks (collection_id, model_id, input_hash);

-- Vectors that no chunk referenced when they were marked. They are deleted after the grace, and only if that is still so.
CREATE TABLE vector_garbage (
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    model_id        integer NOT NULL REFERENCES models,
    input_hash      bytea NOT NULL,
    since           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (collection_id, model_id, input_hash)
);
CREATE INDEX vector_garbage_since ON vector_garbage (since);

-- ---------------------------------------------------------------- the queue

-- Database-wide, never "+ 1" on the row: rows are deleted and made anew, and a counter in the row would come back to an old value.
CREATE SEQUENCE fence_seq AS bigint;
CREATE SEQUENCE generation_seq AS bigint;

-- Producers only INSERT here. No unique key, so no producer ever waits for another or for a worker.
CREATE TABLE work_arrivals (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key    text NOT NULL,
    -- When the source says it changed, held to [not_before, now]; NULL for work that is nobody's change.
    changed_at      timestamptz,
    not_before      timestamptz,
    lane            lane NOT NULL DEFAULT 'live',
    enqueued_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX work_arrivals_collection ON work_arrivals (collection_id, id);
ALTER TABLE work_arrivals SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE work_items (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key        text NOT NULL,
    shard               smallint NOT NULL GENERATED ALWAYS AS (shard_of(document_key)) STORED,
    lane                lane NOT NULL,
    first_enqueued_at   timestamptz NOT NULL,
    -- Drawn anew at every change folded in; a settle that covers an older one leaves the item in the queue.
    generation          bigint NOT NULL,
    -- One readiness column: for an item nobody holds, when it may be claimed; for a claimed one, when its lease ends.
    available_at        timestamptz NOT NULL,
    lease_owner         text,
    fence               bigint,
    claimed_generation  bigint,
    claimed_at          timestamptz,
    lost_claims         smallint NOT NULL DEFAULT 0 CHECK (lost_claims >= 0),
    PRIMARY KEY (collection_id, document_key),
    CONSTRAINT a_lease_is_whole CHECK (
        num_nonnulls(lease_owner, fence, claimed_generation, claimed_at) IN (0, 4)
    ),
    CONSTRAINT no_claim_of_the_future CHECK (claimed_generation <= generation)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX work_items_ready ON work_items (collection_id, shard, lane, available_at);

-- Which run works a shard: two runs never process one shard at once, whatever the orchestrator's settings are.
CREATE TABLE shard_leases (
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    shard           smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    owner           text,
    expires_at      timestamptz,
    PRIMARY KEY (collection_id, shard),
    CHECK (num_nonnulls(owner, expires_at) IN (0, 2))
) WITH (fillfactor = 50);

-- The freshness clock: one open promise for a document whose live change is not published yet.
CREATE TABLE obligations (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key        text NOT NULL,
    due_from            timestamptz NOT NULL,
    deadline            timestamptz NOT NULL,
    -- Counted as missed already, at its deadline; publication then only closes it.
    counted             boolean NOT NULL DEFAULT false,
    generation          bigint NOT NULL,
    -- The first change a claim in progress does not cover; when that claim publishes, the promise starts again from here.
    later_from          timestamptz,
    later_generation    bigint,
    PRIMARY KEY (collection_id, document_key),
    CHECK (deadline > due_from),
    CHECK (num_nonnulls(later_from, later_generation) IN (0, 2)),
    CHECK (later_generation > generation)
);
CREATE INDEX obligations_to_count ON obligations (deadline) WHERE NOT counted;

-- ---------------------------------------------------------------- failures

CREATE TABLE failed_documents (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key        text NOT NULL,
    status              text NOT NULL CHECK (status IN ('retrying', 'queued', 'escalated', 'resolved', 'dismissed')),
    failure_class       text NOT NULL,
    error_type          text NOT NULL,
    reason              text NOT NULL,
    -- Of this episode; new content starts a new one. failed_attempts keeps them all.
    attempts            integer NOT NULL CHECK (attempts >= 0),
    episode             integer NOT NULL DEFAULT 1,
    lane                lane NOT NULL,
    first_failed_at     timestamptz NOT NULL,
    last_failed_at      timestamptz NOT NULL,
    next_retry_at       timestamptz,
    resolved_at         timestamptz,
    PRIMARY KEY (collection_id, document_key),
    CONSTRAINT retrying_has_a_time CHECK ((status = 'retrying') = (next_retry_at IS NOT NULL))
);
CREATE INDEX failed_documents_due ON failed_documents (next_retry_at) WHERE status = 'retrying';
CREATE INDEX failed_documents_open ON failed_documents (collection_id, status) WHERE status <> 'resolved';

CREATE TABLE failed_attempts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    document_key    text NOT NULL,
    episode         integer NOT NULL,
    attempt         integer NOT NULL,
    failed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    stage           text NOT NULL,
    failure_class   text NOT NULL,
    error_type      text NOT NULL,
    message         text NOT NULL,
    provider_status integer,
    run_id          text NOT NULL,
    duration        interval
);
CREATE INDEX failed_attempts_document ON failed_attempts (collection_id, document_key, id);

-- A systemic fault that all workers see: nobody claims while it is open.
CREATE TABLE circuits (
    provider        text NOT NULL,
    reason          text NOT NULL,
    message         text NOT NULL,
    opened_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    probe_after     timestamptz NOT NULL,
    PRIMARY KEY (provider, reason)
);

-- ---------------------------------------------------------------- the shared limit

CREATE TABLE rate_limits (
    name                text PRIMARY KEY,
    requests_per_minute integer CHECK (requests_per_minute > 0),
    inputs_per_minute   integer CHECK (inputs_per_minute > 0),
    tokens_per_minute   integer CHECK (tokens_per_minute > 0),
    ceiling_on          text NOT NULL DEFAULT 'own' CHECK (ceiling_on IN ('own', 'total')),
    -- Seconds a use is held longer than its minute: at least the spread between a reserve and the request's arrival.
    skew_margin         double precision NOT NULL DEFAULT 0.3 CHECK (skew_margin >= 0),
    -- The provider told us to stay away until then (429, Retry-After): nobody's reserve passes before.
    blocked_until       timestamptz,
    last_used_at        timestamptz,
    CHECK (num_nonnulls(requests_per_minute, inputs_per_minute, tokens_per_minute) > 0)
) WITH (fillfactor = 50);

CREATE TABLE rate_limit_consumers (
    limit_name      text NOT NULL REFERENCES rate_limits ON DELETE CASCADE,
    consumer        text NOT NULL,
    share           double precision NOT NULL DEFAULT 1 CHECK (share > 0 AND share <= 1),
    -- With ceiling_on = 'total': what this consumer may have however busy its neighbours are.
    min_per_minute  integer NOT NULL DEFAULT 0 CHECK (min_per_minute >= 0),
    last_live_at    timestamptz,
    PRIMARY KEY (limit_name, consumer)
);

-- Uses of the trailing minute in slots of 0.1 s. UNLOGGED: after a crash the minute counts as full (see take_from_limit).
CREATE UNLOGGED TABLE rate_limit_slots (
    limit_name      text NOT NULL,
    slot            bigint NOT NULL,
    consumer        text NOT NULL,
    lane            lane NOT NULL,
    requests        integer NOT NULL,
    inputs          integer NOT NULL,
    tokens          integer NOT NULL,
    PRIMARY KEY (limit_name, slot, consumer, lane)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE budgets (
    collection_id   integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    period          text NOT NULL CHECK (period IN ('day', 'month')),
    starts_on       date NOT NULL,
    used_usd        numeric(16, 6) NOT NULL DEFAULT 0,
    used_tokens     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (collection_id, period, starts_on)
);

-- ---------------------------------------------------------------- the ledger behind /metrics, and history

-- labels is the label values in the catalogue's order; shard spreads one hot counter over rows.
CREATE TABLE metric_counters (
    name    text NOT NULL,
    labels  text[] NOT NULL,
    shard   smallint NOT NULL,
    value   double precision NOT NULL,
    PRIMARY KEY (name, labels, shard)
) WITH (fillfactor = 50);

CREATE TABLE metric_histograms (
    name    text NOT NULL,
    labels  text[] NOT NULL,
    shard   smallint NOT NULL,
    bounds  double precision[] NOT NULL,
    -- Not cumulative; one more than bounds, the last is everything above.
    counts  bigint[] NOT NULL,
    sum     double precision NOT NULL,
    PRIMARY KEY (name, labels, shard),
    CHECK (cardinality(counts) = cardinality(bounds) + 1)
) WITH (fillfactor = 50);

CREATE TABLE daily_stats (
    collection_id       integer NOT NULL REFERENCES collections ON DELETE CASCADE,
    day                 date NOT NULL,
    arrivals            bigint NOT NULL DEFAULT 0,
    documents           bigint NOT NULL DEFAULT 0,
    chunks              bigint NOT NULL DEFAULT 0,
    tokens              bigint NOT NULL DEFAULT 0,
    cost_usd            numeric(16, 6) NOT NULL DEFAULT 0,
    vectors             bigint,
    table_bytes         bigint,
    index_bytes         bigint,
    PRIMARY KEY (collection_id, day)
);

CREATE TABLE forecasts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    resource    text NOT NULL,
    horizon     interval NOT NULL,
    low         double precision NOT NULL,
    estimate    double precision NOT NULL,
    high        double precision NOT NULL,
    exhausted_at timestamptz,
    CHECK (low <= estimate AND estimate <= high)
);
CREATE INDEX forecasts_made ON forecasts (resource, made_at DESC);
