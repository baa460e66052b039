"""Applications tell of changes in their own transactions, and never wait for us: `0010_producers.sql`."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Triggers in tables of applications call what this made: there is no way back."""
    message = "0010 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
