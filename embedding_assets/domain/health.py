"""What is well and what is not, of numbers about what is stored: the judgements behind the asset checks.

Not here: where the numbers come from (store), how a check is shown (defs/checks).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EXAMPLES = 5
# One failure among sixty documents is no trend: so many documents must have failed before the rate says anything.
_FEW_DOCUMENTS = 3
_FAILURE_RATE_ALLOWED = 0.001
_RECALL_WANTED = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `examples` are documents it is about, up to five; `state` says why nothing was judged."""

    passed: bool
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    examples: Sequence[str] = ()
    state: str = ""


def judge_count(found: int, examples: Sequence[str] = ()) -> Finding:
    """Rows that should not be: well when there are none."""
    return Finding(not found, {"found": found}, examples[:EXAMPLES])


def judge_failure_rate(failed: int, processed: int, examples: Sequence[str]) -> Finding:
    """Documents that failed at least once against those that failed or were published, over the same time."""
    rate = failed / processed if processed else 0.0
    passed = failed < _FEW_DOCUMENTS or rate <= _FAILURE_RATE_ALLOWED
    return Finding(passed, {"failed": failed, "processed": processed, "failure_rate": rate}, examples[:EXAMPLES])


def judge_index(
    *, rows: int, at_least_rows: int, valid: bool | None, being_built: bool, loading: bool, name: str
) -> Finding:
    """A table of `at_least_rows` needs an index that is valid (None: there is none), unless it is on its way."""
    numbers: dict[str, float] = {"rows": rows}
    if valid:
        return Finding(True, numbers)
    if being_built:
        return Finding(True, numbers, state=f"{name} is being built")
    if valid is False:
        return Finding(False, numbers, state=f"{name} is not valid: the build was interrupted; the next run repeats it")
    if rows < at_least_rows:
        return Finding(True, numbers, state=f"none needed: exact order is quick below {at_least_rows:,} vectors")
    if loading:
        return Finding(True, numbers, state="it is built when the load is over")
    return Finding(False, numbers, state=f"{name} is missing: a run or `embedding-assets maintain` builds it")


def judge_recall(found: int, neighbours: int, examples: Sequence[str]) -> Finding:
    """Of the neighbours that exact search finds, those that search by the index finds too."""
    recall = found / neighbours if neighbours else 1.0
    numbers = {"recall_at_10": recall, "neighbours": neighbours}
    return Finding(recall >= _RECALL_WANTED, numbers, examples[:EXAMPLES])
