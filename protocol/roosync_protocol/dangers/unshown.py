"""Text that is there and is not shown: comments and styles of a page, what stands far outside of the window."""

from collections.abc import Iterator

from roosync_protocol.dangers import Danger
from roosync_protocol.dangers.strings import places, strings
from roosync_protocol.names import Value
from roosync_protocol.risk_rules import Risk, texts

_WORDS_OF_PROSE = 4
_QUOTED = 60  # characters


def in_any(before: Value | None, after: Value) -> Iterator[Danger]:
    """What of every string a page or a window does not show, unless the same stood there before."""
    old = list(strings(before))
    for place, text in places(after):
        for risk, what, at, quoted in _unshown(text):
            if not any(quoted in known for known in old):
                line = text.count("\n", 0, at) + 1
                where = f"line {line} of {place}" if place else f"line {line}"
                yield risk, f"{what}, in {where}: {_quote(quoted)}"


def _unshown(text: str) -> Iterator[tuple[Risk, str, int, str]]:
    """(how much, what, where it begins, the text itself) of each find."""
    if "<" in text or "\\color" in text or "]:" in text:
        page = texts.FENCE.sub(lambda code: "".join(c if c == "\n" else "_" for c in code[0]), text)
        for found in texts.UNSHOWN.finditer(page):
            yield Risk.CRITICAL, "text that the page does not show", found.start(), text[found.start() : found.end()]
        for pattern in (texts.COMMENT, texts.LINK_COMMENT):
            for found in pattern.finditer(page):
                said = found[1]
                if len(said.split()) >= _WORDS_OF_PROSE and not texts.DIRECTIVE.match(said):
                    yield Risk.HIGH, "a comment that the page does not show", found.start(), text[slice(*found.span(1))]
    for found in texts.DATA_URL.finditer(text):
        yield Risk.HIGH, "an address that is data or code itself", found.start(), found[0]
    for found in texts.FAR_RIGHT.finditer(text):
        yield Risk.HIGH, "text far to the right, behind blanks", found.start(), _line(text, found.end())
    for found in texts.FAR_DOWN.finditer(text):
        end = found.end()
        yield Risk.HIGH, "text far below, behind empty lines", end, _line(text, end)
    if len(text) > texts.LONG_LINE:
        at = 0
        for line in text.split("\n"):
            if len(line) > texts.LONG_LINE:
                yield Risk.HIGH, f"a line of {len(line)} characters", at, line
            at += len(line) + 1


def _line(text: str, at: int) -> str:
    """What stands from there on in its line."""
    return text[at : at + 200].split("\n", 1)[0]


def _quote(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= _QUOTED else f"{words[:_QUOTED]}...")
