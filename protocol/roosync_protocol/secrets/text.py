"""Secrets inside running text: log lines, exceptions, prose, commands. Used for all that is shown or sent.

Looks for what needs no context: private keys, vendors' marks, credentials in URLs, `token=...`,
`Authorization: Bearer ...`, `--password ...`, and runs drawn by chance. In prose a value after a name is
taken only when it looks like a credential, because documentation is full of `password: required`.
"""

import re

from roosync_protocol.secrets.names import says_secret, words
from roosync_protocol.secrets.prose import is_phrase, login_spans, phrase_end, place_spans, told_spans
from roosync_protocol.secrets.rules import KEYWORDS, QUERY_SECRETS, SPOKEN_KEYWORDS
from roosync_protocol.secrets.spans import LOOK, TEXT, Span, merged
from roosync_protocol.secrets.values import (
    HIDDEN,
    credential_like,
    is_placeholder,
    is_reference,
    random_runs,
    suspicious,
)
from roosync_protocol.secrets.vendors import PRIVATE_KEY, vendor_spans

LONGEST = 4000  # signs of a value in quotes
JUDGED = 120  # signs of a value that are looked at
_KEYWORD = re.compile("|".join(KEYWORDS))
_NAME_PART = re.compile(r"[A-Za-z0-9_.-]*")
_ASSIGN = re.compile(
    r"""\\*["'`]?\]?(?P<sign>[^\S\n]*(?:=>|:=|==?|:)(?:[^\S\n]|\s+(?=\\*["']))*)(?P<quote>\\*["'`])?"""
)
_SWITCHED = re.compile(r"""\s+(?P<quote>\\*["'`])?(?!-)""")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z")  # setx API_TOKEN "x", ENV API_TOKEN x
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|negotiate|aws4-hmac-sha256)\s+")
_BARE = re.compile(r"""(?:\[(?:hidden|secret)\]|[^\s"'`,;&|<>\])}\\])+""")
_BEARER = re.compile(r"(?i)\b(?:bearer|basic|token)\s+([A-Za-z0-9._~+/=-]{6,})")
_ENV_LINE = re.compile(r"(?!\S*(?:&&|[;|`<>\"']))\S{6,300}(?=\s*(?:\n|\Z))")  # in a file of variables `&` is no end
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:export[ ])?\Z")
_ARN = re.compile(r"\barn:aws[\w:-]*:\Z")  # arn:aws:secretsmanager:..:secret:name
_BASIC = re.compile(r"(?i)\bbasic\s+([A-Za-z0-9+/]{10,2000}={1,2})")
_PROTOCOL = re.compile(r"[A-Za-z]+/\d[\d.]*\Z")  # "a basic HTTP/1.1 client"
_USERINFO = re.compile(r"""://(?P<user>[^\s/?#"'<>@:]{0,300})(?::(?P<password>[^\s/?#"'<>]{0,2000}))?@""")
_SLOPPY = re.compile(
    r"""://(?P<user>[^\s/?#"'<>@:]{0,300}):(?!\d+(?:[/?#]|$))(?P<password>(?:(?!://)[^\s"'<>?]){1,500})@(?=[\w.-])"""
)
_NO_SCHEME = re.compile(  # user:password@tcp(host), user:password@host.example:5432/x
    r"""(?<![\w/:@.-])(?!mailto:|npm:|jsr:)[A-Za-z][\w.-]{0,40}:(?P<password>[^\s:@/"'<>]{3,200})"""
    r"""@(?=(?:tcp|unix)\(|(?:localhost|[a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60}){1,5})(?::\d|/))"""
)
_EXAMPLE_USERS = frozenset({"user", "username", "usr", "name", "login", "myuser", "your_user", "db_user"})
_EXAMPLE_PASSWORDS = frozenset(
    {"pass", "password", "passwd", "pwd", "secret", "mypassword", "your_password", "db_password"}
)
_PLAIN_USER = re.compile(r"(?:[A-Za-z][\w.+%-]{0,39}|\d{1,4})?\Z")
_QUERY = re.compile(
    r"""[?&#;](?P<name>[A-Za-z_][\w.\[\]-]{0,60})=(?P<value>(?:\[(?:hidden|secret)\]|[^&\s"'<>#;\\`)\]}])+)"""
)


def text_spans(text: str, *, prose: bool = False) -> list[Span]:
    """The secret parts of a text, in order and without overlap."""
    if len(text) < 8:
        return []
    looks = [(start, end, name) for start, end, name in vendor_spans(text)]
    if "KEY" in text or "PuTTY" in text:
        looks += [(*match.span(), "private-key") for match in PRIVATE_KEY.finditer(text)]
    looks += [(start, end, "random") for start, end in random_runs(text)]
    named: list[Span] = []
    if "://" in text:
        named += merged(url_credentials(text, prose=prose), text) if "@" in text else []
        named += _query_values(text)
    if "@" in text:
        named += [
            Span(*match.span("password"), "password")
            for match in _NO_SCHEME.finditer(text)
            if _is_secret_value(match["password"])
        ]
    lower = text.lower()
    if len(lower) != len(text):  # a letter that is two in lower case
        lower = "".join(sign.lower() if sign.isascii() else sign for sign in text)
    named += place_spans(text)
    if any(word in lower for word in KEYWORDS):
        named += _assigned(text, lower, prose)
        named += [
            Span(*match.span(1), "bearer")
            for match in _BEARER.finditer(text)
            if credential_like(match[1].rstrip(".,")) and _is_secret_value(match[1]) and not _PROTOCOL.match(match[1])
        ]
        named += [Span(*match.span(1), "basic") for match in _BASIC.finditer(text)]
    if any(word in lower for word in SPOKEN_KEYWORDS):
        named += told_spans(text)
    if any(word in lower for word in ("login", "user", "creds", "account", "compte", "identifiant")):
        named += login_spans(text)
    found = [Span(start, end, name, LOOK) for start, end, name in looks]
    return merged([*found, *(span._replace(rank=TEXT) for span in named)], text)


def scrub(text: str) -> str:
    """`text` with everything that looks like a secret replaced by `[hidden]`. scrub(scrub(x)) == scrub(x)."""
    for _ in range(8):  # a replacement can bring two parts together that are only then seen
        spans = text_spans(text)
        if not spans:
            return text
        text = _replaced(text, spans)
    return HIDDEN


def _replaced(text: str, spans: list[Span]) -> str:
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], HIDDEN]
        at = span.end
    return "".join([*pieces, text[at:]])


def url_credentials(text: str, *, prose: bool = False) -> list[Span]:
    """The password of `scheme://user:password@host`; the user too when it is itself a key."""
    found: list[Span] = []
    for match in (*_USERINFO.finditer(text), *_SLOPPY.finditer(text)):  # the second: a password with / or @ in it
        user, password = match["user"], match["password"]
        example = prose and user.lower() in _EXAMPLE_USERS and password and password.lower() in _EXAMPLE_PASSWORDS
        if password and not example and _is_secret_value(password):
            found.append(Span(*match.span("password"), "password"))
        if user and not is_reference(user) and (not _PLAIN_USER.match(user) or suspicious(user)):
            found.append(Span(*match.span("user"), "user"))
    return found


def _query_values(text: str) -> list[Span]:
    return [
        Span(*match.span("value"), match["name"])
        for match in _QUERY.finditer(text)
        if (says_secret(match["name"]) or (match["name"].lower() in QUERY_SECRETS and suspicious(match["value"], 12)))
        and _is_secret_value(match["value"])
    ]


def _assigned(text: str, lower: str, prose: bool) -> list[Span]:
    """Values after a name that says secret: `X_TOKEN=v`, `"apiKey": "v"`, `--password v`, `Authorization: Bearer v`."""
    found: list[Span] = []
    past, run = 0, range(0)
    for match in _KEYWORD.finditer(lower):
        if match.start() < past:
            continue
        start, end = _whole_name(text, match.start())
        past = max(end, past)
        name = text[start:end].rstrip(".-")
        if not says_secret(name) or (text[start - 1 : start] == ":" and _ARN.search(text[max(0, start - 90) : start])):
            continue
        sign = _ASSIGN.match(text, end)
        switched = None if sign or not (name.startswith("-") or _CONSTANT.match(name)) else _SWITCHED.match(text, end)
        if sign:
            span, run = _value_after(text, sign.end(), sign["quote"], run)
            line = (
                _ENV_LINE.match(text, sign.end())
                if _CONSTANT.match(name) and _LINE_START.search(text[max(0, start - 12) : start])
                else None
            )
            span = span._replace(end=line.end()) if line and line.end() > span.end else span
            exact = sign["sign"].strip() != ":" and sign["sign"] == sign["sign"].strip()
            sure = not prose and (exact or bool(sign["quote"]))
        elif switched:
            span, run = _value_after(text, switched.end(), switched["quote"], run)
            sure = not prose and name.startswith("-")
        else:
            continue
        value = text[span.start : min(span.end, span.start + JUDGED)]
        if _is_secret_value(value) and (credential_like(value) or is_phrase(value) or (sure and _could_be(value))):
            found.append(Span(span.start, span.end, name.lstrip("-.")))
            past = span.end
    return found


def _whole_name(text: str, at: int) -> tuple[int, int]:
    start = at
    while start > 0 and at - start < 60 and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        start -= 1
    match = _NAME_PART.match(text, at)
    return start, match.end() if match else at


def _value_after(text: str, at: int, quote: str | None, run: range) -> tuple[Span, range]:
    """The value, and the run of signs without a blank that it lies in: so a long one is looked for once."""
    if quote:
        end = text.find(quote, at, at + LONGEST)
        end = min(at + LONGEST, len(text)) if end < 0 else end
        scheme = _SCHEME.match(text, at, end)
        return Span(scheme.end() if scheme else at, end), run
    scheme = _SCHEME.match(text, at)
    at = scheme.end() if scheme else at
    if at not in run:
        bare = _BARE.match(text, at)
        run = range(at, bare.end() if bare else at)
    return Span(at, max(run.stop, phrase_end(text, at))), run


def _is_secret_value(value: str) -> bool:
    return bool(value.strip()) and not is_placeholder(value) and value.strip(".*xX") != "" and not is_reference(value)


def _could_be(value: str) -> bool:
    """Where a value was certainly assigned to a secret name: all but what code and documentation put there."""
    if len(value) < 3 or re.fullmatch(
        r"(?i)true|false|none|null|undefined|string|str|required|optional|\d{1,3}", value
    ):
        return False
    return not re.search(r"[()\[{]", value) and words(value) != () and not value.startswith(("$", "%", "{"))
