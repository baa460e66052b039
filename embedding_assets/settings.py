"""Every environment variable we read, typed, with unit, bounds and default.

Not here: collections and limits, which are a file (collections_file), and what is built of these values (runtime).
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from embedding_assets.domain.backoff import LADDER_SECONDS
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.setting_fields import allowed_for, default_of, is_secret, number, setting

PREFIX = "EMBEDDING_ASSETS_"
EMBEDDED = "embedded"
# Not a setting: how the Dagster programs we start are told where their storage is.
DAGSTER_URL_VARIABLE = "EMBEDDING_ASSETS_DAGSTER_URL"

_HOUR, _DAY = 3600, 86_400
_MASKED = "***"


class SettingsError(EmbeddingAssetsError):
    """One or more environment variables are missing or wrong; the message names each, its value and what is allowed."""


class Settings(BaseModel):
    """What an operator decides for one installation; immutable. Fields are named as their variables, in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    database_url: SecretStr = setting(
        ...,
        f"postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or {EMBEDDED}",
        f"The PostgreSQL with pgvector that holds everything; `{EMBEDDED}` starts one in the home folder.",
    )
    dagster_database_url: SecretStr | None = setting(
        None,
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        "Dagster's own storage, best another database on the same server; unset: the database above.",
    )
    dagster_webserver_url: str = setting(
        "http://127.0.0.1:3000",
        "a URL, http:// or https://",
        "Dagster's webserver, where `launch` starts runs; the default is that of `up`.",
    )
    dagster_location: str = setting("embedding_assets", "a name", "What our code location is called in that Dagster.")
    dagster_patience_seconds: float = number(
        300, "seconds", 0, _DAY, "How long `launch` waits for a webserver that does not answer, at a time."
    )
    dagster_history_days: float = number(
        7, "days", 0.01, 3650, "Finished runs of our jobs are deleted from Dagster's storage after this."
    )
    home: Path = setting(
        Path(".embedding-assets"), "a folder", "Where the embedded server and Dagster keep their files."
    )
    collections_file: Path = setting(
        Path("collections.toml"), "a TOML file", "The file that names collections and limits."
    )

    api_base: str | None = setting(
        None, "a URL, http:// or https://", "The provider's address, where it is not LiteLLM's own choice."
    )
    api_key: SecretStr | None = setting(
        None, "a secret", "The provider's key; unset: LiteLLM looks for the provider's own variable."
    )
    request_timeout_seconds: float = number(60, "seconds", 1, 600, "How long one request to the provider may take.")

    lease_seconds: float = number(
        60, "seconds", 1, _HOUR, "How long a claim lasts without a heartbeat, and a killed worker's documents wait."
    )
    max_claim_seconds: float = number(
        600, "seconds", 1, _DAY, "How long a claim lasts whatever the heartbeat says: a hung worker loses it then."
    )
    max_run_seconds: float = number(1800, "seconds", 1, _DAY, "After this a run claims nothing new.")
    finish_seconds: float = number(
        240,
        "seconds",
        1,
        _HOUR,
        "How long after that a run may settle what it holds; a minute later Dagster takes it for hung and ends it.",
    )
    throttle_hold_seconds: float = number(
        10, "seconds", 0, _HOUR, "How long a claimed document waits for the shared limit before it is given back."
    )
    throttle_patience_seconds: float = number(
        65, "seconds", 0, _DAY, "How long a run that holds nothing waits for the shared limit before it ends."
    )
    unknown_usd_per_million_tokens: float = number(
        0.2, "US dollars", 0.000_001, 1000, "A model's price where neither the collections file nor LiteLLM knows it."
    )
    auto_reembed_max_usd: float = number(
        0, "US dollars", 0, 1_000_000, "What is stale is embedded again without approval where it costs no more."
    )
    claim_documents: int = number(200, "documents", 1, 10_000, "The most one claim takes.")
    settle_documents: int = number(50, "documents", 1, 1000, "The most one transaction publishes.")
    settle_interval_seconds: float = number(
        0.25, "seconds", 0.01, 60, "Finished documents wait no longer than this for others to be published with."
    )
    fetch_concurrency: int = number(4, "documents", 1, 64, "How many are fetched and chunked at a time.")
    embed_concurrency: int = number(4, "requests", 1, 64, "How many are at the provider at a time, for each run.")
    pool_size: int = number(8, "connections", 2, 100, "Database connections of one process.")

    vector_grace_seconds: float = number(
        _DAY, "seconds", 0, 30 * _DAY, "A vector nobody holds is kept so long: an edit taken back in time is free."
    )

    database_disk_gigabytes: float | None = setting(
        None,
        "gigabytes above 0",
        "What the database may fill of its disk, to forecast when it does; unset: no forecast.",
    )

    freshness_seconds: float = number(
        _HOUR, "seconds", 1, 30 * _DAY, "The promise: a change is published within this time."
    )
    poll_interval_seconds: float = number(
        300, "seconds", 60, _DAY, "How often a source is polled for changes; it counts towards the promise."
    )
    retry_ladder_seconds: tuple[float, ...] = setting(
        LADDER_SECONDS,
        "seconds above 0, separated by commas, none shorter than the one before",
        "Waits between attempts of a failed document; after the last it is escalated.",
    )
    retries_trigger: Literal["dagster", "argo"] = setting(
        "dagster",
        "dagster or argo",
        "Who brings failed documents back when they are due: Dagster's sensor, or Argo's schedule; the other is stopped.",
    )
    notify_webhook_url: SecretStr | None = setting(
        None,
        "a URL, http:// or https://",
        "Told of escalated documents and failed runs, as JSON by POST; unset: nobody is told by us.",
    )
    notify_timeout_seconds: float = number(
        10, "seconds", 1, 60, "How long telling somebody may take before it counts as not told and is tried again."
    )

    metrics_host: str = setting("127.0.0.1", "an address of this machine", "Where `metrics serve` listens.")
    metrics_port: int = number(9808, "(a port)", 1, 65_535, "The port that `metrics serve` listens on.")

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        url = value.get_secret_value() if value else ""
        embedded = url == EMBEDDED and info.field_name == "database_url"
        if value and not embedded and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError
        return value

    @field_validator("api_base", "dagster_webserver_url", "notify_webhook_url")
    @classmethod
    def _is_http(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        url = value.get_secret_value() if isinstance(value, SecretStr) else value
        if url and not url.startswith(("http://", "https://")):
            raise ValueError
        return value

    @field_validator("database_disk_gigabytes")
    @classmethod
    def _is_a_size(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value < float("inf"):
            raise ValueError
        return value

    @field_validator("home", "collections_file")
    @classmethod
    def _expanded(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("max_claim_seconds")
    @classmethod
    def _not_below_the_lease(cls, value: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease_seconds", value)
        if value < lease:
            message = f"{lease:g} seconds or more, which is {variable_of('lease_seconds')}"
            raise ValueError(message)
        return value

    @field_validator("retry_ladder_seconds", mode="before")
    @classmethod
    def _from_commas(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("retry_ladder_seconds")
    @classmethod
    def _is_ladder(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        finite = all(0 < rung < float("inf") for rung in value)
        if not value or not finite or list(value) != sorted(value):
            raise ValueError
        return value

    @property
    def database_disk_bytes(self) -> float | None:
        """What the database may fill of its disk; None where nobody told."""
        return None if self.database_disk_gigabytes is None else self.database_disk_gigabytes * 1e9


def variable_of(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    return PREFIX + field.upper()


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Variables with our prefix that are no setting, and the setting that was probably meant."""
    known = [*map(variable_of, Settings.model_fields), DAGSTER_URL_VARIABLE]
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return {name: _meant(name) for name in unknown}


def _meant(name: str) -> str | None:
    # Without the prefix, which alone would make any two names alike.
    near = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), Settings.model_fields, n=1)
    return variable_of(near[0]) if near else None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environ` (the process's own when None). A variable that is set but empty counts as unset.

    Blanks and line ends around a value are not part of it: a key read from a file ends in one.

    Raises:
        SettingsError: the database's URL is missing, or values are not allowed; secrets are masked.
    """
    source = os.environ if environ is None else environ
    given = {name: value for name in Settings.model_fields if (value := source.get(variable_of(name), "").strip())}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = {str(detail["loc"][0]): detail for detail in reversed(error.errors())}
    # Out of the handler, so that no traceback carries a secret.
    lines = [_problem(name, given.get(name), problems[name]) for name in Settings.model_fields if name in problems]
    raise SettingsError("\n".join(lines))


def load_launch_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The same for one who launches runs in Dagster: it reaches no database, and need not be trusted with one.

    Raises:
        SettingsError: values are not allowed.
    """
    source = os.environ if environ is None else environ
    return load_settings({variable_of("database_url"): EMBEDDED, **source})


def _problem(name: str, value: str | None, detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return (
            f"{variable_of(name)} is not set: set it to the URL of a PostgreSQL with pgvector "
            f"(postgresql://USER:PASSWORD@HOST:PORT/DATABASE), or to `{EMBEDDED}` for one in a folder of this project"
        )
    allowed = str(detail.get("ctx", {}).get("error", "")) or allowed_for(Settings, name)
    shown = repr(value) if value is not None else f"{default_of(Settings, name)} (the default)"
    return f"{variable_of(name)} is {_MASKED if is_secret(Settings, name) else shown}; allowed: {allowed}"
