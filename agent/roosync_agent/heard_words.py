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
DEEPEST = 4  # reasons inside of reasons
LONGEST = 4000  # characters; what is longer is a document, not a sentence
FEWEST = 5  # characters of its own that make a pattern: "{} on {}" would be found everywhere


class Sentences:
    """A catalogue, English sentence -> the same in another language, and what is heard in it."""

    def __init__(self, catalogue: Mapping[str, str]) -> None:
        self._whole = {said: told for said, told in catalogue.items() if not _NAME.search(said)}
        patterns = (_Pattern(said, told) for said, told in catalogue.items() if _NAME.search(said))
        self._patterns = [pattern for pattern in patterns if pattern.words >= FEWEST]
        self._patterns.sort(key=lambda pattern: -pattern.words)

    def said(self, text: str, depth: int = 0) -> str:
        """The same sentence in the other language; `text` itself when it is not known."""
        if depth > DEEPEST or len(text) > LONGEST or not text.strip():
            return text
        found = self._known(text, depth)
        return found if found is not None else self._in_parts(text, depth)

    def _known(self, text: str, depth: int) -> str | None:
        if text in self._whole:
            return self._whole[text]
        for pattern in self._patterns:
            if pattern.longest in text and (found := pattern.found(text)) is not None:
                values = {name: self.said(value, depth + 1) for name, value in found.items()}
                return filled(pattern.told, values)
        lower = text[:1].lower() + text[1:]
        if lower != text and (told := self._known(lower, depth)) is not None:
            return told[:1].upper() + told[1:]
        return None

    def _in_parts(self, text: str, depth: int) -> str:
        for between in BETWEEN:
            if between in text:
                return between.join(self.said(part, depth + 1) for part in text.split(between))
        return text


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
            at = end + len(piece)
        end = len(text) - len(others[-1])
        if end < at or not text.endswith(others[-1]):
            return None
        return values | {self._names[-1]: text[at:end]}
