"""Time passes for a database: every moment that it keeps is moved back, so that the server's clock need not be.

Not here: time in one statement (`now` of the store's functions).
"""

from datetime import timedelta

from psycopg import sql

from embedding_assets.store.database import Database

_MOMENTS = """
    SELECT c.table_name, array_agg(c.column_name::text)
    FROM information_schema.columns AS c
    JOIN information_schema.tables AS t USING (table_schema, table_name)
    WHERE c.table_schema = 'embedding_assets' AND c.data_type = 'timestamp with time zone' AND t.table_type = 'BASE TABLE'
      AND NOT c.column_name = 'hour' AND c.is_generated = 'NEVER'
    GROUP BY 1 ORDER BY 1
"""


async def let_pass(db: Database, passed: timedelta) -> None:
    """All that happened happened so much earlier."""
    async with db.transaction() as tx:
        for table, columns in await (await tx.execute(_MOMENTS)).fetchall():
            moved = sql.SQL(", ").join(
                sql.SQL("{0} = {0} - {1}").format(sql.Identifier(column), sql.Literal(passed)) for column in columns
            )
            await tx.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier("embedding_assets", table), moved))
