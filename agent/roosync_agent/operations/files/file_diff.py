"""The difference of two contents of one file, for the eyes of its owner: a unified diff in which secrets are hidden.

Hidden is what looks secret in a line, and what is one by its place in the document, wherever it stands. A line with a
secret that changes is still seen to change. Lines count as the file's own: only a line feed ends one.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from roosync_protocol.documents import DocumentError, parse, sniff
from roosync_protocol.documents.lines import aligned
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.secrets import hide
from roosync_protocol.secrets.spelling import spellings
from roosync_protocol.secrets.text import text_spans
from roosync_protocol.secrets.values import HIDDEN

CONTEXT = 3  # lines around a change
AROUND = 120  # lines before and after, in which a secret of several lines may begin or end
LONG = 240  # characters of a line that are shown; of a longer one, what is around the change
NO_END = "\\ No newline at end of file"
CUT = "..."
SHORT = 3  # characters of a secret that is hidden only where its line says that it is one


def unified(
    old: bytes | None, new: bytes | None, name: str, format_: str = "", *, secrets: bool = False, clip: bool = False
) -> str:
    """A unified diff; "" when nothing differs. None: there is no file. `secrets`: show them; `clip`: long lines.

    `format_`: of the document, when it is known better than by the name.
    """
    if old == new:
        return ""
    known = None if secrets else _known(_by_place(old, name, format_) | _by_place(new, name, format_))
    a, b = _lines(old), _lines(new)
    name = name.replace("\n", "\\n")
    heads = [f"--- {'/dev/null' if old is None else f'{name} (now)'}"]
    heads += [f"+++ {'/dev/null' if new is None else f'{name} (afterwards)'}"]
    crlf = _mostly_crlf(old) and (new is None or _mostly_crlf(new))
    shown: list[str] = []
    for group in _groups(a, b):
        first, last = group[0], group[-1]
        before = _hidden(a, first[1], last[2], known)
        after = _hidden(b, first[3], last[4], known)
        shown.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@")
        for tag, i1, i2, j1, j2 in group:
            left, right = before[i1 - first[1] : i2 - first[1]], after[j1 - first[3] : j2 - first[3]]
            shown += _marked(tag, left, right, clip, crlf)
    return "\n".join([*heads, *shown]) + "\n"


def _lines(data: bytes | None) -> list[str]:
    *whole, rest = (data or b"").decode("utf-8", "replace").split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


def _mostly_crlf(data: bytes | None) -> bool:
    return data is not None and data.count(b"\r\n") * 2 > data.count(b"\n")


def _groups(a: list[str], b: list[str]) -> Iterable[list[tuple[str, int, int, int, int]]]:
    """The changes with their context, by the way that never takes minutes; grouped as the standard library does."""
    matcher = SequenceMatcher(None, "", "")
    matcher.opcodes = [one for one in aligned(a, b) if one[0] != "equal" or one[1] < one[2]]  # type: ignore[attr-defined]
    return matcher.get_grouped_opcodes(CONTEXT)


def _by_place(data: bytes | None, name: str, format_: str) -> set[str]:
    """The lines of all values of the document that are secret by where they stand: in `env`, after `--token` ..."""
    if not data:
        return set()
    try:
        value = parse(data, format_ or sniff(data, name)).value
    except (DocumentError, ValueError):
        return set()
    if not isinstance(value, dict | list):
        return set()
    _, found = hide(Entity(key="file/x", kind=Kind.SETTING, value=value))
    spelt = {way for one in found.values() for way in spellings(one)}
    return {line.strip() for one in spelt for line in one.split("\n") if len(line.strip()) > SHORT}


def _known(secrets: set[str]) -> re.Pattern[str]:
    """What matches each of them as a whole word, the longest first; nothing when there are none."""
    found = "|".join(map(re.escape, sorted(secrets, key=lambda one: (-len(one), one))))
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)" if found else "(?!)")


def _hidden(lines: list[str], start: int, end: int, known: re.Pattern[str] | None) -> list[str]:
    if known is None:
        return lines[start:end]
    low = max(0, start - AROUND)
    text = known.sub(HIDDEN, "".join(lines[low : end + AROUND]))
    masked = _lines(_masked(text).encode("utf-8", "replace"))
    return masked[start - low : end - low]


def _masked(text: str) -> str:
    """`scrub`, with as many lines afterwards as before."""
    for _ in range(3):
        pieces, at = [], 0
        for span in text_spans(text):
            lines = text[span.start : span.end].split("\n")
            pieces += [text[at : span.start], "\n".join(HIDDEN if line else "" for line in lines)]
            at = span.end
        if not pieces:
            break
        text = "".join([*pieces, text[at:]])
    return text


def _marked(tag: str, left: list[str], right: list[str], clip: bool, crlf: bool) -> Iterator[str]:
    if tag == "equal":
        left, right = right, []
    pairs = list(zip(left, right, strict=False)) if tag == "replace" and len(left) == len(right) else []
    if clip and pairs:
        both = [_clipped(one, two) for one, two in pairs]
        left, right = [one for one, _ in both], [two for _, two in both]
    elif clip:
        left, right = [_short(line) for line in left], [_short(line) for line in right]
    for mark, lines in ((" " if tag == "equal" else "-", left), ("+", right)):
        for line in lines:
            text = line.removesuffix("\n")
            yield mark + (text.removesuffix("\r") if crlf else text)
            if text == line:
                yield NO_END


def _clipped(one: str, two: str) -> tuple[str, str]:
    """Two long lines, of which what is equal before and after the change is left out."""
    if max(len(one), len(two)) <= LONG:
        return one, two
    at = next((i for i, (x, y) in enumerate(zip(one, two, strict=False)) if x != y), min(len(one), len(two)))
    start = max(0, at - LONG // 3)
    head = CUT if start else ""
    return _short(head + one[start:]), _short(head + two[start:])


def _short(line: str) -> str:
    if len(line) <= LONG:
        return line
    end = "\n" if line.endswith("\n") else ""
    return f"{line[:LONG]}{CUT} ({len(line) - LONG} more characters){end}"


def _range(start: int, end: int) -> str:
    """As in a unified diff: the first line and how many; the line before where there are none."""
    return f"{start + 1 if end > start else start},{end - start}"
