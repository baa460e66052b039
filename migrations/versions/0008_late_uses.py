"""A use is held from when its request may have reached the provider: `0008_late_uses.sql`."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Requests that arrive late would pass the limit again: there is no way back."""
    message = "0008 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
