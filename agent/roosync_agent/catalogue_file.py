"""A catalogue of sentences as `msgfmt` writes it (.mo), of which only what is asked for is read.

gettext's own reader takes a whole catalogue apart before it says the first sentence: 6 ms for ours, and `status` has
100. Format: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

MAGIC = 0x950412DE
_HEAD = struct.Struct("<IIIII")  # magic, revision, how many, where the originals are listed, where the translations
SEVERAL = "\0"  # between the forms of a sentence that has more than one


class Catalogue(Mapping[str, str]):
    """English sentence -> the same in another language. Empty when there is no such file, or it is no catalogue."""

    def __init__(self, path: Path) -> None:
        self._at: dict[bytes, tuple[int, int]] = {}
        self._header = ""
        try:
            self._data = path.read_bytes()
            magic, _, count, originals, translations = _HEAD.unpack_from(self._data)
            if magic != MAGIC:
                return
            ours = struct.unpack_from(f"<{2 * count}I", self._data, originals)  # length, offset; length, offset ...
            told = struct.unpack_from(f"<{2 * count}I", self._data, translations)
        except (OSError, struct.error):
            return
        data, places = self._data, zip(told[1::2], told[::2], strict=True)
        self._at = {data[at : at + size]: place for size, at, place in zip(ours[::2], ours[1::2], places, strict=True)}
        self._header = self.get("", "")
        self._at.pop(b"", None)

    def __getitem__(self, text: str) -> str:
        at, size = self._at[text.encode("utf-8", "surrogatepass")]
        return self._data[at : at + size].decode()

    def __iter__(self) -> Iterator[str]:
        return map(bytes.decode, self._at)

    def __len__(self) -> int:
        return len(self._at)

    def gettext(self, text: str) -> str:
        """`text` in the other language; as it is when it has no translation."""
        return self.get(text) or text

    def ngettext(self, one: str, several: str, count: int) -> str:
        """As `gettext`, in the form that the language has for `count` of something."""
        forms = self.get(f"{one}{SEVERAL}{several}", "").split(SEVERAL)
        form = self._form(count) if len(forms) > 1 else 0
        return (forms[form] if form < len(forms) else "") or (one if count == 1 else several)

    def _form(self, count: int) -> int:
        from gettext import c2py

        rule = self._header.partition("plural=")[2].partition(";")[0]
        return int(c2py(rule or "n != 1")(count))
