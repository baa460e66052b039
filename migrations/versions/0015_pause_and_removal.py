"""Pausing a collection by hand, and removing one with everything that is its own: `0015_pause_and_removal.sql`."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """What is half removed would look like a collection again: there is no way back."""
    message = "0015 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
