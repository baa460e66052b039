"""What must not be in a message that is kept, logged or sent: keys, passwords, queries of URLs, passages of text.

Our own messages hold none of it; those of sources, drivers and services may. Pure: a text in, a text out.
"""

import re

_HIDDEN = "***"
# Longer than a name, a path or a value that helps; as long as a piece of a document.
_PASSAGE = 80
# A source may say as much as it likes, and some patterns take time in the square of it: 13 ms for the worst found of this length.
_LONGEST = 8000

# What a secret is called, as a whole word of snake_case, kebab-case or camelCase: `max_tokens` and `tokens` are none.
_NAMES = (
    r"(?:[\w-]*[_-])?(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access[_-]?)?key)?|client[_-]?secret"
    r"|password|passwd|pwd|passphrase|signature|sig|(?:access|auth|refresh|id|session|security)?[_-]?token)"
)
_VALUE = r"(?:\"[^\"]{0,2000}\"|'[^']{0,2000}'|[^\s,;&\"'(){}\[\]<>]+)"

_SCHEME = r"\b[a-z][a-z0-9+.-]{0,20}://"

_URL_PASSWORD = re.compile(rf"({_SCHEME}[^\s/?#:@\"']*):[^\s/?#\"']*@", re.IGNORECASE)
# OpenAI and its likes, Google, AWS, GitHub, Hugging Face, Slack, JSON Web Tokens.
_KEY_BY_ITS_LOOK = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_*-]{6,}|\bAIza[\w-]{20,}|\bya29\.[\w.-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\bgh[oprsu]_\w{16,}|\bhf_\w{16,}|\bxox[a-z]-[\w-]{10,}|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # The password of a URL; where there is only a name, it may be a key (https://KEY@host).
    (_URL_PASSWORD, rf"\1:{_HIDDEN}@"),
    (re.compile(r"\b(https?://)[^\s/?#:@\"']+@", re.IGNORECASE), rf"\1{_HIDDEN}@"),
    (re.compile(rf"({_SCHEME}[^\s?#\"'<>]*)\?[^\s\"'<>)]*", re.IGNORECASE), rf"\1?{_HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {_HIDDEN}"),
    (
        re.compile(rf"(?<![\w-])({_NAMES}[\"']?\s*[=:]\s*)(?!{re.escape(_HIDDEN)}){_VALUE}", re.IGNORECASE),
        rf"\1{_HIDDEN}",
    ),
    (_KEY_BY_ITS_LOOK, _HIDDEN),
    # An apostrophe inside a word neither begins nor ends a passage.
    (
        re.compile(
            rf"\"[^\"]{{{_PASSAGE},}}\"|(?<!\w)'(?:[^']|(?<=\w)'(?=\w)){{{_PASSAGE},}}'(?!\w)|“[^”]{{{_PASSAGE},}}”",
            re.DOTALL,
        ),
        '"…"',
    ),
)


def redacted(message: str) -> str:
    """The message without secrets and without quoted passages; what is left tells as much as before, if not as long."""
    if len(message) > _LONGEST:
        # At the end of a word: half a key would not be known for one.
        message = message[:_LONGEST].rpartition(" ")[0] + " …"
    for pattern, instead in _RULES:
        message = pattern.sub(instead, message)
    return message


def is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret by its name or by its look. `password_env` is no secret's name: it names where one is.

    A look is longer than a folder's name such as `sk-slovak`, and holds a digit.
    """
    named = bool(re.fullmatch(_NAMES, name, re.IGNORECASE)) and bool(value)
    looks = [found for found in _KEY_BY_ITS_LOOK.findall(value) if len(found) >= 20 and re.search(r"\d", found)]
    return named or bool(_URL_PASSWORD.search(value) or looks)
