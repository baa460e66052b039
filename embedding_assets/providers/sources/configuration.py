"""Values of a collection's `source` table, checked: each mistake as a sentence with its key, value and what is allowed.

Not here: which keys a type of source has (its own module).
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import cast


def check_keys(config: Mapping[str, object], allowed: Sequence[str]) -> None:
    """Raise for a key that this type of source does not have."""
    for key in config:
        if key not in {"type", *allowed}:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            # Without its value, which may be a secret put into the wrong place.
            msg = f"source of type {config['type']!r}: unknown key {key!r}; {hint}allowed: type, {', '.join(allowed)}"
            raise ValueError(msg)


def globs_of(config: Mapping[str, object], key: str) -> tuple[str, ...]:
    """A list of globs."""
    texts = _texts(config[key])
    if texts is None:
        raise refuse(config, key, "a list of globs, such as ['*']")
    return texts


def of_type(config: Mapping[str, object], key: str, kind: type) -> object:
    """A value of this type."""
    value = config[key]
    # bool is an int to Python, not to the person who wrote `max_bytes = true`.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise refuse(config, key, f"of type {kind.__name__}")
    return value


def required_text(config: Mapping[str, object], key: str, allowed: str) -> str:
    """A text that must be there."""
    text = text_of(config, key, allowed)
    if text is None:
        msg = f"source of type {config['type']!r}: {key} is missing; it must be {allowed}"
        raise ValueError(msg)
    return text


def text_of(config: Mapping[str, object], key: str, allowed: str) -> str | None:
    """A text that is not empty; None where the key is not there."""
    value = config.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise refuse(config, key, allowed)
    return value


def texts_of(config: Mapping[str, object], key: str, allowed: str, *, required: bool = False) -> tuple[str, ...]:
    """One text or a list of them, each not empty and none twice."""
    value = config.get(key)
    if value is None and not required:
        return ()
    if value is None:
        required_text(config, key, allowed)
    texts = (value,) if isinstance(value, str) else _texts(value)
    if not texts or not all(text.strip() for text in texts) or len(set(texts)) < len(texts):
        raise refuse(config, key, allowed)
    return texts


def number_of(config: Mapping[str, object], key: str, default: int, *, least: int, most: int | None = None) -> int:
    """A whole number within bounds."""
    if key not in config:
        return default
    value = of_type(config, key, int)
    assert isinstance(value, int)
    if value < least or (most is not None and value > most):
        raise refuse(config, key, f"{least} or more" if most is None else f"{least} to {most}")
    return value


def refuse(config: Mapping[str, object], key: str, allowed: str) -> ValueError:
    """The error to raise."""
    return ValueError(f"source of type {config['type']!r}: {key} = {config.get(key)!r} must be {allowed}")


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    values = cast("Sequence[object]", value)
    texts = tuple(text for text in values if isinstance(text, str))
    return texts if len(texts) == len(values) else None
