"""TOML strings over several lines, changed line by line: the quotes and the lines that stay keep their bytes.

Source: TOML 1.0, "String".
"""

import re

from roosync_protocol.documents import lines
from roosync_protocol.documents.toml_tree import unquote
from roosync_protocol.documents.toml_write import CONTROL, escaped

_LONG = re.compile(r"""(?P<quotes>\"{3}|'{3})(?P<first>\r?\n)?(?P<body>.*)(?P=quotes)""", re.DOTALL)


def edited(raw: str, value: str, newline: str) -> str | None:
    """The literal `raw` changed to say `value`; None when it has one line or must be written anew."""
    found = _LONG.fullmatch(raw)
    if found is None or "\n" not in raw or "\r" in value:
        return None
    quotes, basic = found["quotes"], found["quotes"] == '"""'
    raws = _pieces(found["body"].split("\n")) if basic else found["body"].split("\n")
    old = [_decoded(one) if basic else one.removesuffix("\r") for one in raws]
    new = value.split("\n")
    if not basic and (quotes in value or value.endswith("'") or any(CONTROL.search(line) for line in new)):
        return None
    carriage = newline.removesuffix("\n")
    raws[-1] += carriage
    written = lines.overlaid(old, raws, new, lambda line: (_escaped(line) if basic else line) + carriage)
    if written[-1] != raws[-1]:  # behind it come the quotes
        written[-1] = escaped(new[-1]) if basic else new[-1]
    body = "\n".join([*written[:-1], written[-1].removesuffix("\r")])
    return quotes + (found["first"] or "") + body + quotes


def _pieces(body: list[str]) -> list[str]:
    """Lines, with those that a backslash joins as one."""
    pieces: list[str] = []
    joined = False
    for line in body:
        if joined:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
        bare = line.rstrip(" \t\r")
        joined = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1 or (joined and not bare)
    return pieces


def _decoded(line: str) -> str:
    line = line.removesuffix("\r")
    return unquote(f'"""\n{line}\n"""')[:-1] if "\\" in line else line


def _escaped(line: str) -> str:
    return escaped(line + "\n")[:-1]
