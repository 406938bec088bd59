"""What all formats share: the document itself, its limits, its two errors, and bytes to text and back."""

from collections.abc import Callable
from dataclasses import dataclass, field

from roosync_protocol.names import Value

BOM = "\ufeff"
MIB = 1024 * 1024


class DocumentError(ValueError):
    """The file is not what its format says: its writer's fault. Skip it with this reason, or repair it.

    `line` counts from 1; None when the reason has no place (too large, for instance).
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


class EditRefused(ValueError):
    """The edit can not be done exactly, so nothing was changed. Edit the file by hand, or ask for another value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """What is read at most: hostile or broken files end in DocumentError and never in a dead agent."""

    size: int = 16 * MIB  # bytes
    depth: int = 200  # containers inside containers
    shared: int = 100_000  # values that aliases may repeat, all together (YAML)
    nodes: int = 500_000  # values in all where each costs much to read (YAML, TOML)


LIMITS = Limits()


@dataclass(frozen=True)
class Document:
    """A parsed file. Treat `value` as read-only: the next edit is computed from it."""

    format: str
    data: bytes = field(repr=False)
    value: Value = field(repr=False, compare=False)
    limits: Limits = field(default=LIMITS, repr=False)
    marks: str = field(default="", repr=False, compare=False)  # the byte order marks that come first
    text: str = field(default="", repr=False, compare=False)  # what follows them
    newline: str = field(default="\n", repr=False, compare=False)  # the line end that most lines have
    tree: object = field(default=None, repr=False, compare=False)  # where things are, in the format's own words


def decode(data: bytes, limits: Limits) -> tuple[str, str]:
    """(byte order marks, text). Some tools wrote the mark twice: what follows counts."""
    if len(data) > limits.size:
        raise DocumentError(f"{len(data)} bytes are more than the limit of {limits.size}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError("the file is UTF-16; save it as UTF-8")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", line) from None
    text = whole.lstrip(BOM)
    return whole[: len(whole) - len(text)], text


def encode(marks: str, text: str) -> bytes:
    try:
        return (marks + text).encode()
    except UnicodeEncodeError:
        raise EditRefused("the value holds half of a surrogate pair, which this format can not write") from None


def line_of(text: str, at: int) -> int:
    """The line, from 1, of the character at `at`."""
    return text.count("\n", 0, at) + 1


def newline_of(text: str, default: str = "\n") -> str:
    """The line end that most lines of `text` have; `default` when it has one line."""
    crlf = text.count("\r\n")
    if "\n" not in text:
        return default
    return "\r\n" if crlf * 2 > text.count("\n") else "\n"


Splice = tuple[int, int, str]  # start, end, what comes in their place


def splice(text: str, splices: list[Splice]) -> str:
    """`text` with pieces replaced; the pieces do not overlap. ValueError when they do."""
    parts: list[str] = []
    at = 0
    for start, end, new in sorted(splices, key=lambda piece: piece[:2]):
        if start < at or end < start:
            raise ValueError(f"the pieces of an edit overlap at {start}")
        parts += (text[at:start], new)
        at = end
    return "".join([*parts, text[at:]])


def difference(old: str, new: str) -> Splice:
    """The one splice that makes `new` of `old`."""
    limit = min(len(old), len(new))
    head = _alike(limit, lambda count: old[:count] == new[:count])
    tail = _alike(limit - head, lambda count: old[len(old) - count :] == new[len(new) - count :])
    return head, len(old) - tail, new[head : len(new) - tail]


def _alike(most: int, alike: Callable[[int], bool]) -> int:
    """The largest count up to `most` that is still alike; all smaller ones are."""
    low = 0
    while low < most:
        middle = (low + most + 1) // 2
        low, most = (middle, most) if alike(middle) else (low, middle - 1)
    return low


def too_deep(value: Value, depth: int) -> bool:
    """Are there more than `depth` containers inside each other? Does not recurse."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
    return bool(level)
