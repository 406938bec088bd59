"""Text that is there and is not shown: comments and styles of a page, what stands far outside of the window."""

from collections.abc import Iterator
from itertools import islice

from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger
from roosync_protocol.risk.dangers.strings import places, strings
from roosync_protocol.risk.rules import Risk, texts

SHOWN = 5  # finds of one text
_WORDS_OF_PROSE = 4
_QUOTED = 60  # characters


def in_any(before: Value | None, after: Value) -> Iterator[Danger]:
    """What of every string a page or a window does not show, unless the same was not shown before."""
    old = {quoted for text in strings(before) for _, _, _, quoted in _unshown(text)}
    for place, text in places(after):
        fresh = (found for found in _unshown(text) if found[3] not in old)
        for risk, what, at, quoted in islice(fresh, SHOWN):  # the gravest come first
            line = text.count("\n", 0, at) + 1
            where = f"line {line} of {place}" if place else f"line {line}"
            yield risk, f"{what}, in {where}: {_quote(quoted)}"


def _unshown(text: str) -> Iterator[tuple[Risk, str, int, str]]:
    """(how much, what, where it begins, the text itself) of each find."""
    if "<" in text or "\\color" in text or "]:" in text:
        yield from _on_the_page(text, _page(text))
    for found in texts.DATA_URL.finditer(text):
        yield Risk.HIGH, "an address that is data or code itself", found.start(), found[0]
    for found in texts.FAR_RIGHT.finditer(text):
        yield Risk.HIGH, "text far to the right, behind blanks", found.start(), _line(text, found.end())
    for found in texts.FAR_DOWN.finditer(text):
        yield Risk.HIGH, "text far below, behind empty lines", found.end(), _line(text, found.end())
    at = 0
    for line in text.split("\n") if len(text) > texts.LONG_LINE else ():
        if len(line) > texts.LONG_LINE:
            yield Risk.HIGH, f"a line of {len(line)} characters", at, line
        at += len(line) + 1


def _on_the_page(text: str, page: str) -> Iterator[tuple[Risk, str, int, str]]:
    for found in texts.UNSHOWN.finditer(page):
        yield Risk.CRITICAL, "text that the page does not show", found.start(), text[found.start() : found.end()]
    for pattern in (texts.COMMENT, texts.LINK_COMMENT):
        for found in pattern.finditer(page):
            said = text[slice(*found.span(1))]
            if len(said.split()) >= _WORDS_OF_PROSE and not texts.DIRECTIVE.match(said):
                yield Risk.HIGH, "a comment that the page does not show", found.start(), said


def _page(text: str) -> str:
    """The text with its code, which a page shows as it is, made unreadable; as long as it was.

    A fence in a comment is none, and neither is a comment in a fence: whoever is open first stays until its own end.
    """
    lines, fence, comment = text.split("\n"), "", False
    for at, line in enumerate(lines):
        mark = texts.FENCE.match(line)
        if fence:
            ends = mark and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if ends else fence
            lines[at] = "_" * len(line)
        elif mark and not comment and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            lines[at] = "_" * len(line)
        else:
            lines[at] = line if comment else texts.CODE.sub(lambda code: "_" * len(code[0]), line)
            opened, closed = lines[at].rfind("<!--"), lines[at].rfind("-->")
            comment = opened > closed if max(opened, closed) >= 0 else comment
    return "\n".join(lines)


def _line(text: str, at: int) -> str:
    """What stands from there on in its line."""
    return text[at : at + 200].split("\n", 1)[0]


def _quote(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= _QUOTED else f"{words[:_QUOTED]}...")
