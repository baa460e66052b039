"""From bytes to text and title, by extension: encodings, HTML, Markdown and reStructuredText headings."""

import contextlib
import threading

import pytest

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.providers.sources.text_extraction import ExtractedText, extract_text

PAGE = """<!DOCTYPE html>
<html><head><title>Caf&eacute; &amp;
  Bar</title><style>p { color: red }</style><script>var hidden = "<p>no</p>";</script></head>
<body><h1>Menu &copy; 2024</h1><script>alert("no")</script><!-- no -->
<p>Tea &lt;green&gt;, na<b>me</b>d &#8364;3</p><template>no</template><noscript>no</noscript>
<ul><li>one</li><li>two</li></ul><pre>  kept
    so</pre></body></html>"""


def content(key: str, text: str) -> str:
    return extract_text(key, text.encode(), "utf-8").content


def title(key: str, text: str) -> str:
    return extract_text(key, text.encode(), "utf-8").title


def failure(raw: bytes, key: str = "page.txt", encoding: str = "utf-8") -> SourceError:
    with pytest.raises(SourceError) as caught:
        extract_text(key, raw, encoding)
    return caught.value


def test_plain_text_is_kept_as_it_is_without_a_title() -> None:
    assert extract_text("a.txt", b"# no heading\n\ttext \n", "utf-8") == ExtractedText("# no heading\n\ttext \n", "")


def test_windows_newlines_become_newlines_and_lone_returns_stay() -> None:
    assert content("a.txt", "one\r\ntwo\rthree\n") == "one\ntwo\rthree\n"


def test_byte_order_mark_is_removed() -> None:
    assert extract_text("a.md", b"\xef\xbb\xbf# Title", "utf-8") == ExtractedText("# Title", "Title")
    assert extract_text("a.txt", "text".encode("utf-16"), "utf-16").content == "text"
    assert extract_text("a.txt", b"\xef\xbb\xbftext", "utf-8-sig").content == "text"


def test_empty_file_is_empty_text() -> None:
    for key in ("a.txt", "a.md", "a.rst", "a.html", "a"):
        assert extract_text(key, b"", "utf-8") == ExtractedText("", "")


def test_bytes_that_are_not_text_are_undecodable_at_a_named_position() -> None:
    error = failure(b"good \xff bad")
    assert error.error_type is ErrorType.UNDECODABLE
    assert "position 5" in str(error)


def test_other_encodings_are_read_when_told() -> None:
    assert extract_text("a.txt", "café".encode("cp1252"), "cp1252").content == "café"


def test_lone_surrogates_are_undecodable_because_the_store_cannot_hold_them() -> None:
    assert failure(rb"\ud800", encoding="unicode_escape").error_type is ErrorType.UNDECODABLE


@pytest.mark.parametrize("key", ["a.txt", "a.html"])
def test_nul_is_undecodable_at_a_named_position(key: str) -> None:
    error = failure(b"abc\x00def", key)
    assert error.error_type is ErrorType.UNDECODABLE
    assert "character 3" in str(error)


def test_html_gives_what_a_reader_sees_with_entities_decoded() -> None:
    text = content("page.html", PAGE)
    for seen in ("Menu © 2024", "Tea <green>, named €3", "* one", "* two", "  kept\n    so"):
        assert seen in text
    for unseen in ("hidden", "alert", "color", "no", "Café"):
        assert unseen not in text


def test_html_title_is_its_title_element_in_one_line() -> None:
    assert title("page.HTM", PAGE) == "Café & Bar"
    assert title("page.html", "<p>none</p>") == ""


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("just words", "just words"),
        ("<p>unclosed <b>and <i>crossed</b> tags", "unclosed and crossed tags"),
        ("<!-- nothing -->", ""),
        ("<html></html>", ""),
        ('<?xml version="1.0" encoding="latin-1"?><html><body>é</body></html>', "é"),
        ('<meta charset="latin-1"><p>é', "é"),
        ("<p>a&#0;b&#xD800;c</p>", "a\ufffdb\ufffdc"),
    ],
)
def test_broken_html_is_read_as_far_as_it_goes(html: str, expected: str) -> None:
    assert content("a.html", html).strip() == expected


def test_nested_divs_are_not_indented() -> None:
    assert content("a.html", "<div>" * 200 + "deep" + "</div>" * 200).strip("\n") == "deep"


def test_html_too_deep_to_lay_out_keeps_its_text_and_drops_its_scripts() -> None:
    text = content("a.html", "<div>" * 1500 + "<script>no</script>deep")
    assert text == "deep"


@pytest.mark.parametrize("opening", ["<div>", "<b>", "<table><tr><td>"])
def test_html_of_any_depth_is_read_whole(opening: str) -> None:
    assert content("a.html", opening * 100_000 + "deep").strip(" *") == "deep"


@pytest.mark.parametrize(
    "bomb",
    [
        "<table><tr><td>" + "w" * 10_000 + "</td></tr>" + "<tr><td>x</td></tr>" * 2_000 + "</table>",
        "<ul><li>" * 2_000 + "x" + "<li>x" * 2_000,
        "<p style='margin-top: 1000000em; padding-left: 100000em'>x",
        "<table><tr><td colspan=1000000000 rowspan=1000000000>x</td></tr></table>",
        "<ol start='" + "9" * 5_000 + "'><li>x</ol>",
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>' + "<p>&b;</p>" * 100,
        "&amp;" * 10_000,
    ],
    ids=["columns", "levels", "margins", "spans", "numbers", "entities", "references"],
)
def test_html_never_becomes_much_longer_than_it_is(bomb: str) -> None:
    assert 0 < len(content("a.html", bomb)) <= 4 * len(bomb)


@pytest.mark.parametrize(
    "html",
    ["<p " + "a " * 2_000 + ">text", "<p x='>' " + "b=1 " * 2_000 + ">text", "text <b " + "more words " * 2_000],
)
def test_a_tag_of_endless_attributes_is_undecodable(html: str) -> None:
    error = failure(html.encode(), "a.html")
    assert error.error_type is ErrorType.UNDECODABLE
    assert "more than 1,000 attributes" in str(error)


def test_a_tag_of_many_words_that_are_no_attributes_is_read() -> None:
    script = "<script>for (i=0; i<n; i++) { " + "word " * 2_000 + "}</script>"
    assert content("a.html", script + "<p title='" + "word " * 2_000 + "'>text</p>") == "text"


@pytest.mark.parametrize("tag", ["<script>", "<style>", "<p '", '<p "', "<a "])
def test_html_of_one_mark_takes_no_more_than_any_other(tag: str) -> None:
    """Quadratic, any of these takes minutes: the suite's own time limit is the assertion."""
    with contextlib.suppress(SourceError):
        assert content("a.html", tag * 100_000) == ""


def test_what_a_browser_does_not_show_is_not_in_the_text() -> None:
    page = "<iframe>no</iframe><p style='DISPLAY : none'>no<b>no</b></p><svg><style>no</style>yes</svg><noembed>no</noembed>"
    assert content("a.html", page) == "yes"


def test_rows_cells_blocks_and_lists_keep_apart() -> None:
    table = "<table><tr><th>x</th><td>y</td></tr><tr><td>z</td></tr></table>"
    page = f"<h1>T</h1><p>a <b>b</b>\n c</p>d{table}e<ol><li>f<ul><li>g</ul></ol>"
    assert content("a.html", page) == "T\n\na b c\n\nd\n\nx  y\nz\n\ne\n1. f\n  * g"


def test_html_is_read_alike_in_threads() -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(content("page.html", PAGE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [content("page.html", PAGE)] * 8


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# First\n\n# Second", "First"),
        ("text\n\n## Deeper ##\n", "Deeper"),
        ("Underlined\n===\ntext", "Underlined"),
        ("Underlined so\n---\ntext", "Underlined so"),
        ("text\n\n---\n\n# After a rule", "After a rule"),
        ("---\ntitle: x\n# comment\n---\n# Real", "Real"),
        ("+++\n# toml\n+++\n# Real", "Real"),
        ("```sh\n# install\n```\n# Real", "Real"),
        ("~~~~\n~~~\n# install\n~~~~\n# Real", "Real"),
        ("#no space\n#\n# C# and F#", "C# and F#"),
        ("- item\n---\n# Real", "Real"),
        ("no heading", ""),
    ],
)
def test_markdown_title_is_the_first_heading_outside_code(markdown: str, expected: str) -> None:
    assert title("a.md", markdown) == expected
    assert title("a.markdown", markdown) == expected


@pytest.mark.parametrize(
    ("rst", "expected"),
    [
        ("Title\n=====\n\ntext", "Title"),
        ("=====\nTitle\n=====\n", "Title"),
        ("======\n Title\n======\n", "Title"),
        (".. comment\n\n.. _label:\n\nTitle\n-----\n", "Title"),
        ("====  ====\na     b\n====  ====\n\nTitle\n~~~~~", "Title"),
        ("no title here", ""),
    ],
)
def test_rst_title_is_the_first_underlined_line(rst: str, expected: str) -> None:
    assert title("a.rst", rst) == expected


def test_titles_are_cut_to_three_hundred_characters() -> None:
    assert title("a.md", "# " + "word " * 1000) == ("word " * 60).rstrip()
