"""Does a name say that its value is a secret? Read word by word, so that `monkey` and `maxTokens` are ordinary.

A name is cut at capitals, dashes, underscores and dots. It says "secret" when a word or a pair of words of
the tables does, unless a later word makes something else of it (`TOKEN_LIMIT`, `apiKeyHelper`, `PASSWORD_FILE`).
"""

import re
from functools import lru_cache

from roosync_protocol.secrets import rules

_IDENTIFIER = re.compile(
    r"-?\d{1,30}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{20,32}|[a-z][a-z0-9-]{2,40}"
)
_DIGEST = re.compile(r"(?:sha\d{1,3}[:-])?[0-9a-f]{7,128}|sha\d{1,3}[-:][A-Za-z0-9+/]{20,90}={0,2}")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@lru_cache(4096)
def words(name: str) -> tuple[str, ...]:
    """GITHUB_TOKEN, githubToken, --github-token -> ("github", "token")."""
    return tuple(word.lower() for word in _WORD.findall(name[:200]))


def fold(name: str) -> str:
    """One spelling for lists of names: lower case, underscores."""
    return name.lower().replace("-", "_")


@lru_cache(4096)
def says_secret(name: str) -> bool:
    """True for GITHUB_TOKEN, apiKey, PGPASSWORD, x-api-key; False for maxTokens, TOKENIZER, monkey, tokenUrl."""
    cut = words(name)
    at = _last_secret(cut)
    if at is None or any(word in rules.NOT_AFTER for word in cut[at + 1 :]):
        return False
    return not (at and cut[at - 1] in rules.NOT_BEFORE)


def may_be_file(name: str) -> bool:
    """GOOGLE_APPLICATION_CREDENTIALS, YT_COOKIES: by custom the path of a file."""
    return bool(words(name)) and words(name)[-1] in rules.SECRET_FILES


def is_count(name: str) -> bool:
    """`tokens: 4096` is a number of tokens; `tokens: ["..."]` is not."""
    return bool(words(name)) and words(name)[-1] in rules.SECRET_PLURALS


def names_public(name: str, value: str) -> bool:
    """Is the value by its name an identifier or a digest, and of that shape? TENANT_ID, --commit, GITHUB_SHA."""
    cut = words(name)
    if cut[-1:] == ("tokens",) and value.isdigit() and len(value) < 10:
        return True  # a number of them
    if says_secret(name):
        return False
    if cut[-2:-1] and cut[-1] == "id" and cut[-2] in rules.PUBLIC_IDS and not rules.SECRET_WORDS.intersection(cut):
        return bool(_IDENTIFIER.fullmatch(value))
    digest = "".join(cut[-2:]) if cut[-1:] and cut[-1].isdigit() else cut[-1] if cut else ""
    return (digest in rules.DIGESTS or digest == "version") and bool(_DIGEST.fullmatch(value))


def is_public(name: str, public_names: frozenset[str]) -> bool:
    """Is the name on the shipped list, or on the user's (already folded)?"""
    cut = words(name)
    folded = fold(name)
    if folded in public_names or folded in rules.PUBLIC_NAMES:
        return True
    last = cut[-2:-1] if cut[-1:] == ("id",) else cut[-1:]  # OPENAI_MODEL_ID
    return bool(last) and last[0] in rules.PUBLIC_LAST


def _last_secret(cut: tuple[str, ...]) -> int | None:
    """The place of the last word that says secret."""
    for at in reversed(range(len(cut))):
        word = cut[at]
        if word in rules.SECRET_WORDS or word in rules.SECRET_PLURALS or word.endswith(rules.SECRET_ENDS):
            return at
        if at and (cut[at - 1], word) in rules.SECRET_PAIRS:
            return at
    return None
