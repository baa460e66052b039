-- A collection changes its model in place: another one is built beside the active one, which goes on meanwhile as the file once said.

SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = embedding_assets, pg_temp;

ALTER TABLE collections
    -- How each model is asked: its table in the file, its limit and our name there. The file names one model only, and runs go on with
    -- the active one. Kept here and not with the model, which two collections may share and ask in different ways.
    ADD COLUMN active_options   jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN building_options jsonb,
    ADD CONSTRAINT a_build_is_whole CHECK ((building_model_id IS NULL) = (building_options IS NULL));

-- What a model that is being built lacks of what is published under the active one: not there, in another version, or cut another way.
-- A function of constants and not a view, so that a page of it in the order of the keys reads no more than that page. A subquery and
-- not an anti join: with statistics from before the build, a join compared every document with every other (1.5 s for 4,000).
CREATE FUNCTION lacking_documents(collection_id integer, active_model_id integer, building_model_id integer)
RETURNS TABLE (document_key text, version bigint, chunker_fingerprint text, chunks integer)
LANGUAGE sql STABLE AS $$
    SELECT p.document_key, p.version, p.chunker_fingerprint, p.chunks
    FROM embedding_assets.publications AS p
    WHERE p.collection_id = lacking_documents.collection_id AND p.model_id = lacking_documents.active_model_id
      AND p.version IS DISTINCT FROM (
          SELECT b.version FROM embedding_assets.publications AS b
          WHERE b.collection_id = p.collection_id AND b.model_id = lacking_documents.building_model_id
            AND b.document_key = p.document_key AND b.chunker_fingerprint = p.chunker_fingerprint)
$$;
