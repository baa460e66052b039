"""Alembic's environment: one connection, given by the caller, one transaction for each migration.

The URL never stands in a file: `embedding_assets.store.migrations` passes an open psycopg connection's engine.
"""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table="schema_version",
    version_table_schema="embedding_assets",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
