"""The collections file: what it stands for, every mistake named, and the example beside it in step."""

import re
import sys
from pathlib import Path

import pytest

from embedding_assets.collections_file import (
    CollectionEntry,
    CollectionsFile,
    CollectionsFileError,
    default_collections,
    load_collections_file,
    parse_collections,
)
from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.limit_tables import BudgetsTable, LimitEntry
from embedding_assets.model_tables import ChunkingTable, IndexTable, ModelTable
from embedding_assets.sources import source_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parent.parent / "collections.example.toml"
SMALLEST = """
[collections.docs]
source = { type = "python-stdlib" }
model = { name = "local/wordllama-256", dimensions = 256 }
"""
# Keys of the example whose comment shows a value other than the default, because the default is none.
WITHOUT_DEFAULT = {"usd_per_million_tokens", "inputs_per_minute", "tokens_per_minute"}


def _mistake(text: str) -> str:
    with pytest.raises(CollectionsFileError) as caught:
        parse_collections(text, file="given.toml")
    return str(caught.value)


def _example_uncommented() -> str:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return "\n".join(re.sub(r"^# (?=\w+ = )", "", line) for line in lines)


def test_the_smallest_file_gets_every_default() -> None:
    entry = parse_collections(SMALLEST).collections["docs"]
    assert entry.chunking_strategy() == ChunkingStrategy()
    assert entry.embedding_model() == EmbeddingModel("local/wordllama-256", 256)
    assert entry.packing_caps() == PackingCaps(64, 20_000)
    assert (entry.owner, entry.weight, entry.paused, entry.limit) == ("", 1.0, False, None)
    assert entry.budgets.model_dump(exclude_none=True) == {}


def test_what_the_file_says_reaches_the_domain() -> None:
    text = """
    [collections.docs]
    source = { type = "directory", path = "docs" }
    chunking = { size = 400, overlap = 40 }
    limit = "openai"
    [collections.docs.model]
    name = "openai/text-embedding-3-large"
    dimensions = 3072
    storage = "halfvec"
    distance = "ip"
    input_template = "{title}: {content}"
    normalized = true
    max_inputs_per_request = 100
    max_tokens_per_request = 300_000
    [limits.openai]
    requests_per_minute = 450
    share = 0.7
    """
    file = parse_collections(text)
    entry = file.collections["docs"]
    assert entry.chunking_strategy() == ChunkingStrategy(size=400, overlap=40)
    assert entry.embedding_model() == EmbeddingModel(
        "openai/text-embedding-3-large", 3072, "halfvec", Distance.INNER_PRODUCT, "{title}: {content}", normalized=True
    )
    assert entry.packing_caps() == PackingCaps(100, 300_000)
    assert file.limits["openai"] == LimitEntry(requests_per_minute=450, share=0.7)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chunking.overlap = 900", "collections.docs.chunking.overlap is 900; allowed: 0 to 799 characters"),
        ("chunking.size = 0", "collections.docs.chunking.size is 0; allowed: 1 or more characters"),
        ('chunking.size = "800"', "collections.docs.chunking.size is '800'; allowed: a valid integer"),
        ('chunking.strategy = "tokens"', """collections.docs.chunking.strategy is 'tokens'; allowed: "recursive\""""),
        ("weight = 0", "collections.docs.weight is 0; allowed: greater than 0"),
        ("weight = inf", "collections.docs.weight is inf; allowed: a finite number"),
        ("owner = { name = 'x' }", "collections.docs.owner is a table; allowed: a valid string"),
        ("chunking = 800", "collections.docs.chunking is 800; allowed: a table"),
        ("chunking.sizes = 800", "collections.docs.chunking.sizes is not a known key; did you mean size?"),
        ("onwer = 'x'", "collections.docs.onwer is not a known key; did you mean owner?"),
        ("zzz = 1", "collections.docs.zzz is not a known key; allowed: owner, weight"),
        ("budgets.max_usd_per_day = -1", "collections.docs.budgets.max_usd_per_day is -1; allowed: greater than 0"),
        ("limit = 'openai'", "collections.docs.limit is 'openai'; allowed: the name of a limit of this file"),
    ],
)
def test_a_mistake_names_file_key_value_and_what_is_allowed(line: str, expected: str) -> None:
    assert _mistake(f"{SMALLEST}\n{line}").startswith(f"given.toml: {expected}")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("dimensions = 2001", "dimensions is 2001; allowed: 1 to 2000, what pgvector can index"),
        ("dimensions = 4001\nstorage = 'halfvec'", "dimensions is 4001; allowed: 1 to 4000"),
        ("dimensions = 0", "dimensions is 0; allowed: greater than 0"),
        ("dimensions = 8\ninput_template = '{title}'", "input_template is '{title}'; allowed: a text with {content}"),
        (
            "dimensions = 8\ninput_template = '{heading}: {content}'",
            (
                "input_template is '{heading}: {content}'; allowed: a text with {content} in it, and {title} and {headings} if "
                "wanted; {heading} is not one of them"
            ),
        ),
        ("dimensions = 8\ndistance = 'manhattan'", "distance is 'manhattan'; allowed: 'cosine', 'ip' or 'l2'"),
        ("dimensions = 8\nindex.m = 64", "index.ef_construction is 64; allowed: 128 or more, which is twice m"),
        ("storage = 'vector'", "dimensions is missing"),
    ],
)
def test_a_model_that_could_not_be_stored_or_asked_is_refused(model: str, expected: str) -> None:
    text = f"[collections.docs]\nsource.type = 'x'\n[collections.docs.model]\nname = 'm'\n{model}"
    assert _mistake(text).startswith(f"given.toml: collections.docs.model.{expected}")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("share = 0.7", "requests_per_minute is missing; allowed: a number above 0 here, or in inputs_per_minute"),
        ("requests_per_minute = 9\nshare = 0.0", "share is 0.0; allowed: greater than 0"),
        ("requests_per_minute = 9\nshare = 1.1", "share is 1.1; allowed: less than or equal to 1"),
        ("requests_per_minute = 9\nceiling_on = 'both'", "ceiling_on is 'both'; allowed: 'own' or 'total'"),
        ("request_per_minute = 9", "request_per_minute is not a known key; did you mean requests_per_minute?"),
    ],
)
def test_a_limit_that_limits_nothing_or_too_much_is_refused(limit: str, expected: str) -> None:
    text = f'{SMALLEST}\n[limits."vertex/embeddings"]\n{limit}'
    assert f'given.toml: limits."vertex/embeddings".{expected}' in _mistake(text)


@pytest.mark.parametrize("name", ["Docs", "1docs", "_docs", "my-docs", "d" * 42, "döcs"])
def test_a_collection_name_that_is_no_identifier_is_refused(name: str) -> None:
    assert "allowed: a text that matches ^[a-z]" in _mistake(SMALLEST.replace("docs", f'"{name}"'))


def test_all_mistakes_are_reported_at_once() -> None:
    text = SMALLEST.replace("256 }", "9999 }") + "weight = -1\n[collections.docs.chunking]\noverlap = 1000\n"
    assert len(_mistake(text).splitlines()) == 3


def test_a_source_without_a_type_is_refused_and_other_keys_are_left_to_the_source() -> None:
    without = SMALLEST.replace('type = "python-stdlib"', "path = 'x'")
    assert "collections.docs.source.type is missing; allowed: the name of a source" in _mistake(without)
    more = SMALLEST.replace('type = "python-stdlib"', "type = 'mine', anything = [1, 2]")
    assert parse_collections(more).collections["docs"].source == {"type": "mine", "anything": [1, 2]}


def test_the_value_of_an_unknown_key_stays_out_of_the_message() -> None:
    text = SMALLEST.replace("dimensions = 256", "dimensions = 256, api_key = 'sk-private'")
    assert "collections.docs.model.api_key is not a known key" in _mistake(text)
    assert "sk-private" not in _mistake(text)


def test_a_file_without_collections_is_refused() -> None:
    assert _mistake("") == "given.toml: collections is missing"
    assert _mistake("[collections]").startswith("given.toml: collections is a table; allowed: ")


def test_text_that_is_not_toml_is_refused_with_its_place() -> None:
    assert re.match(r"given\.toml: not TOML: .*line 2", _mistake("\nx = = 1"))


def test_a_missing_file_points_to_the_example(tmp_path: Path) -> None:
    with pytest.raises(CollectionsFileError, match=r"none\.toml: .*copy collections\.example\.toml"):
        load_collections_file(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("# Überschrift".encode("latin-1"))
    with pytest.raises(CollectionsFileError, match="not UTF-8 at byte 2"):
        load_collections_file(path)


def test_mistakes_are_errors_of_ours() -> None:
    assert issubclass(CollectionsFileError, EmbeddingAssetsError)


def test_the_demo_reads_pythons_documentation_with_the_local_model() -> None:
    entry = default_collections(None).collections["docs"]
    assert entry.source == {"type": "python-stdlib"}
    assert entry.embedding_model() == EmbeddingModel("local/wordllama-256", 256, normalized=True)


def test_the_demo_reads_a_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_collections("notes").collections["docs"].source == {
        "type": "directory",
        "path": str(tmp_path / "notes"),
    }


def test_the_example_is_a_collections_file_with_a_source_that_is_known() -> None:
    for entry in load_collections_file(EXAMPLE).collections.values():
        source_of(entry.source, lambda: "")


def test_the_example_shows_every_key() -> None:
    uncommented = tomllib.loads(_example_uncommented())
    docs, limit = uncommented["collections"]["docs"], uncommented["limits"]["vertex/embeddings"]
    assert set(uncommented) == set(CollectionsFile.model_fields)
    assert set(docs) == set(CollectionEntry.model_fields)
    assert set(docs["chunking"]) == set(ChunkingTable.model_fields)
    assert set(docs["model"]) == set(ModelTable.model_fields)
    assert set(docs["model"]["index"]) == set(IndexTable.model_fields)
    assert set(docs["budgets"]) == set(BudgetsTable.model_fields)
    assert set(limit) == set(LimitEntry.model_fields)


def test_commented_keys_of_the_example_show_the_defaults() -> None:
    as_written = load_collections_file(EXAMPLE)
    uncommented = parse_collections(_example_uncommented())
    before, after = as_written.collections["docs"], uncommented.collections["docs"]
    assert before.chunking == after.chunking
    assert before.model.model_dump(exclude={"extra", *WITHOUT_DEFAULT}) == after.model.model_dump(
        exclude={"extra", *WITHOUT_DEFAULT}
    )
    assert (before.owner, before.weight, before.paused) == (after.owner, after.weight, after.paused)
    limits = [
        file.limits["vertex/embeddings"].model_dump(exclude=WITHOUT_DEFAULT) for file in (as_written, uncommented)
    ]
    assert limits[0] == limits[1]


_MISPLACED = """
[collections.docs]
source = {{ type = "directory", path = "."{source} }}
model = {{ name = "openai/text-embedding-3-small", dimensions = 1536, extra = {{ {extra} }} }}
"""


@pytest.mark.parametrize(
    ("source", "extra", "path"),
    [
        ('password = "hunter2"', "", "collections.docs.source.password"),
        (
            'options = { aws_secret_access_key = "hunter2" }',
            "",
            "collections.docs.source.options.aws_secret_access_key",
        ),
        ('url = "postgresql://reader:hunter2@db/app"', "", "collections.docs.source.url"),
        ('roots = ["s3://a", "AKIAIOSFODNN7HUNTER2A"]', "", "collections.docs.source.roots"),
        ("", 'api_key = "hunter2"', "collections.docs.model.extra.api_key"),
        ("", 'user = "sk-proj-4f8a1HUNTER2hunter2x"', "collections.docs.model.extra.user"),
    ],
)
def test_a_secret_in_the_file_is_refused_by_its_place_and_not_shown(source: str, extra: str, path: str) -> None:
    with pytest.raises(CollectionsFileError) as refused:
        parse_collections(_MISPLACED.format(source=f", {source}" if source else "", extra=extra))
    assert f"{path} looks like a secret" in str(refused.value)
    assert "hunter2" not in str(refused.value).lower()


@pytest.mark.parametrize(
    "source",
    [
        'url_env = "APP_DATABASE_URL"',
        'path = "corpus/sk-slovak"',
        'password = ""',
        'key = ["id"]',
        'url = "s3://bucket/x"',
    ],
)
def test_the_name_of_a_variable_and_an_ordinary_value_are_no_secrets(source: str) -> None:
    parse_collections(_MISPLACED.format(source=f", {source}", extra="").replace(', path = "."', ""))
