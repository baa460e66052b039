"""What people are told without having asked: documents that were given up, runs that failed.

Counts, error types, document keys and one sentence; never a document's text. Not here: to whom, and how (a `Notifier`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

# Of one notice.
EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class EscalatedDocument:
    """A document that is not tried again until a person says so, or its content changes."""

    document_key: str
    episode: int
    error_type: str
    attempts: int
    last_failed_at: datetime


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that ended in a failure, and why, in one sentence."""

    run_id: str
    job: str
    reason: str


@dataclass(frozen=True, slots=True)
class EscalationNotice:
    """`count` documents of a collection were escalated; `examples` are some of them."""

    collection: str
    count: int
    error_types: Mapping[str, int]
    examples: Sequence[EscalatedDocument]

    @property
    def sentence(self) -> str:
        """All of it in one line, for a person."""
        documents = "1 document was" if self.count == 1 else f"{self.count:,} documents were"
        kinds = ", ".join(f"{count:,} {error_type}" for error_type, count in self.error_types.items())
        return (
            f"{documents} given up in collection {self.collection} ({kinds}): "
            f"embedding-assets failures list -c {self.collection} --status escalated"
        )


@dataclass(frozen=True, slots=True)
class FailedRunsNotice:
    """`count` runs of a collection's jobs failed; `examples` are some of them, the latest last."""

    collection: str
    count: int
    examples: Sequence[FailedRun]

    @property
    def sentence(self) -> str:
        """All of it in one line, for a person."""
        last = self.examples[-1]
        runs = "a run" if self.count == 1 else f"{self.count:,} runs"
        latest = "" if self.count == 1 else ", the latest"
        return f"{runs} of collection {self.collection} failed{latest} {last.job} ({last.run_id[:8]}): {last.reason}"


Notice: TypeAlias = "EscalationNotice | FailedRunsNotice"


def escalation_notice(collection: str, documents: Sequence[EscalatedDocument]) -> EscalationNotice:
    """The notice about these documents: the commonest error first, up to ten examples."""
    kinds = Counter(document.error_type for document in documents)
    return EscalationNotice(collection, len(documents), dict(kinds.most_common()), documents[:EXAMPLES])
