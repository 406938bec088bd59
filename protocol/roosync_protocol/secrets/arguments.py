"""Secrets in the arguments of a command: which switch takes a secret, and what stands alone.

`--token=x`, `--api-key x`, `-H "Authorization: Bearer x"`, `-e KEY=x`, `-u user:x`, and whole command lines
inside one string. A part is named by its switch and never by its index, so that the address is the same on a
machine where the server is started through `cmd /c`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from roosync_protocol.names import Value
from roosync_protocol.secrets import rules
from roosync_protocol.secrets.names import names_public, says_secret
from roosync_protocol.secrets.shapes import (
    NOBODY,
    connection_spans,
    header_spans,
    is_url,
    json_spans,
    loose_spans,
    url_spans,
    value_spans,
)
from roosync_protocol.secrets.spans import Span, merged
from roosync_protocol.secrets.text import text_spans
from roosync_protocol.secrets.values import (
    credential_like,
    is_path,
    is_placeholder,
    is_reference,
    suspicious,
)
from roosync_protocol.secrets.vendors import vendor_spans

_SWITCH = re.compile(r"--?[A-Za-z][\w.:-]*\Z|/[A-Za-z][A-Za-z0-9_-]{0,30}\Z")
_WITH_VALUE = re.compile(r"(?P<switch>(?:--?|/)[A-Za-z][\w.-]*)(?P<sign>[=:])(?P<value>.*)\Z", re.DOTALL)
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][\w.-]{0,80})=(?P<value>.*)\Z", re.DOTALL)
_ATTACHED = re.compile(r"(?P<switch>-[eHDu])(?P<value>[A-Za-z_][\w-]*[=:].+)\Z", re.DOTALL)
_ATTACHED_PASSWORD = re.compile(r"-p([^\s=/:.,-]{6,80})\Z")  # mysql -phunter2
_QUOTED = r""""(?:[^"\\]|\\.){0,1000}"|'[^']{0,1000}'"""
_WORD = re.compile(rf"""{_QUOTED}|(?:[^\s"']|{_QUOTED})+""", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_SHELLS = frozenset({"-c", "-lc", "-ic", "-ec", "/c", "/k", "/C", "/K", "-Command", "-command", "-e", "--eval"})
_USER = re.compile(r"(?P<user>[^\s:]{0,80}):(?P<password>\S+)\Z")


class Word(NamedTuple):
    """One argument: its text, and whether something that is no string stood there (a number)."""

    text: str
    plain: bool = True


def argument_spans(arguments: Sequence[Value], public_names: frozenset[str] = NOBODY) -> list[list[Span]]:
    """For each argument its secret parts; labels are `--token`, `-H/Authorization`, `-e/KEY`, or a parameter's name."""
    words = [Word(a) if isinstance(a, str) else Word(str(a), plain=False) for a in arguments]
    return [merged(spans, word.text) for spans, word in zip(_judge(words, public_names), words, strict=True)]


def command_spans(text: str, public_names: frozenset[str] = NOBODY) -> list[Span]:
    """The secret parts of a whole command line in one string."""
    pieces = []
    for match in _WORD.finditer(text):
        word = match.group()
        quoted = len(word) > 1 and word[0] in "\"'" and word[-1] == word[0]
        pieces.append((match.start() + quoted, word[1:-1] if quoted else word))
    if len(pieces) == 1 and pieces[0] == (0, text):
        return loose_spans(text)
    found = text_spans(text)
    for (at, _), spans in zip(pieces, _judge([Word(word) for _, word in pieces], public_names), strict=True):
        found += [span.moved(at) for span in spans]
    return merged(found, text)


def _judge(words: list[Word], public_names: frozenset[str]) -> list[list[Span]]:
    result: list[list[Span]] = []
    switch = ""  # the one before, when it waits for its value
    for at_word, word in enumerate(words):
        verb = words[at_word - 1].text if at_word else ""
        if verb in rules.GIT_VERBS and _COMMIT.fullmatch(word.text):
            spans, switch = [], ""
        elif switch and (not _is_switch(word.text) or (_odd(word.text) and _says(switch))):
            spans = _after(switch, word, public_names)
            switch = ""
        elif not word.plain:
            spans = []
        elif attached := _ATTACHED.match(word.text):
            at = attached.start("value")
            inner = _after(attached["switch"], Word(attached["value"]), public_names)
            spans = [span.moved(at) for span in inner]
            switch = ""
        elif (password := _ATTACHED_PASSWORD.match(word.text)) and credential_like(password[1]):
            spans, switch = [Span(*password.span(1), "-p")], ""
        elif (joined := _WITH_VALUE.match(word.text)) and (joined["sign"] == "=" or _says(joined["switch"])):
            at = joined.start("value")
            inner = _after(joined["switch"], Word(joined["value"]), public_names)
            spans = [span.moved(at) for span in inner]
            switch = ""
        else:
            switch = word.text if _SWITCH.match(word.text) else ""
            spans = text_spans(word.text) if switch else _alone(word.text, public_names)
        result.append(spans)
    return result


def _is_switch(text: str) -> bool:
    joined = _WITH_VALUE.match(text)
    return bool(_SWITCH.match(text) or (joined and joined["sign"] == "=" and text.startswith("-")))


def _odd(text: str) -> bool:
    """`-x8Kd92kslw0` after --token is rather its value than a switch."""
    return not text.startswith("--") and len(text) > 6 and any(c.isdigit() for c in text)


def _says(switch: str) -> bool:
    return says_secret(switch.lstrip("-/")) or switch in rules.SECRET_SWITCHES


def _after(switch: str, word: Word, public_names: frozenset[str]) -> list[Span]:
    """The secret parts of what follows a switch, whether after a blank or after `=`."""
    text = word.text
    if not text.strip() or is_reference(text) or is_placeholder(text):
        return []
    if names_public(switch.lstrip("-/"), text):
        return text_spans(text)
    if says_secret(switch.lstrip("-/")):
        return _named(switch, value_spans("token", text, public_names))
    if not word.plain:
        return []
    if switch in rules.HEADER_SWITCHES and (header := header_spans(text, public_names)) is not None:
        return _named(switch, header)
    if switch in rules.USER_SWITCHES and (user := _USER.match(text)) and not is_url(text):
        return [] if is_reference(user["password"]) else [Span(*user.span("password"), f"{switch}/password")]
    if switch in rules.VARIABLE_SWITCHES and (variable := _VARIABLE.match(text)):
        at = variable.start("value")
        inner = value_spans(variable["name"], variable["value"], public_names)
        return [Span(at + s.start, at + s.end, f"{switch}/{variable['name']}{_more(s)}") for s in inner]
    if switch in rules.SECRET_SWITCHES:
        return _named(switch, _doubtful(text))
    return _named(switch, _alone(text, public_names, code=switch in _SHELLS))


def _doubtful(text: str) -> list[Span]:
    """After `--key`, `--auth`, `-a`: a short plain word, a path or a number may be a name; the rest is a secret."""
    name = text.split(":", 1)[0]
    if says_secret(name) and (header := header_spans(text)) is not None:
        return header
    if (user := _USER.match(text)) and not is_url(text) and not is_path(text):
        return [] if is_reference(user["password"]) else [Span(*user.span("password"), "password")]
    if (
        is_url(text)
        or is_path(text)
        or re.fullmatch(r"[a-z][a-z-]{0,15}|\d{1,5}|[a-z0-9@/._-]+@(?:latest|\d[\w.]*)", text)
    ):
        return loose_spans(text)
    return [Span(0, len(text))]


def _alone(text: str, public_names: frozenset[str], *, code: bool = False) -> list[Span]:
    """An argument that no switch explains: plain words, paths, packages and URLs pass. `code`: a shell reads it."""
    if is_reference(text):
        return []
    if is_url(text):
        return url_spans(text, strict=True)
    if (
        text.lstrip()[:1] in ("{", "[")
        and (inside := json_spans(text, strict=False, public_names=public_names)) is not None
    ):
        return inside
    if (header := header_spans(text, public_names)) is not None and says_secret(text.split(":", 1)[0]):
        return header
    variable = _VARIABLE.match(text)
    whole = variable and not code and says_secret(variable["name"]) and variable["value"][:1] not in "\"'"
    if not whole and re.search(r"\s", text.strip()) and len(_WORD.findall(text)) > 1:
        return command_spans(text, public_names)
    if variable and variable["value"][:2] == "$(":
        return loose_spans(text)
    if variable and (whole or "," not in variable["value"]):
        at = variable.start("value")
        name, value = variable["name"], variable["value"]
        strict = name.isupper() or says_secret(name)
        inner = value_spans(name, value, public_names) if strict else loose_spans(value)
        return [Span(at + s.start, at + s.end, name + _more(s)) for s in inner]
    if (pairs := connection_spans(text.replace(",", ";") if ";" not in text else text)) is not None:
        return pairs
    if (
        suspicious(text)
        and (user := _USER.match(text))
        and not is_path(text)
        and not any(s == 0 for s, *_ in vendor_spans(text))
    ):
        return [Span(*user.span("password"), "password")]
    return loose_spans(text)


def _named(switch: str, spans: list[Span]) -> list[Span]:
    return [Span(s.start, s.end, switch + _more(s)) for s in spans]


def _more(span: Span) -> str:
    return f"/{span.form}" if span.form else ""
