"""The faults a simulated provider can be told to have, as values.

Not here: acting them out (app) or switching them over HTTP (control).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum


class FaultKind(str, Enum):
    """What goes wrong. The first group replaces the whole reply, the second spoils an honest one."""

    STATUS = "status"
    RESET = "reset"
    CONTEXT_TOO_LONG = "context_too_long"
    REFUSE_BASE64 = "refuse_base64"
    NOT_JSON = "not_json"

    DELAY = "delay"
    FLOATS_ONLY = "floats_only"
    NO_USAGE = "no_usage"
    ONE_TOO_FEW = "one_too_few"
    REORDERED = "reordered"
    WRONG_INDEXES = "wrong_indexes"
    SHIFTED_INDEXES = "shifted_indexes"
    NAN = "nan"
    ZERO = "zero"
    HUGE = "huge"
    WRONG_DIMENSION = "wrong_dimension"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, acted out on the requests it matches.

    It matches a request with an input that contains `marker` and is longer than `longer_than` characters; `nan`, `zero`,
    `huge` (70,000: a halfvec holds 65,504) and `wrong_dimension` spoil only those inputs' vectors. `times` bounds the
    requests it is acted out on (None: all). `status`, `code`, `message` and `retry_after` (the header's value) shape an
    error reply; `seconds` to `seconds_max` is the delay of `delay`, longer than the caller's time-out to make one.
    """

    kind: FaultKind
    marker: str = ""
    longer_than: int = -1
    times: int | None = None
    status: int = 500
    code: str | None = None
    message: str = "simulated fault"
    retry_after: str | None = None
    seconds: float = 0.0
    seconds_max: float | None = None

    def matches_input(self, text: str) -> bool:
        """Whether this input is one the fault is about."""
        return self.marker in text and len(text) > self.longer_than

    def matches(self, inputs: Sequence[str], encoding_format: str | None) -> bool:
        """Whether the fault is acted out on this request."""
        if self.kind is FaultKind.REFUSE_BASE64 and encoding_format != "base64":
            return False
        return any(self.matches_input(text) for text in inputs)

    def as_json(self) -> dict[str, object]:
        """The fault as the control endpoint takes it."""
        return {**asdict(self), "kind": self.kind.value}


def fault_from_json(values: Mapping[str, object]) -> Fault:
    """The fault of a control request.

    Raises:
        ValueError: an unknown kind or key.
    """
    unknown = sorted(set(values) - {field.name for field in fields(Fault)})
    if unknown:
        message = f"unknown keys of a fault: {', '.join(unknown)}"
        raise ValueError(message)
    settings = {**values, "kind": FaultKind(values["kind"])}
    return Fault(**settings)  # pyright: ignore[reportArgumentType] the control endpoint is ours
