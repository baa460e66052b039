"""The first schema: `0001_schema.sql` then the functions of search and of the shared limit, in one transaction."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the files beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0001_schema.sql", "0001_search.sql", "0001_limit.sql"):
        connection.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def downgrade() -> None:
    """There is nothing before the first schema; drop the schema by hand if it must go."""
    message = "the first migration has no way back: DROP SCHEMA embedding_assets CASCADE removes everything"
    raise NotImplementedError(message)
