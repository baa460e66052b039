"""The shared limit learns a provider's real size, shares by weight, and keeps budgets: `0002_limits.sql`."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the file beside this one through psycopg itself: SQLAlchemy would read `:name` as a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Its tables hold a minute of use and the spending of the current period: there is nothing worth a way back."""
    message = "0002 has no way back: restore the backup taken before it"
    raise NotImplementedError(message)
