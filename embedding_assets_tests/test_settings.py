"""Settings from the environment: defaults, bounds, masked secrets, and the generated page in step."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from embedding_assets.domain.backoff import LADDER_SECONDS
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.settings import (
    Settings,
    SettingsError,
    load_settings,
    unknown_variables,
    variable_of,
)
from embedding_assets_tests.contracts.dump_settings import SETTINGS_FILE, settings_table

URL = "postgresql://user:private@host/database"


def _settings(**given: str) -> Settings:
    named = {variable_of(field): value for field, value in given.items()}
    return load_settings({variable_of("database_url"): URL} | named)


def _mistake(**given: str) -> str:
    with pytest.raises(SettingsError) as caught:
        _settings(**given)
    return str(caught.value)


def test_the_database_url_alone_is_enough() -> None:
    settings = _settings()
    assert settings.database_url.get_secret_value() == URL
    assert settings.dagster_database_url is None
    assert settings.api_key is None
    assert settings.home == Path(".embedding-assets")
    assert settings.collections_file == Path("collections.toml")
    assert settings.retry_ladder_seconds == LADDER_SECONDS
    assert (settings.lease_seconds, settings.max_claim_seconds, settings.max_run_seconds) == (60, 600, 1800)


def test_an_unset_database_url_is_an_error_that_names_it_and_both_ways_out() -> None:
    with pytest.raises(SettingsError, match="EMBEDDING_ASSETS_DATABASE_URL is not set") as caught:
        load_settings({})
    assert "postgresql://" in str(caught.value)
    assert "`embedded`" in str(caught.value)


def test_an_empty_variable_counts_as_unset() -> None:
    assert _settings(pool_size="", api_key="").pool_size == 8
    assert "is not set" in _mistake(database_url="")


@pytest.mark.parametrize("url", ["embedded", "postgresql://h/d", "postgres://h/d"])
def test_a_database_is_postgresql_or_embedded(url: str) -> None:
    assert _settings(database_url=url).database_url.get_secret_value() == url


def test_dagsters_database_cannot_be_embedded_by_itself() -> None:
    assert "EMBEDDING_ASSETS_DAGSTER_DATABASE_URL" in _mistake(dagster_database_url="embedded")


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", "embedded")
    monkeypatch.setenv("EMBEDDING_ASSETS_CLAIM_DOCUMENTS", "7")
    assert load_settings().claim_documents == 7


def test_the_line_end_of_a_file_is_not_part_of_a_key() -> None:
    settings = load_settings({"EMBEDDING_ASSETS_DATABASE_URL": " embedded", "EMBEDDING_ASSETS_API_KEY": "sk-1\n"})
    assert settings.database_url.get_secret_value() == "embedded"
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "sk-1"


def test_a_misspelt_variable_is_found_with_the_one_that_was_meant() -> None:
    environ = {variable_of(name): "1" for name in Settings.model_fields} | {
        "EMBEDDING_ASSETS_DAGSTER_URL": "",
        "HOME": "",
    }
    assert unknown_variables(environ) == {}
    misspelt = {"EMBEDDING_ASSETS_LEASE_SECOND": "10", "EMBEDDING_ASSETS_XYZ": "1"}
    assert unknown_variables(environ | misspelt) == {
        "EMBEDDING_ASSETS_LEASE_SECOND": "EMBEDDING_ASSETS_LEASE_SECONDS",
        "EMBEDDING_ASSETS_XYZ": None,
    }


def test_values_are_read_in_their_units() -> None:
    settings = _settings(
        settle_interval_seconds="0.5", retry_ladder_seconds="1, 2.5,10", home="~/kept", api_base="http://localhost:4000"
    )
    assert settings.settle_interval_seconds == 0.5
    assert settings.retry_ladder_seconds == (1.0, 2.5, 10.0)
    assert settings.home == Path.home() / "kept"
    assert settings.api_base == "http://localhost:4000"


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("lease_seconds", "0.5", "1 to 3,600 seconds"),
        ("lease_seconds", "nan", "1 to 3,600 seconds"),
        ("lease_seconds", "2 minutes", "1 to 3,600 seconds"),
        ("pool_size", "1", "2 to 100 connections"),
        ("pool_size", "8.5", "2 to 100 connections"),
        ("claim_documents", "1000000", "1 to 10,000 documents"),
        ("max_claim_seconds", "59", "60 seconds or more, which is EMBEDDING_ASSETS_LEASE_SECONDS"),
        ("retry_ladder_seconds", "300,60", "seconds above 0, separated by commas, none shorter than the one before"),
        ("retry_ladder_seconds", "300,,600", "seconds above 0, separated by commas, none shorter than the one before"),
        ("retry_ladder_seconds", "inf", "seconds above 0, separated by commas, none shorter than the one before"),
        ("api_base", "provider.internal", "a URL, http:// or https://"),
        ("notify_timeout_seconds", "0", "1 to 60 seconds"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_what_is_allowed(field: str, value: str, allowed: str) -> None:
    assert _mistake(**{field: value}) == f"{variable_of(field)} is {value!r}; allowed: {allowed}"


def test_a_default_that_another_setting_rules_out_is_named_too() -> None:
    expected = "EMBEDDING_ASSETS_MAX_CLAIM_SECONDS is 600 (the default); allowed: 1000 seconds or more"
    assert _mistake(lease_seconds="1000").startswith(expected)


def test_all_mistakes_are_reported_at_once() -> None:
    assert len(_mistake(pool_size="x", settle_documents="0", api_base="x").splitlines()) == 3


@pytest.mark.parametrize("url", ["ftp://chat.example/private", "file:///etc/private", "chat.example/private"])
def test_a_webhook_is_http_and_its_url_a_secret(url: str) -> None:
    assert _mistake(notify_webhook_url=url) == (
        "EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL is ***; allowed: a URL, http:// or https://"
    )
    assert "private" not in repr(_settings(notify_webhook_url="https://chat.example/private"))


def test_no_message_or_traceback_shows_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        _settings(database_url="mysql://user:private@host/db", pool_size="x")
    assert "EMBEDDING_ASSETS_DATABASE_URL is ***; allowed: postgresql://" in str(caught.value)
    assert "private" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "private" not in repr(_settings(api_key="private", dagster_database_url=URL))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _settings().pool_size = 9


def test_mistakes_are_errors_of_ours() -> None:
    assert issubclass(SettingsError, EmbeddingAssetsError)


def test_the_page_of_settings_is_in_step() -> None:
    """`make schema` writes it anew."""
    assert SETTINGS_FILE.read_text(encoding="utf-8") == settings_table()
