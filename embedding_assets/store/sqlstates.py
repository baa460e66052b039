"""What an error of PostgreSQL says, by its SQLSTATE: to our error types, and what to do about it.

Pure. Not here: psycopg's exceptions (database). Any state that is not named is `unexpected`, among them class 42 (a statement
and the schema do not fit together) and class 23: a key that is there twice or nowhere is our mistake or a race, and no document's.
"""

import re

from embedding_assets.domain.failures import ErrorType

_BY_STATE = {
    "57P01": ErrorType.DATABASE_UNAVAILABLE,  # shut down by an administrator
    "57P02": ErrorType.DATABASE_UNAVAILABLE,  # restarts after a crash
    "57P03": ErrorType.DATABASE_UNAVAILABLE,  # starts or stops
    "57P04": ErrorType.DATABASE_UNAVAILABLE,  # this database was dropped
    "57P05": ErrorType.DATABASE_UNAVAILABLE,  # the session was idle for too long
    "3D000": ErrorType.DATABASE_UNAVAILABLE,  # there is no such database
    "25006": ErrorType.DATABASE_UNAVAILABLE,  # read only: a standby that was not, or no longer is, the primary
    "42501": ErrorType.DATABASE_REFUSED,
    "40000": ErrorType.DATABASE_BUSY,
    "40001": ErrorType.DATABASE_BUSY,  # serialization failure
    "40003": ErrorType.DATABASE_BUSY,  # nobody knows whether the statement was completed: the fence does
    "40P01": ErrorType.DATABASE_BUSY,  # deadlock
    "55P03": ErrorType.DATABASE_BUSY,  # lock time-out
    "57014": ErrorType.DATABASE_BUSY,  # statement time-out, or a person cancelled it
    "25P03": ErrorType.DATABASE_BUSY,  # time-outs that end the session, not the server
    "25P04": ErrorType.DATABASE_BUSY,
    # The invariants of one row: a document that breaks one is found by halving, and the others go on.
    "23502": ErrorType.INVALID_DATA,
    "23514": ErrorType.INVALID_DATA,
}
_BY_CLASS = {
    "08": ErrorType.DATABASE_UNAVAILABLE,  # the connection
    "53": ErrorType.DATABASE_UNAVAILABLE,  # disk full, out of memory, too many connections
    "58": ErrorType.DATABASE_UNAVAILABLE,  # the server's own disk or system
    "28": ErrorType.DATABASE_REFUSED,
    "22": ErrorType.INVALID_DATA,
    "54": ErrorType.INVALID_DATA,  # more than PostgreSQL's own limits allow, such as a key too long for an index
}
_ADVICE = {
    ErrorType.DATABASE_REFUSED: "; the role may not do this: check the user and password in EMBEDDING_ASSETS_DATABASE_URL and"
    " the rights it was granted",
    ErrorType.DATABASE_BUSY: "; another session was in the way: look for long transactions, and for time-outs that are too short",
}
# A connection that is refused carries no SQLSTATE, only the server's sentence. Another language gives less advice, no other class.
_REFUSED_ROLE = re.compile(
    r"password authentication failed|no pg_hba\.conf entry|no password supplied|not permitted to log in"
    r"|role \"[^\"]*\" does not exist|permission denied|authentication failed"
)


def error_type_of(sqlstate: str) -> ErrorType:
    """The error type of a SQLSTATE, five characters."""
    return _BY_STATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or ErrorType.UNEXPECTED


def unconnected(text: str) -> ErrorType:
    """The error type where no connection came about, or one was lost without a word: by what libpq says."""
    return ErrorType.DATABASE_REFUSED if _REFUSED_ROLE.search(text) else ErrorType.DATABASE_UNAVAILABLE


def advice(error_type: ErrorType) -> str:
    """What PostgreSQL's own message does not say."""
    return _ADVICE.get(error_type, "")
