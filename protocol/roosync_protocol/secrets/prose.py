"""Secrets as people tell them to each other and to assistants: "the API key is `x`", "| mot de passe | x |".

Names in sentences have blanks in them and stand in many languages; what follows is told apart from the rest of the
sentence by its look. The nearer the form is to an assignment, the less the look has to show.
"""

import re

from roosync_protocol.secrets.names import says_secret
from roosync_protocol.secrets.rules import NOT_AFTER, PHRASE_STOPS
from roosync_protocol.secrets.spans import Span
from roosync_protocol.secrets.values import (
    credential_like,
    drawn_word,
    is_placeholder,
    is_reference,
    like_password,
    suspicious,
)

_SPOKEN = (
    r"pass(?:word|phrase|code|wort)|kennwort|mot[ ]de[ ]passe|mdp|contraseña|senha|wachtwoord|mnemonic|seed[ ]phrase|pw"
)
_COMPOUND = (
    r"(?:api|access|secret|private|auth|app|application|account|admin|licen[cs]e|service|signing|encryption|master|global|role"
    r"|subscription|deploy|storage|bot|server|developer|refresh|session|recovery|backup)[ _-]?(?:key|token|secret|code)"
    r"|token|jeton|secret|credentials?|clé[ ](?:d['’])?(?:api|accès|secrète|privée)"
)
_PLAIN = r"(?<!public )(?<!public-)(?<!-)(?:key|clé|clave|chave|schlüssel)"
_NAME = re.compile(rf"(?<![A-Za-z0-9:/.])(?:(?P<spoken>{_SPOKEN})|{_COMPOUND}|(?P<plain>{_PLAIN}))", re.IGNORECASE)
_BRIDGE = re.compile(
    r"""s?[*_`"')\]]{0,3}(?:[ ]\([^()\n]{0,30}\))?
        (?P<filler>(?:[ ][\w.'’-]{1,20}){1,4}?(?=[ ]?[:=|→]|[ ](?:is|est|ist|es|lautet)[ ]))?
        [ \t\u00a0]{0,3}(?P<sign>:=?|={1,2}>?|->|→|\||>|(?:is|est|ist|es|lautet)\b)?[ \t\u00a0]{0,3}[*_]{0,2}[ \t]?
        (?:\n{1,2}```[a-z]{0,12}\n)?
        (?:''(?=')|""(?=")|``(?=`))?(?P<quote>[`"'«“])?[ \u00a0]?""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSING = {"«": "»", "“": "”"}
_BARE = re.compile(r"[^\s`\"'<>|«»“”]{6,300}")
_PHRASE = re.compile(r"[a-z]{3,12}(?:([ -])[a-z]{3,12})(?:\1[a-z]{3,12}){1,22}(?![\w-]|[ ][\w(])")
_GROUPS = re.compile(  # a Google app password, the seed of one-time passwords
    r"(?:[a-z]{4}(?: [a-z]{4}){3}|[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,7})(?![\w]|[ ][\w(])"
)
_MIXED = re.compile(r"(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{10,64}")
_CAMEL = re.compile(r"[a-z]?(?:[A-Z]{2,}|[A-Z]?[a-z]{2,}|\d{1,4})+")
_USER = re.compile(
    r"""(?<![\w-])(?:-u|--user)[ =](?!["']?[a-z]{1,8}://)(?:["'][\w.@+-]{1,60}:(?P<quoted>[^"'\n]{6,200})"""
    r"""|[\w.@+-]{1,60}:(?P<password>[^\s"']{6,200}))"""
)
_LOGIN = re.compile(
    r"(?i)\b(?:login|user|creds|credentials|account|compte|identifiants?)[ ]?[:=]?[ ]"
    r"[\w.@-]{2,40}[ ]?[:/][ ]?(?P<password>[^\s\"'`|<>]{6,80})"
)
_COMMAND = re.compile(
    r"""\b(?:sshpass[ ]-p[ ]?|(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]{0,60}?[ ]-p)"""
    r"""["']?(?P<password>[^\s"':=]{4,80})"""
)
_PAIR = re.compile(  # - name: API_TOKEN / value: x
    r"""["']?\b(?:name|key)["']?[ ]?[:=][ ]?["']?(?P<name>[A-Za-z][\w.-]{1,80})["']?,?\s{1,40}"""
    r"""["']?value["']?[ ]?[:=][ ]?(?:["'](?P<quoted>[^"'\n]{3,400})|(?P<value>[^\s"']{3,400}))"""
)
_OPEN_DOOR = re.compile(  # whoever has such an address may use it: /mcp/<uuid>, /webhook/<uuid>
    r"://[^\s\"'<>]{1,160}?/(?:mcp|sse|s|hooks?|webhooks?|triggers?)/"
    r"(?P<part>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24,64})(?![\w-])"
)


def told_spans(text: str) -> list[Span]:
    """What stands after a name in running text and looks like a secret; spans are labelled with the name."""
    found = []
    past = 0
    for match in _NAME.finditer(text):
        bridge = _BRIDGE.match(text, match.end())
        if match.start() < past or not bridge or bridge.group() in ("", "s", "="):  # `x=y` is read as an assignment
            continue
        if bridge["filler"] and NOT_AFTER.intersection(bridge["filler"].lower().split()):
            continue  # password manager: ...
        start, end = _value(text, bridge.end(), bridge["quote"])
        sign = bridge["sign"] or ""
        tight = bool(sign) and not sign.isalpha() and (sign != ">" or text[match.start() - 1 : match.start()] == "<")
        if _is_secret(text[start:end], match, tight=tight and (not bridge["filler"] or bool(match["spoken"]))):
            found.append(Span(start, end, re.sub(r"\W+", "-", match.group().lower()).strip("-")))
            past = end
    return found


def place_spans(text: str) -> list[Span]:
    """What the form around it shows: `curl -u user:x`, and addresses that are open to whoever knows them."""
    found = []
    if "-u" in text:
        users = ((m.span(m.lastgroup or 0), m["quoted"] or m["password"]) for m in _USER.finditer(text))
        found += [Span(*span, "-u") for span, value in users if _told(value)]
    if "-p" in text:
        found += [Span(*m.span("password"), "-p") for m in _COMMAND.finditer(text) if _told(m["password"])]
    if "value" in text:
        pairs = (match for match in _PAIR.finditer(text) if says_secret(match["name"]))
        found += [
            Span(*match.span(match.lastgroup or 0), match["name"])
            for match in pairs
            if _told(match["quoted"] or match["value"])
        ]
    if "://" in text:
        found += [Span(*match.span("part"), "part") for match in _OPEN_DOOR.finditer(text)]
    return found


def login_spans(text: str) -> list[Span]:
    """`login admin:x`, `creds: admin / x`."""
    found = ((match.start("password"), match["password"].rstrip(".,;)")) for match in _LOGIN.finditer(text))
    return [Span(at, at + len(value), "login") for at, value in found if like_password(value) or drawn_word(value)]


def is_phrase(text: str) -> bool:
    """Words as a generator of passphrases puts them together: none is one of those that sentences are made of."""
    match = _PHRASE.match(text)
    return bool(match) and match.end() == len(text) and not PHRASE_STOPS.intersection(re.split("[ -]", text))  # type: ignore[union-attr]


def phrase_end(text: str, at: int) -> int:
    """Where a passphrase ends that starts here, or `at`."""
    for pattern in (_GROUPS, _PHRASE):
        match = pattern.match(text, at)
        if match and (pattern is _GROUPS or is_phrase(match.group())):
            return match.end()
    return at


def _told(value: str) -> bool:
    return credential_like(value) or is_phrase(value) or bool(_GROUPS.fullmatch(value))


def _value(text: str, at: int, quote: str | None) -> tuple[int, int]:
    if quote:
        end = text.find(_CLOSING.get(quote, quote), at, at + 400)
        stop = text.find("\n", at, at + 400)
        if end >= 0 and (stop < 0 or end < stop):
            return at, at + len(text[at:end].rstrip(" \u00a0"))
    end = phrase_end(text, at)
    if end > at:
        return at, end
    bare = _BARE.match(text, at)
    return at, at + len(bare.group().rstrip(".,;:)*_")) if bare else at


def _is_secret(value: str, name: re.Match[str], *, tight: bool) -> bool:
    """`tight`: a sign of assignment stands right before it; otherwise its look must show more."""
    if len(value) < 6 or is_reference(value) or is_placeholder(value):
        return False
    if _GROUPS.fullmatch(value) or (name["spoken"] and is_phrase(value)):
        return True
    if re.search(r"\s", value) or re.search(r"[()\[\]{}]|^\$|://", value):
        return False
    if suspicious(value):
        return True
    if name["plain"]:
        return False
    if name["spoken"] and _MIXED.fullmatch(value) and not _CAMEL.fullmatch(value):
        return True
    return credential_like(value) if tight else like_password(value) or drawn_word(value)
