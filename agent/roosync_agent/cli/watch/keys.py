"""What a person typed, out of the bytes that a terminal sends: names for keys, characters for the rest."""

import codecs

NAMED = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[C": "right", "\x1bOC": "right",
    "\x1b[D": "left", "\x1bOD": "left", "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[7~": "home",
    "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end", "\x1b[8~": "end", "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[Z": "tab", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "erase", "\x08": "erase", "\x1b": "escape",
    "\x15": "erase all", "\x0c": "redraw", "\x04": "page down", "\x06": "page down", "\x02": "page up",
}  # fmt: skip
LONGEST = 32  # characters of a sequence that no terminal ends
# What msvcrt gives after a first "\x00" or "\xe0".
OF_WINDOWS = {
    "H": "up", "P": "down", "M": "right", "K": "left", "G": "home", "O": "end", "I": "page up", "Q": "page down",
}  # fmt: skip


class Keys:
    """Bytes in, keys out. A sequence that is not whole yet waits for its rest, or for `settle`."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._open = ""

    @property
    def waiting(self) -> bool:
        """Is there the beginning of a sequence? It may also be the escape key alone."""
        return bool(self._open)

    def fed(self, data: bytes) -> list[str]:
        found: list[str] = []
        for char in self._decoder.decode(data):
            if not self._open and char == "\x1b":
                self._open = char
            elif not self._open:
                found += _key(char)
            elif char == "\x1b":  # what came before was the key alone, or nothing we know
                found += self.settle()
                self._open = char
            else:
                self._open += char
                if _whole(self._open) or len(self._open) >= LONGEST:
                    found += [NAMED[self._open]] if self._open in NAMED else []
                    self._open = ""
        return found

    def settle(self) -> list[str]:
        """Nothing followed: an escape alone is a key."""
        alone, self._open = self._open == "\x1b", ""
        return ["escape"] if alone else []


def _whole(sequence: str) -> bool:
    if sequence[1] not in "[O":
        return True  # Alt and a key: nothing here
    return len(sequence) > 2 and "\x40" <= sequence[-1] <= "\x7e"


def _key(char: str) -> list[str]:
    return [NAMED[char]] if char in NAMED else [char] if char.isprintable() else []
