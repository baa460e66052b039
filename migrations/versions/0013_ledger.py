"""Counts as signed deltas, and what else a scrape reads: `0013_ledger.sql`."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Counts would be lost: there is no way back."""
    message = "0013 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
