"""A chunk keeps the headings it stands under, and search shows them: `0009_headings.sql`."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """What is published under a template with headings could not be made again: there is no way back."""
    message = "0009 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
