"""Brings the schema up to date with Alembic, and says whether it is.

Not here: the migrations themselves (top-level `migrations/`, carried in the wheel as `embedding_assets/migrations`).
"""

from pathlib import Path

import psycopg
import sqlalchemy
import sqlalchemy.exc
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from embedding_assets.domain.failures import ErrorType, StoreError

# One migrator at a time, however many pods start together; the number only has to be ours.
_LOCK = 7_214_905_166_310_001
_INSUFFICIENT_PRIVILEGE = "42501"


def upgrade(url: str, *, to: str = "head") -> list[str]:
    """Apply every migration that is missing, `to` a revision or all; returns their revisions, oldest first.

    Raises:
        StoreError: the server cannot be reached or refused; the message says what.
    """
    try:
        with _engine(url).connect() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.execute(sqlalchemy.text("CREATE SCHEMA IF NOT EXISTS embedding_assets"))
            connection.commit()
            missing = [revision for revision in _missing(connection) if to == "head" or revision <= to]
            if not missing:
                # Up to date, or a later release's: its migrations cannot be looked up here.
                return []
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            connection.commit()
            return missing
    except (sqlalchemy.exc.DBAPIError, psycopg.Error) as error:
        # A migration's own statements go past SQLAlchemy, and so do their errors.
        raise _failure("migration failed", error) from error


def missing_revisions(url: str) -> list[str]:
    """Revisions the database does not have yet, oldest first; empty when it is up to date, and when it is newer than this release.

    Migrations only add to what the release before works with, so that its runs go on while the new one is rolled out.
    """
    try:
        with _engine(url).connect() as connection:
            return _missing(connection)
    except sqlalchemy.exc.DBAPIError as error:
        raise _failure("cannot read the schema's version", error) from error


def _failure(what: str, error: sqlalchemy.exc.DBAPIError | psycopg.Error) -> StoreError:
    """One line that says what to do: a server that answered needs other advice than one that did not."""
    original = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    reason = str(original).strip().partition("\n")[0]
    state = original.sqlstate if isinstance(original, psycopg.Error) else None
    if state is None or state.startswith("08"):
        what, advice = "cannot reach the database", "check EMBEDDING_ASSETS_DATABASE_URL and that the server runs"
    elif state == _INSUFFICIENT_PRIVILEGE:
        advice = "the role lacks this right: migrate as the owner of the database, who can grant it"
    else:
        advice = "the server refused it, so nothing was changed"
    return StoreError(ErrorType.DATABASE_UNAVAILABLE, f"{what}: {reason}; {advice}")


def _missing(connection: sqlalchemy.Connection) -> list[str]:
    options = {"version_table": "schema_version", "version_table_schema": "embedding_assets"}
    current = MigrationContext.configure(connection, opts=options).get_current_revision()
    script = ScriptDirectory.from_config(_config())
    revisions = [revision.revision for revision in script.walk_revisions("base", "heads")]
    revisions.reverse()
    if current and current > revisions[-1]:
        return []
    return revisions[revisions.index(current) + 1 :] if current else revisions


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()))
    return config


def _folder() -> Path:
    package = Path(__file__).parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _engine(url: str) -> sqlalchemy.Engine:
    parsed = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(parsed, poolclass=sqlalchemy.NullPool)
