"""Secrets in strings that have a form of their own: URLs, connection strings, headers, JSON inside a string.

Each function says which parts of a string are secret, as spans over the original text, so that hiding
keeps every other character as it is. `value_spans` is the rule of the structural places: everything is
secret unless it is proven public.
"""

import json
import re

from roosync_protocol.secrets import rules
from roosync_protocol.secrets.names import fold, is_public, may_be_file, names_public, says_secret, words
from roosync_protocol.secrets.spans import FORM, LOOK, Span, merged
from roosync_protocol.secrets.text import text_spans, url_credentials
from roosync_protocol.secrets.values import (
    is_key_file,
    is_placeholder,
    is_reference,
    marked,
    proven_public,
    random_runs,
    suspicious,
)

NOBODY: frozenset[str] = frozenset()
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]{1,30}:){1,3}//[^\s]*\Z", re.IGNORECASE)
_FORGE = re.compile(r"//[\w.-]{0,60}(?:github|gitlab|bitbucket|codeberg)[\w-]{0,20}\.[a-z]{2,5}/")
_AUTHORITY = re.compile(r"//(?P<authority>[^/?#;]*)")
_PARAMETER = re.compile(r"(?P<name>[^=&;?#/\s]{1,100})=(?P<value>[^&;#]*)")
_USER_AND_PASSWORD = re.compile(r"[\w.@+-]{1,60}:(?!\d+\Z|\s)[^/\s]{3,}\Z")
_PLAIN_WORD = re.compile(r"[a-z]{1,20}(?:[_,. -][a-z]{1,20}){0,5}\Z")
_PAIR = re.compile(r"""(?:^|(?<=[;\s,]))(?P<name>[A-Za-z][\w .-]{0,40}?)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^;]*)""")
_PAIR_SPACED = re.compile(r"""(?:^|(?<=\s))(?P<name>[a-z_]{1,40})\s*=\s*(?P<value>"[^"]*"|'[^']*'|\S*)""")
_HEADER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]{0,60}):\s*(?P<value>\S.*)\Z", re.DOTALL)
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|api-key|negotiate|key)\s+")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}\[\]:,]', re.DOTALL)


def value_spans(name: str, value: str, public_names: frozenset[str] = NOBODY) -> list[Span]:
    """A value of `env`, of headers, of a query ...: what of it is secret. A name that says secret wins."""
    if not value.strip() or is_reference(value):
        return []
    if fold(name) in public_names or names_public(name, value):
        return text_spans(value)
    if says_secret(name):
        if may_be_file(name) and is_key_file(value):
            return text_spans(value)
        scheme = _SCHEME.match(value)
        start = scheme.end() if scheme else 0
        # A placeholder too (`API_KEY: YOUR_API_KEY`): as a value it could take the place of somebody's real key.
        return [] if is_reference(value[start:]) else [Span(start, len(value))]
    if is_url(value):
        return url_spans(value, strict=True)
    if value.lstrip()[0] in "{[":
        found = json_spans(value, strict=True, public_names=public_names)
        return [Span(0, len(value))] if found is None else found
    if (pairs := connection_spans(value)) is not None:
        return pairs
    if marked(value) and not is_public(name, public_names):
        return [Span(0, len(value))]
    if proven_public(value):
        return text_spans(value)
    if is_public(name, public_names) and not suspicious(value) and not _USER_AND_PASSWORD.match(value):
        return text_spans(value)
    return [Span(0, len(value))]


def is_url(text: str) -> bool:
    return bool(_URL.match(text.strip()))


def url_spans(text: str, *, strict: bool) -> list[Span]:
    """User and password, secret parameters, segments drawn by chance; strict: also any parameter that is no word.

    Each part of the URL is looked at by itself, so that what is hidden of one never depends on the next.
    """
    authority = _AUTHORITY.search(text)
    if not authority:
        return text_spans(text)
    found = merged(url_credentials(text), text)
    start = max([authority.start("authority"), *(span.end for span in found)])
    rest = max(authority.end(), start)
    stop = next((at for at in range(rest, len(text)) if text[at] in "?#;"), len(text))
    found += _looks(text, 0, authority.start())
    found += _segments(text, start, rest, ".@:", strict)
    found += _segments(text, rest, stop, "/", strict)
    found += _looks(text, start, stop)
    at = stop
    for match in _PARAMETER.finditer(text, stop):
        name, value = match["name"], match["value"]
        if not value or is_reference(value):
            continue
        found += _looks(text, at, match.start())
        at = match.start("value")
        if _secret_parameter(name, value, strict):
            found.append(Span(*match.span("value"), name))
            at = match.end()
    return merged([*found, *_looks(text, at, len(text))], text)


def _looks(text: str, start: int, stop: int) -> list[Span]:
    return [span.moved(start) for span in text_spans(text[start:stop])]


def _secret_parameter(name: str, value: str, strict: bool) -> bool:
    if is_placeholder(value) or names_public(name, value):
        return False
    if says_secret(name) or fold(name) in rules.PUBLIC_CONNECTION:
        return says_secret(name) or suspicious(value)
    if name.lower() in rules.QUERY_SECRETS:
        return strict or suspicious(value, 12)
    if not strict or is_public(name, NOBODY):
        return suspicious(value)
    return (
        not proven_public(value)
        and not _PLAIN_WORD.match(value)
        and not is_url(value.replace("%3A", ":").replace("%2F", "/"))
    )


def _segments(text: str, start: int, stop: int, separators: str, strict: bool) -> list[Span]:
    found, at = [], start
    for end in [*(i for i in range(start, stop) if text[i] in separators), stop]:
        segment = text[at:end]
        chance = suspicious(segment) if strict else bool(random_runs(segment))
        if len(segment) >= 8 and chance and not is_reference(segment) and not _pinned(text, at, segment):
            found.append(Span(at, end, "part", LOOK))
        at = end + 1
    return found


def _pinned(text: str, at: int, segment: str) -> bool:
    """`@scope`, `name@<commit>`, and a commit in an address of a forge."""
    if segment.startswith("@") or re.fullmatch(r"[\w.-]{1,80}@[0-9a-f]{7,64}", segment):
        return True
    return bool(re.fullmatch("[0-9a-f]{40}", segment) and _FORGE.search(text, 0, at))


def connection_spans(text: str) -> list[Span] | None:
    """`Server=h;Password=p`, `host=h password=p`: the secret values; None when the text is not of this form."""
    pattern = _PAIR if ";" in text else _PAIR_SPACED
    matches = list(pattern.finditer(text))
    covered = sum(len(match.group()) for match in matches)
    if len(matches) < 2 or covered + len(matches) * 2 < len(text.strip()):
        return None
    found: list[Span] = []
    at = 0
    for match in matches:
        name, value = match["name"].strip(), match["value"].strip("\"'")
        found += _looks(text, at, match.start("value"))
        at = match.start("value")
        if value and not is_reference(value) and _secret_pair(name, value):
            quoted = match["value"][:1] in "\"'" and len(match["value"]) > 1
            found.append(Span(match.start("value") + quoted, match.end("value") - quoted, name.replace(" ", "")))
            at = match.end()
    return merged([*found, *_looks(text, at, len(text))], text)


def _secret_pair(name: str, value: str) -> bool:
    if says_secret(name) or name.lower() in rules.QUERY_SECRETS:
        return True
    if (
        all(word in rules.PUBLIC_CONNECTION for word in words(name))
        or fold(name.replace(" ", "")) in rules.PUBLIC_CONNECTION
    ):
        return suspicious(value, 20) and not is_url(value)
    return not proven_public(value) and not _PLAIN_WORD.match(value)


def header_spans(text: str, public_names: frozenset[str] = NOBODY) -> list[Span] | None:
    """`Authorization: Bearer x`, `X-Api-Key:x`: the secret value; None when it is no header."""
    match = _HEADER.match(text)
    if not match:
        return None
    at = match.start("value")
    spans = value_spans(match["name"], match["value"], public_names)
    return [span.moved(at, match["name"])._replace(rank=FORM) for span in spans]


def json_spans(text: str, *, strict: bool, public_names: frozenset[str] = NOBODY) -> list[Span] | None:
    """The secret leaves of JSON in a string, over its raw text; None when it is no JSON.

    Strict: each leaf is secret unless proven public. Otherwise names and the look of the value decide, as for
    arguments, and `env` and `headers` inside are strict.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = text_spans(text)
    path: list[str | int] = []
    name: str | None = None
    previous = ""
    for token in _JSON_TOKEN.finditer(text):
        sign = token.group()
        following = text[token.end() :].lstrip()[:1] if sign[0] == '"' else ""
        if sign in "{[":
            path.append(name if name is not None else "")
            name = None
        elif sign in "}]":
            if path:
                path.pop()
            name = None
        elif sign[0] == '"' and following == ":" and previous != ":":
            name = str(json.loads(sign, strict=False))
        elif sign not in ":,":
            own = name if name is not None else str(next((p for p in reversed(path) if p), ""))
            hard = strict or any(fold(str(p)) in rules.STRUCTURAL or says_secret(str(p)) for p in path)
            found += _json_leaf(token.start(), sign, own, hard, public_names)
            name = None if previous != ":" else name
        if sign == ",":
            name = None
        previous = sign
    return merged(found, text)


def _json_leaf(at: int, sign: str, name: str, strict: bool, public_names: frozenset[str]) -> list[Span]:
    if sign[0] != '"':
        hidden = says_secret(name) and sign not in ("true", "false", "null")
        return [Span(at, at + len(sign), name)] if hidden else []
    value = str(json.loads(sign, strict=False))
    secret = value_spans(name, value, public_names) if strict or says_secret(name) else loose_spans(value)
    if not secret:
        return []
    if value == sign[1:-1]:  # no escapes: the same places
        return [Span(at + 1 + s.start, at + 1 + s.end, s.form or name) for s in secret]
    return [Span(at + 1, at + len(sign) - 1, name)]


def loose_spans(text: str) -> list[Span]:
    """A value that passes unless it looks like a secret: a bare argument, a leaf of a JSON argument."""
    if not text.strip() or is_reference(text):
        return []
    if is_url(text):
        return url_spans(text, strict=True)
    if suspicious(text) and not re.search(r"\s", text):
        return text_spans(text) or [Span(0, len(text))]
    return text_spans(text)
