"""Sentences that were made elsewhere, found again in a catalogue: "d-12 is approved and can not be rejected now" was
made of "{id} is {status} and can not be {what} now".

A catalogue's sentence with names in braces is a pattern; the one with the most words of its own wins. What stood in
a name is looked up in the same way, so a reason inside a reason is said too. A text that is no sentence of ours, of
which only a part is known, is said part by part (`BETWEEN`), and stays as it is otherwise.
"""

import re
from collections.abc import Mapping

_NAME = re.compile(r"\{(\w+)\}")
BETWEEN = ("\n", "; ", ". ", ": ", ", ", " (")  # where sentences are put together, the strongest first
_LEADS = ("; ", ", ", ": ")  # with which a part is in the catalogue that is only said after another
_ENDS = (")", ".", ":")
DEEPEST = 4  # reasons inside of reasons
LONGEST = 4000  # characters; what is longer is a document, not a sentence
INDEXED = 3  # letters of its beginning, or its end, by which a pattern is looked up
FEWEST = 5  # characters of its own that make a pattern: "{} on {}" would be found everywhere
WEAK = 12  # letters of its own below which a name in a pattern is a name, and no sentence: "{} is {}" fits into many
_SENTENCE = re.compile(r"\n|; |: |(?<=\S)\. |(?:\S+\s+){5}\S")  # a stop, or six words
MOST_STOPS = 20  # of a text that are looked at


class Sentences:
    """A catalogue, English sentence -> the same in another language, and what is heard in it."""

    def __init__(self, catalogue: Mapping[str, str], stops: Mapping[str, str] | None = None) -> None:
        """`stops`: what stands between two parts in the other language, where that is not as in English."""
        self._catalogue, self._joins = catalogue, stops or {}
        self._built: dict[str, _Pattern] = {}
        # By first letters, or last: only those that can fit are taken apart, so that one sentence is found in no time.
        self._rows: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        for said in catalogue:
            if "{" in said:
                start, end = said.partition("{")[0], said.rpartition("}")[2]
                self._rows.setdefault(_key(start, end), []).append((start, end, said))

    def said(self, text: str, depth: int = 0) -> str:
        """The same sentence in the other language; `text` itself when it is not known."""
        if depth > DEEPEST or len(text) > LONGEST or not text.strip():
            return text
        found = self._known(text, depth)
        return found if found is not None else self._in_parts(text, depth)

    def _known(self, text: str, depth: int) -> str | None:
        for lead in ("", *_LEADS) if "{" not in text else ():  # some stand in the catalogue with what joins them
            if lead + text in self._catalogue:
                whole = self._catalogue[lead + text]
                return whole.lstrip(" ;,:") if lead else whole
        for pattern in self._that_can_fit(text):
            if pattern.longest in text and (found := pattern.found(text)) is not None:
                values = {name: self.said(value, depth + 1) for name, value in found.items()}
                return filled(pattern.told, values)
        lower = text[:1].lower() + text[1:]
        if lower != text and (told := self._known(lower, depth)) is not None:
            return told[:1].upper() + told[1:]
        return None

    def _that_can_fit(self, text: str) -> list["_Pattern"]:
        """Those that begin and end as `text` does, the one with the most words of its own first."""
        keys = (text[:INDEXED], ""), ("", text[-INDEXED:]), ("", "")
        rows = (row for key in keys for row in self._rows.get(key, ()))
        patterns = [self._pattern(said) for start, end, said in rows if text.startswith(start) and text.endswith(end)]
        return sorted((one for one in patterns if one.words >= FEWEST), key=lambda one: -one.words)

    def _pattern(self, said: str) -> "_Pattern":
        if said not in self._built:
            self._built[said] = _Pattern(said, self._catalogue[said])
        return self._built[said]

    def _in_parts(self, text: str, depth: int) -> str:
        """A name and then a sentence, in which a stop may stand too; else the parts between stops, each by itself."""
        for at, between in sorted(_stops(text))[:MOST_STOPS]:
            rest = text[at + len(between) :]
            if (told := self._known(rest, depth)) is not None:
                return f"{self.said(text[:at], depth + 1)}{self._joins.get(between, between)}{told}"
        stops = _stops(text)
        for between in BETWEEN:
            ends = [at for at, stop in stops if stop == between]
            if ends:
                starts = [0, *(at + len(between) for at in ends)]
                parts = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
                told_ = [self.said(part, depth + 1) for part in parts]
                return (between if told_ == parts else self._joins.get(between, between)).join(told_)
        if text.endswith(_ENDS):  # of a bracket that another part began, or of the whole
            return self.said(text[:-1], depth + 1) + text[-1]
        return text


def _stops(text: str) -> list[tuple[int, str]]:
    """Where a part of it may end, and with which of `BETWEEN`; a dot that stands alone is a name: `--set . VALUE`."""
    found = ((match.start(), between) for between in BETWEEN for match in re.finditer(re.escape(between), text))
    return [(at, between) for at, between in found if between != ". " or not text[at - 1 : at].isspace()]


def _key(start: str, end: str) -> tuple[str, str]:
    """Under what a pattern is looked up that begins and ends so: its beginning, its end, or neither is long enough."""
    if len(start) >= INDEXED:
        return start[:INDEXED], ""
    return "", end[-INDEXED:] if len(end) >= INDEXED else ""


def filled(told: str, values: Mapping[str, str]) -> str:
    """`told` with its names filled in; no format of any kind is obeyed."""
    return _NAME.sub(lambda name: values.get(name[1], name[0]), told)


class _Pattern:
    """A sentence with names: `words` of its own in letters, the `longest` run of them, and where they stand."""

    def __init__(self, said: str, told: str) -> None:
        self.told = told
        pieces = _NAME.split(said)
        self._own, self._names = pieces[::2], pieces[1::2]
        self.words = sum(map(len, self._own))
        self._weak = sum(sign.isalnum() for own in self._own for sign in own) < WEAK
        self.longest = max(self._own, key=len)

    def found(self, text: str) -> dict[str, str] | None:
        """What stands in each name, each as short as can be; None when the text is another sentence. Linear in time."""
        first, *others = self._own
        if not text.startswith(first):
            return None
        values, at = {}, len(first)
        for name, piece in zip(self._names[:-1], others[:-1], strict=True):
            end = text.find(piece, at)
            if end < 0:
                return None
            values[name] = text[at:end]
            if self._weak and _SENTENCE.search(values[name]):
                return None
            at = end + len(piece)
        end = len(text) - len(others[-1])
        if end < at or not text.endswith(others[-1]):
            return None
        return values | {self._names[-1]: text[at:end]}
