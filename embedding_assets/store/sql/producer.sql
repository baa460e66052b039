-- What an application runs in its own transaction.

-- name: enqueue
SELECT embedding_assets.enqueue_many(%(collection)s, %(document_keys)s, coalesce(%(changed_at)s, clock_timestamp()))
