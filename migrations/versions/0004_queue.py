"""The queue's indexes leave the planner no wrong one to choose, whatever it believes of a table's size: `0004_queue.sql`."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Releases before it read the queue by columns that no index holds any more."""
    message = "0004 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
