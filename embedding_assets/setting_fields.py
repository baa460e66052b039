"""How a setting is declared, with its unit, bounds and meaning, and read back as words for messages and the page of settings.

Not here: which settings there are (settings).
"""

from typing import Any, cast

from pydantic import BaseModel, Field, JsonValue


def setting(default: object, allowed: str, says: str) -> Any:
    """A field whose value may be what `allowed` says."""
    return Field(default, description=says, json_schema_extra=_extra(allowed))


def number(default: float, unit: str, low: float, high: float, says: str) -> Any:
    """A field of a number from `low` to `high`."""
    return Field(
        default,
        ge=low,
        le=high,
        allow_inf_nan=False,
        description=says,
        json_schema_extra=_extra(f"{low:,} to {high:,} {unit}"),
    )


def allowed_for(model: type[BaseModel], name: str) -> str:
    """What the field's variable may be."""
    return str(cast("dict[str, object]", model.model_fields[name].json_schema_extra)["allowed"])


def is_secret(model: type[BaseModel], name: str) -> bool:
    """Whether the field's value must not be shown."""
    return "SecretStr" in str(model.model_fields[name].annotation)


def default_of(model: type[BaseModel], name: str) -> str:
    """The field's default as the page and messages show it."""
    field = model.model_fields[name]
    value = field.get_default()
    if field.is_required():
        return "none, required"
    if isinstance(value, tuple):
        return ",".join(f"{rung:g}" for rung in cast("tuple[float, ...]", value))
    return "unset" if value is None else str(value)


def _extra(allowed: str) -> dict[str, JsonValue]:
    return {"allowed": allowed}
