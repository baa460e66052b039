"""What a budget refused is remembered; circuits and failed documents carry what recovery needs: `0003_failures.sql`."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Failure history would lose who was told of it: there is no way back."""
    message = "0003 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
