"""Secrets as people tell them to each other and to assistants: "the API key is `x`", "| mot de passe | x |".

Names in sentences have blanks in them and stand in many languages; what follows is told apart from the rest of the
sentence by its look. The nearer the form is to an assignment, the less the look has to show.
"""

import re

from roosync_protocol.secret_names import says_secret
from roosync_protocol.secret_rules import PHRASE_STOPS
from roosync_protocol.secret_spans import Span
from roosync_protocol.secret_values import (
    credential_like,
    drawn_word,
    is_placeholder,
    is_reference,
    like_password,
    suspicious,
)

_SPOKEN = (
    r"pass(?:word|phrase|code|wort)|kennwort|mot[ ]de[ ]passe|mdp|contraseña|senha|wachtwoord|mnemonic|seed[ ]phrase"
)
_KEY = (
    r"(?:api|access|secret|private|auth|app|application|account|admin|licen[cs]e|service|signing|encryption|master|global|role"
    r"|subscription|deploy|storage|bot|server|developer|refresh|session)[ _-]?(?:key|token|secret|code)"
    r"|token|jeton|secret|credentials?|key|clé(?:[ ](?:d['’])?(?:api|accès|secrète|privée))?|schlüssel|clave|chave"
)
_NAME = re.compile(
    rf"(?<![A-Za-z])(?:(?P<spoken>{_SPOKEN})|(?P<plain>key|clé|clave|chave|schlüssel)(?![ _-]?\w)|{_KEY})",
    re.IGNORECASE,
)
_BRIDGE = re.compile(
    r"""[*_`"')\]]{0,3}(?:[ ]\([^()\n]{0,30}\))?
        [ \t\u00a0]{0,3}(?P<sign>:=?|={1,2}>?|->|→|\||(?:is|est|ist|es)\b)?[ \t\u00a0]{0,3}[*_]{0,2}[ \t]?
        (?P<quote>[`"'«“])?[ \u00a0]?""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSING = {"«": "»", "“": "”"}
_BARE = re.compile(r"[^\s`\"'<>|«»“”]{6,300}")
_PHRASE = re.compile(r"[a-z]{3,12}(?:([ -])[a-z]{3,12})(?:\1[a-z]{3,12}){1,22}(?![\w-]|[ ][\w(])")
_GROUPS = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}(?![\w]|[ ][\w(])")  # a Google app password
_MIXED = re.compile(r"(?=[a-z]*[A-Z])(?=[A-Z]*[a-z])[A-Za-z]{10,64}")
_CAMEL = re.compile(r"[a-z]?(?:[A-Z]{2,}|[A-Z]?[a-z]{2,})+")
_USER = re.compile(
    r"""(?<![\w-])(?:-u|--user)[ =](?:["'][\w.@+-]{1,60}:(?P<quoted>[^"'\n]{6,200})"""
    r"""|[\w.@+-]{1,60}:(?P<password>[^\s"']{6,200}))"""
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
        if match.start() < past or not bridge or not (bridge["sign"] or bridge["quote"]) or bridge.group() == "=":
            continue  # `x=y` is read as an assignment
        start, end = _value(text, bridge.end(), bridge["quote"])
        value = text[start:end]
        if _is_secret(value, bridge["sign"] or "", bridge["quote"] or "", bool(match["spoken"]), bool(match["plain"])):
            found.append(Span(start, end, re.sub(r"\W+", "-", match.group().lower()).strip("-")))
            past = end
    return found


def place_spans(text: str) -> list[Span]:
    """What the form around it shows: `curl -u user:x`, and addresses that are open to whoever knows them."""
    users = _USER.finditer(text) if "-u" in text else ()
    found = [Span(*m.span(m.lastgroup or 0), "-u") for m in users if _told(m["quoted"] or m["password"])]
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


def _is_secret(value: str, sign: str, quote: str, spoken: bool, plain: bool) -> bool:
    if len(value) < 6 or is_reference(value) or is_placeholder(value):
        return False
    if spoken and (is_phrase(value) or _GROUPS.fullmatch(value)):
        return True
    if re.search(r"\s", value) or re.search(r"[()\[\]{}]|^\$|://", value):
        return False
    if suspicious(value):
        return True
    if plain:
        return False
    if sign.isalpha() or not sign:
        return like_password(value) or drawn_word(value)
    return credential_like(value) or (
        spoken and len(value) >= 10 and bool(_MIXED.fullmatch(value)) and not _CAMEL.fullmatch(value)
    )
