"""Another model is built beside the active one, and each is asked as the file said of it: `0006_model_change.sql`."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """A build in progress would lose how its models are asked: there is no way back."""
    message = "0006 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
