"""What a kept message never holds, and what it keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.redaction import redacted

_SECRET = "c0rrectH0rse"


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            f"cannot connect to postgresql://writer:{_SECRET}@db.example:5432/vectors",
            "cannot connect to postgresql://writer:***@db.example:5432/vectors",
        ),
        (f"postgres://:{_SECRET}@db/x is away", "postgres://:***@db/x is away"),
        (f"postgresql://w:a{_SECRET}@b@db/x", "postgresql://w:***@db/x"),
        (f"https://{_SECRET}@files.example/a.md answered 403", "https://***@files.example/a.md answered 403"),
        (
            f"GET https://files.example/a.md?sig={_SECRET}&x=1: 403",
            "GET https://files.example/a.md?*** 403",
        ),
        (f"s3://bucket/key?versionId={_SECRET} is gone", "s3://bucket/key?*** is gone"),
        (f"Authorization: Bearer {_SECRET}.x-y_z", "Authorization: Bearer ***"),
        (f"basic {_SECRET}== was refused", "basic *** was refused"),
        (f"Incorrect API key provided: sk-proj-{_SECRET}. Look", "Incorrect API key provided: ***. Look"),
        (f"Incorrect API key provided: sk-abcd*****{_SECRET}", "Incorrect API key provided: ***"),
        (f"api_key={_SECRET}, model=x", "api_key=***, model=x"),
        (f"OPENAI_API_KEY={_SECRET} is wrong", "OPENAI_API_KEY=*** is wrong"),
        (f"x-api-key: {_SECRET}", "x-api-key: ***"),
        (f'{{"apiKey": "{_SECRET} and more", "n": 1}}', '{"apiKey": ***, "n": 1}'),
        (f"host=db user=w password='{_SECRET} it is' dbname=x", "host=db user=w password=*** dbname=x"),
        (f"access_token={_SECRET}&next=1", "access_token=***&next=1"),
        (f"aws_secret_access_key = {_SECRET}", "aws_secret_access_key = ***"),
        (f"client_secret:{_SECRET}", "client_secret:***"),
        ("AKIAIOSFODNN7EXAMPLE may not list it", "*** may not list it"),
        ("AIzaSyA1234567890abcdefghijklmnopq is restricted", "*** is restricted"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1 expired", "*** expired"),
    ],
)
def test_a_secret_is_hidden_and_the_rest_stays(message: str, kept: str) -> None:
    assert redacted(message) == kept
    assert _SECRET not in redacted(message)


@pytest.mark.parametrize("quotes", ['""', "''", "“”"])
def test_a_quoted_passage_is_left_out_and_a_quoted_name_is_not(quotes: str) -> None:
    text = "The minutes of the board say\nthat nobody may know this before the summer of next year. " * 2
    message = f"cannot parse {quotes[0]}{text}{quotes[1]} in column {quotes[0]}title{quotes[1]}"
    assert redacted(message) == f'cannot parse "…" in column {quotes[0]}title{quotes[1]}'


@pytest.mark.parametrize(
    "message",
    [
        "the provider refused the credentials: check EMBEDDING_ASSETS_API_KEY or the provider's own variable",
        "(such as OPENAI_API_KEY), and that the key may use this model (openai/small, HTTP 401, invalid_api_key)",
        "an input is longer than the model takes: choose smaller chunks for this collection (x, HTTP 400)",
        "2 inputs of 8,191 tokens: more than the ceiling max_tokens = 100",
        'connection to server at "127.0.0.1", port 5432 failed: FATAL: password authentication failed for user "writer"',
        'PostgreSQL: invalid byte sequence for encoding "UTF8": 0x00 (22021)',
        "cannot read docs/guides/risk-assessment.md: Permission denied",
        "expected 1536 dimensions, got 768",
        "see https://example.org/how/to#fix",
        *(error.value for error in ErrorType),
    ],
)
def test_what_says_what_to_do_is_kept_word_for_word(message: str) -> None:
    assert redacted(message) == message


@given(st.text(max_size=300))
def test_it_takes_any_text_and_says_the_same_of_what_it_said(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


@pytest.mark.parametrize("part", ["a:", "https://", "api_key", "sk-", '"', "x://y:", "token_", "a-_", "eyJ-", "word "])
def test_a_message_without_end_is_cut_at_the_end_of_a_word(part: str) -> None:
    assert len(redacted("once more: " + part * 1_000_000)) < 10_000


def test_a_secret_at_the_cut_is_not_kept_by_half() -> None:
    for padding in range(7_900, 8_010):
        assert (
            "horse" not in redacted("x" * padding + f" postgresql://w:{_SECRET}horse@db/x and {'more ' * 100}").lower()
        )


def test_an_apostrophe_is_no_quote() -> None:
    ours = "'broken.md' is not utf-8 text at position 0; convert the file, exclude it, or set the source's `encoding` to what it is"
    assert redacted(ours) == ours
    passage = "it's what the board's minutes say of the summer of the year after the next one, and nobody's to know"
    assert redacted(f"cannot parse '{passage}' at line 3") == 'cannot parse "…" at line 3'
