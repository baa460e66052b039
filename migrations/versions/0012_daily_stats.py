"""What every counter and size stands at each day, and forecasts that may have no answer: `0012_daily_stats.sql`."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """What was kept of past days would be lost: there is no way back."""
    message = "0012 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
