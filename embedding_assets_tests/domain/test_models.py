"""The input a template makes of a chunk, what is bounded in it, and what is no template."""

import pytest

from embedding_assets.domain.models import LONGEST_LABEL, EmbeddingModel, template_mistake


def _input(template: str, content: str, title: str = "", headings: tuple[str, ...] = ()) -> str:
    return EmbeddingModel("m", 8, input_template=template).input_for(content, title, headings)


def test_a_template_places_title_headings_and_content() -> None:
    template = "{title} | {headings} | {content} | {content}"
    assert _input(template, "text", "Guide", ("Guide", "Install")) == "Guide | Guide > Install | text | text"


def test_without_headings_their_place_is_empty() -> None:
    assert _input("{headings}\n{content}", "text") == "\ntext"


@pytest.mark.parametrize("text", ["{content}", "{title}", "{headings}", "{}", "\\1", "{{content}}"])
def test_braces_in_a_document_stay_as_they_are(text: str) -> None:
    assert _input("{title}/{headings}/{content}", text, text, (text,)) == f"{text}/{text}/{text}"
    assert _input("{content}", text) == text


def test_a_long_title_and_long_headings_leave_room_for_the_content() -> None:
    headings = ("outer " * 30, "middle " * 30, "i" * 200)
    made = _input("{title}\n{headings}\n{content}", "text", "t" * 100_000, headings)
    title, path, content = made.split("\n")
    assert (len(title), content) == (LONGEST_LABEL, "text")
    assert path == " > ".join(headings[1:])
    assert len(path) <= LONGEST_LABEL
    assert _input("{headings}{content}", "", headings=("h" * 900,)) == "h" * LONGEST_LABEL


def test_the_template_is_in_the_fingerprint() -> None:
    templates = ["{content}", "{title}{content}", "{headings}{content}"]
    assert len({EmbeddingModel("m", 8, input_template=one).fingerprint for one in templates}) == 3


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{title}", "{content}"),
        ("", "{content}"),
        ("{heading}: {content}", "{heading} is not one of them"),
        ("{Title} { title } {content}", "{Title}, { title } is not one of them"),
        ("{title.upper} {content!r} {content}", "{title.upper} is not one of them"),
    ],
)
def test_a_template_that_would_send_a_placeholder_is_a_mistake(template: str, named: str) -> None:
    assert named in template_mistake(template)


@pytest.mark.parametrize("template", ["{content}", '{"text": "{content}"}', "{{content}}", "{} {1} {content}"])
def test_other_braces_are_text(template: str) -> None:
    assert template_mistake(template) == ""
