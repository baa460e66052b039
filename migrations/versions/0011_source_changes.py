"""A source that can tell its changes is asked for them from a cursor on: `0011_source_changes.sql`."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """A release that lists everything at each poll could read none of it wrongly, but promises would start from the wrong poll."""
    message = "0011 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
