"""Backfill yields to live work that waits for the limit: `0007_live_first.sql`."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """The rule before it let live changes wait for nothing: there is no way back."""
    message = "0007 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
