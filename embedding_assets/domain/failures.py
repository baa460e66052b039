"""Failures: the closed table of error types, the class of each, and the exceptions that carry them.

| error type | class | means |
|---|---|---|
| rate_limited | throttled | the provider or the shared limit made us wait |
| root_unavailable | systemic | the source's root cannot be read (unmounted, denied) |
| credentials_rejected | systemic | the provider refused the key |
| unknown_model | systemic | the provider does not serve this model |
| budget_reached | systemic | the provider's account is out of quota |
| connection_failed | systemic | the provider cannot be reached, after short retries |
| database_unavailable | systemic | PostgreSQL went away, or has no room left |
| database_refused | systemic | PostgreSQL refused the role: its password, or a right it lacks |
| model_replaced | systemic | the collection got another model while the run went on |
| database_busy | transient | a deadlock, a lock or a statement took too long, every time it was tried |
| provider_unavailable | transient | the provider answered 5xx |
| provider_timeout | transient | the provider did not answer in time |
| malformed_reply | transient | the reply was not an embeddings reply |
| count_mismatch | transient | another number of vectors than inputs |
| order_mismatch | transient | the reply's indexes are not 0 … n-1, each once |
| source_unreadable | transient | this document could not be read just now |
| unexpected | transient | an error without an entry in this table; logged loudly |
| input_rejected | poison | the provider rejected this input |
| context_too_long | poison | the input is longer than the model takes |
| dimension_mismatch | poison | a vector of another length than the model's |
| non_finite | poison | a vector with NaN or infinity, or with a value that the storage type holds as infinity |
| zero_vector | poison | a vector of norm zero, as stored; a cosine index would silently leave it out |
| undecodable | poison | the document is not text in its encoding |
| too_large | poison | the document is larger than the collection allows |
| invalid_data | poison | PostgreSQL refused the document's data |
| worker_lost | poison | the document's workers died or hung, repeatedly |

Missing at the source is a deletion, not an error: see `DocumentMissing`. What is systemic, and what a harmless input met too,
is nobody's document: it stops all workers by a circuit (`domain/circuits`), but for the database's failures.
"""

from enum import Enum

from typing_extensions import assert_never


class FailureClass(str, Enum):
    """What a failure says about the document, and so what happens next."""

    THROTTLED = "throttled"
    SYSTEMIC = "systemic"
    TRANSIENT = "transient"
    POISON = "poison"


class ErrorType(str, Enum):
    """The closed set of error types; the value is the metric label and the row's `error_type`."""

    RATE_LIMITED = "rate_limited"
    ROOT_UNAVAILABLE = "root_unavailable"
    CREDENTIALS_REJECTED = "credentials_rejected"
    UNKNOWN_MODEL = "unknown_model"
    BUDGET_REACHED = "budget_reached"
    CONNECTION_FAILED = "connection_failed"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DATABASE_REFUSED = "database_refused"
    MODEL_REPLACED = "model_replaced"
    DATABASE_BUSY = "database_busy"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"
    MALFORMED_REPLY = "malformed_reply"
    COUNT_MISMATCH = "count_mismatch"
    ORDER_MISMATCH = "order_mismatch"
    SOURCE_UNREADABLE = "source_unreadable"
    UNEXPECTED = "unexpected"
    INPUT_REJECTED = "input_rejected"
    CONTEXT_TOO_LONG = "context_too_long"
    DIMENSION_MISMATCH = "dimension_mismatch"
    NON_FINITE = "non_finite"
    ZERO_VECTOR = "zero_vector"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    INVALID_DATA = "invalid_data"
    WORKER_LOST = "worker_lost"


class FailureStatus(str, Enum):
    """Where a failed document is: waiting for its next try, in the queue, with a person, or at an end."""

    RETRYING = "retrying"
    QUEUED = "queued"
    ESCALATED = "escalated"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"


def class_of(error_type: ErrorType) -> FailureClass:
    """The class of an error type, by the table above; one that no case names is a type error."""
    match error_type:
        case ErrorType.RATE_LIMITED:
            return FailureClass.THROTTLED
        case (
            ErrorType.ROOT_UNAVAILABLE
            | ErrorType.CREDENTIALS_REJECTED
            | ErrorType.UNKNOWN_MODEL
            | ErrorType.BUDGET_REACHED
            | ErrorType.CONNECTION_FAILED
            | ErrorType.DATABASE_UNAVAILABLE
            | ErrorType.DATABASE_REFUSED
            | ErrorType.MODEL_REPLACED
        ):
            return FailureClass.SYSTEMIC
        case (
            ErrorType.DATABASE_BUSY
            | ErrorType.PROVIDER_UNAVAILABLE
            | ErrorType.PROVIDER_TIMEOUT
            | ErrorType.MALFORMED_REPLY
            | ErrorType.COUNT_MISMATCH
            | ErrorType.ORDER_MISMATCH
            | ErrorType.SOURCE_UNREADABLE
            | ErrorType.UNEXPECTED
        ):
            return FailureClass.TRANSIENT
        case (
            ErrorType.INPUT_REJECTED
            | ErrorType.CONTEXT_TOO_LONG
            | ErrorType.DIMENSION_MISMATCH
            | ErrorType.NON_FINITE
            | ErrorType.ZERO_VECTOR
            | ErrorType.UNDECODABLE
            | ErrorType.TOO_LARGE
            | ErrorType.INVALID_DATA
            | ErrorType.WORKER_LOST
        ):
            return FailureClass.POISON
        case _:
            assert_never(error_type)


class EmbeddingAssetsError(Exception):
    """Base of every error of ours. Its message says what to do; it never holds document text or secrets."""


class ClassifiedError(EmbeddingAssetsError):
    """An error with a place in the table. `status` is the provider's HTTP status, where there was one."""

    def __init__(self, error_type: ErrorType, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.status = status
        # In the metrics: an error that goes up through several that count is counted by the first.
        self.is_counted = False

    @property
    def failure_class(self) -> FailureClass:
        """What this error says about the document."""
        return class_of(self.error_type)


class SourceError(ClassifiedError):
    """A source could not list or fetch."""


class ProviderError(ClassifiedError):
    """An embedding provider did not return usable vectors. `retry_after` is in seconds, when the provider said so."""

    def __init__(
        self, error_type: ErrorType, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(error_type, message, status=status)
        self.retry_after = retry_after


class EverybodysFailure(ProviderError):
    """What a harmless input meets as well, whatever the class of its type: it fails the run and is charged to no document."""


class WireFormatRefused(ProviderError):
    """The provider does not take the encoding it was asked for; the embedder asks for another one from now on."""


class StoreError(ClassifiedError):
    """PostgreSQL refused or went away."""


class NotificationFailed(EmbeddingAssetsError):
    """Nobody was told; whatever it was is told again later."""


class DocumentMissing(EmbeddingAssetsError):
    """The source says definitely that this document does not exist, while its root is readable: a deletion."""
