"""What may be logged of an error that nobody foresaw: its types and the places they were raised at.

Never its message, which may quote a document or a secret. Not here: the types that are foreseen (failures).
"""

import traceback
from collections.abc import Iterator


def described(error: BaseException) -> str:
    """The types from the error back to its first cause, and the place of each; several lines."""
    return "\n".join(
        f"{type(link).__module__}.{type(link).__qualname__}\n{''.join(traceback.format_tb(link.__traceback__))}".rstrip()
        for link in causes(error)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from or during, and so on; each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
