"""Alembic's environment: one connection, given by the caller, one transaction for each migration.

The URL never stands in a file: `embedding_assets.store.migrations` passes an open psycopg connection's engine.
"""

from alembic import context

# What 0001 says of it, for the migrations that follow in a session of their own.
_LOAD_PGVECTOR = """
DO $$ BEGIN
    EXECUTE coalesce(
        (SELECT format('SELECT %L::%I.vector', '[1]', n.nspname)
         FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'),
        'SELECT');
END $$
"""

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table="schema_version",
    version_table_schema="embedding_assets",
    transaction_per_migration=True,
)
driver = connection.connection.driver_connection
driver.execute(_LOAD_PGVECTOR)
driver.commit()
with context.begin_transaction():
    context.run_migrations()
