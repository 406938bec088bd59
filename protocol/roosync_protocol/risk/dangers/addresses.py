"""Addresses in a server or a setting: what is code, what hides where it leads, whose letters pass for others."""

import re
from collections.abc import Iterator

from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger
from roosync_protocol.risk.dangers.characters import posing
from roosync_protocol.risk.rules import Risk

_URL = re.compile(r"(?i)(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}://(?P<where>[^\s/?#\"'<>\\]*)")
_CODE = re.compile(r"(?i)\b(?:data:(?:[\w.+-]+/[\w.+-]+)?[;,]|(?:java|vb)script:)")
READS_FILE = re.compile(r"(?i)\{file:")  # opencode puts the file's content there, wherever it stands
_LOOKS_LIKE_HOST = re.compile(r"(?i)[\w-]{1,63}\.[a-z]{2,}")


def in_texts(texts: list[str]) -> Iterator[Danger]:
    for text in texts:
        if found := _CODE.search(text):
            yield Risk.CRITICAL, f"an address that is data or code itself ({found[0]}...)"
        if READS_FILE.search(text):
            yield Risk.CRITICAL, "the content of a file is put in ({file:...})"
        for url in _URL.finditer(text):
            user, at, host = url["where"].rpartition("@")
            host = re.sub(r":\d*\Z", "", host)
            if at and _LOOKS_LIKE_HOST.search(user.split(":", 1)[0]):
                yield Risk.CRITICAL, f"an address that leads to {host}, not to {user.split(':', 1)[0]}"
            if plain := _posing_host(host):
                yield Risk.CRITICAL, f"a host with look-alike letters ({_spelled(host)}), which passes for {plain}"


def _posing_host(host: str) -> str | None:
    labels = [_readable(label) for label in host.split(".")]
    plain = [posing(label, alone=True) or label for label in labels]
    return ".".join(plain) if plain != labels and ".".join(plain).isascii() else None


def _readable(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def _spelled(host: str) -> str:
    return "".join(char if char.isascii() else f"[U+{ord(char):04X}]" for char in host)


def addresses_of(server: dict[str, Value], flat: list[str]) -> list[str]:
    """The texts of a server in which an address may stand."""
    fields = ("url", "serverUrl", "httpUrl", "endpoint", "uri")
    return [*(str(server[field]) for field in fields if isinstance(server.get(field), str)), *flat]
