"""Failed documents know which work is theirs, and a day's attempts are found quickly: `0005_failed_documents.sql`."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Failures of content that is gone would be charged to what came after it: there is no way back."""
    message = "0005 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
