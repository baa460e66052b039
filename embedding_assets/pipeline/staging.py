"""Takes what a source lists into the session that will compare it, some thousand entries at a time.

The source is read in threads, with no transaction open: a million entries never sit in memory, and a slow source pins no snapshot.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from embedding_assets.domain.documents import ChangedDocument, ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.threads import run_in_time
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import source_listings
from embedding_assets.store.database import Tx

T = TypeVar("T")

_ENTRIES_AT_ONCE = 5000
# A row of a PostgreSQL index holds 2,704 bytes, and some of ours hold more than the key.
_LONGEST_KEY_BYTES = 2000


async def staged(
    bench: Workbench, session: Tx, listing: Callable[[], Iterator[ListedDocument] | Iterator[ChangedDocument]]
) -> int:
    """Fill the session's listing with what `listing` gives; of a document that comes twice the last entry counts.

    Returns how many were left out: a key that is not UTF-8, holds NUL or is too long for an index cannot be a reference in
    PostgreSQL; it is counted, not lost silently, and does not keep the others from being compared.

    Raises:
        SourceError: as the source does; and `root_unavailable` where it hangs.
    """
    await source_listings.open_listing(session)
    entries = await asked(bench, lambda: iter(listing()))
    unnameable = 0
    while batch := await asked(bench, lambda: list(islice(entries, _ENTRIES_AT_ONCE))):
        nameable = [entry for entry in batch if _is_nameable(entry.document_key)]
        unnameable += len(batch) - len(nameable)
        await source_listings.stage(session, nameable)
    await source_listings.complete(session)
    return unnameable


async def asked(bench: Workbench, question: Callable[[], T]) -> T:
    """What the source answers, in a thread that is left behind when it hangs."""
    seconds = bench.pace.max_run_seconds
    try:
        return await run_in_time(question, seconds=seconds)
    except TimeoutError:
        message = f"the source said nothing for {seconds:g} s while it was polled; see whether what holds it answers"
        raise SourceError(ErrorType.ROOT_UNAVAILABLE, message) from None


def _is_nameable(document_key: str) -> bool:
    try:
        raw = document_key.encode()
        return b"\0" not in raw and len(raw) <= _LONGEST_KEY_BYTES
    except UnicodeEncodeError:
        return False
