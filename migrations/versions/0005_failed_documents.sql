-- A failed document is put back by a person or begun afresh by new content while a claim of its older content may still be at work.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

-- The episode is about work of this generation and later. What a claim of an older one fails with belongs to the episode before.
ALTER TABLE failed_documents ADD COLUMN since_generation bigint NOT NULL DEFAULT 0;

-- Resolved by a success, dismissed by a person: both say when.
ALTER TABLE failed_documents
    ADD CONSTRAINT an_end_has_a_time CHECK ((status IN ('resolved', 'dismissed')) = (resolved_at IS NOT NULL));

-- What failed during the last day, against what was processed.
CREATE INDEX failed_attempts_recent ON failed_attempts (collection_id, failed_at);
