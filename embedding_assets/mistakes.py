"""A person's mistakes in a file's tables, as sentences: the key's path, its value, and what is allowed.

Not here: the tables themselves (collections_file, limit_tables, model_tables).
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from embedding_assets.domain.redaction import is_secret

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def refused(key: str, value: object, allowed: str) -> PydanticCustomError:
    """What a table's validator raises about one of its keys; a path below it has dots."""
    return PydanticCustomError("refused", "{allowed}", {"key": key, "value": value, "allowed": allowed})


def mistakes_of(error: ValidationError, top: type[BaseModel]) -> list[str]:
    """One sentence for each mistake that pydantic found in a file whose top level is `top`."""
    return [_mistake(detail, top) for detail in error.errors(include_url=False)]


def misplaced_secrets(values: object, path: Sequence[str] = ()) -> Iterator[str]:
    """One sentence for each value of the file that is a secret by its name or its look; never the value."""
    if isinstance(values, dict):
        for name, value in cast("dict[str, object]", values).items():
            yield from misplaced_secrets(value, [*path, name])
    elif isinstance(values, list):
        for value in cast("list[object]", values):
            yield from misplaced_secrets(value, path)
    elif isinstance(values, str) and path and is_secret(path[-1], values):
        yield f"{_dotted(path)} looks like a secret: secrets are environment variables (docs/settings.md), never in this file"


def _mistake(detail: ErrorDetails, top: type[BaseModel]) -> str:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            # Without its value, which may be a secret put into the wrong place.
            return f"{_dotted(path)} is not a known key; {_nearest(path[-1], _keys_at(path[:-1], top))}"
        case "missing":
            return f"{_dotted(path)} is missing"
        case "refused":
            path += str(context["key"]).split(".")
            return f"{_dotted(path)} is {_shown(context['value'])}; allowed: {context['allowed']}"
        case "model_type" | "dict_type":
            allowed = "a table"
        case "string_pattern_mismatch":
            allowed = f"a text that matches {context['pattern']}"
        case _:
            allowed = detail["msg"].removeprefix("Input should be ")
    return f"{_dotted(path)} is {_shown(detail['input'])}; allowed: {allowed}"


def _keys_at(path: Sequence[str], top: type[BaseModel]) -> list[str]:
    """The keys of the table at `path`, which may lead through tables of tables (`dict[str, …]`)."""
    table: object = top
    for name in path:
        if isinstance(table, type) and issubclass(table, BaseModel):
            table = table.model_fields[name].annotation
        else:
            table = get_args(table)[1]
    return list(cast("type[BaseModel]", table).model_fields)


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(known)}"


def _dotted(path: Sequence[str]) -> str:
    return ".".join(part if _BARE_KEY.fullmatch(part) else f'"{part}"' for part in path)


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return "a table" if isinstance(value, dict) else repr(value)
