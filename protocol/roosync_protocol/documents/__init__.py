"""Files that people and tools write, read as values and edited in place.

Users trust a tool with the files they live in only if it never spoils one. So reading is tolerant (byte
order mark, CRLF, comments, trailing commas) and writing is the smallest text edit: every byte that the edit
does not need stays. After each step the new text is parsed again and must hold exactly the value that the
pure model in `edits` computed; otherwise the edit is refused and the caller's bytes are what they were.

    document = parse(data, "jsonc")
    document = edit(document, [Set(("mcpServers", "github", "disabled"), True)])
    document.data

Formats: json, jsonc, yaml, toml, text, markdown, and frontmatter for what a Markdown file says of itself.
Source: design page 4-configuration, "Documents".
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from roosync_protocol.documents import base, formats, steps
from roosync_protocol.documents import edits as model
from roosync_protocol.documents.base import LIMITS, Document, DocumentError, EditRefused, Limits
from roosync_protocol.documents.edits import FIRST, Delete, Edit, Insert, Path, Rename, Set
from roosync_protocol.documents.steps import Step

__all__ = [
    "FIRST",
    "FORMATS",
    "LIMITS",
    "Delete",
    "Document",
    "DocumentError",
    "Edit",
    "EditRefused",
    "Insert",
    "Limits",
    "Path",
    "Rename",
    "Set",
    "comments_above",
    "comments_within",
    "edit",
    "parse",
    "sniff",
]

FORMATS = formats.NAMES


def parse(data: bytes, format: str, *, limits: Limits = LIMITS) -> Document:  # noqa: A002 - the word of the contract
    """`data` as a document of `format`. DocumentError(reason, line) when it is not one, or exceeds `limits`.

    An empty file is `{}` in every format but text. The value may hold what JSON can not say (infinity in YAML,
    half a surrogate pair from an escape): `digest.canonical` refuses it, entity by entity.
    """
    marks, text = base.decode(data, limits)
    value, tree = formats.of(format).read(text, limits)
    return Document(format, data, value, limits, marks, text, base.newline_of(text), tree)


def sniff(data: bytes, name: str) -> str:
    """The format of a file by its name, and by its first character where tools write both (`.roomodes`)."""
    return formats.sniff(data, name)


def edit(document: Document, edits: Sequence[Edit]) -> Document:
    """`document` after `edits`, one after the other, each with the smallest change of text that says it.

    EditRefused(reason) when one can not be done exactly; `document` itself never changes.
    """
    value = document.value
    waiting: dict[Path, Step] = {}  # leaves that can be written together
    for one in edits:
        wanted = model.apply(value, one, document.limits.depth)
        for step in steps.steps(value, one):
            leaf = steps.is_leaf(value, step)
            if not leaf or step.path in waiting:
                document = _all_stepped(document, [*waiting.values()])
                waiting = {}
            if leaf:
                waiting[step.path] = step
            else:
                document = _stepped(document, step)
            value = steps.apply_step(value, step)
        if not model.equal(value, wanted):
            raise EditRefused(f"{_named(one)}: the value asked for would not come out")
    return _all_stepped(document, [*waiting.values()])


def comments_above(document: Document, path: Path) -> tuple[str, ...]:
    """The comment lines right above the entry at `path`, without their marks; () when there are none."""
    model.get(document.value, path)  # EditRefused when there is no such place
    return formats.of(document.format).comments_above(document.text, document.tree, path)


def comments_within(document: Document, path: Path) -> dict[str | int, tuple[str, ...]]:
    """The comment lines above each entry of the container at `path` that has any, by name or index.

    {} where an alias repeats the container, or a merge brings it: its comments belong to another place.
    """
    try:
        if not isinstance(model.get(document.value, path), dict | list):
            return {}
        return formats.of(document.format).comments_within(document.text, document.tree, path)
    except EditRefused:
        return {}


def _all_stepped(document: Document, leaves: Sequence[Step]) -> Document:
    """Steps that each change one plain value: written together and read back once, or else one after the other."""
    together = _together(document, leaves) if len(leaves) > 1 else None
    if together is not None:
        return together
    for step in leaves:
        document = _stepped(document, step)
    return document


def _together(document: Document, leaves: Sequence[Step]) -> Document | None:
    """None when they are in each other's way, or one of them needs another than its nicest way."""
    wanted = document.value
    try:
        pieces = [base.difference(document.text, next(_ways(document, step))) for step in leaves]
        for step in leaves:
            wanted = steps.apply_step(wanted, step)
        data = base.encode(document.marks, base.splice(document.text, pieces))
        after = parse(data, document.format, limits=document.limits)
    except (ValueError, StopIteration):  # DocumentError and EditRefused are ValueErrors
        return None
    if not model.equal(after.value, wanted):
        return None
    return replace(after, newline=base.newline_of(after.text, document.newline))


def _stepped(document: Document, step: Step) -> Document:
    """Try the ways to write one step, nicest first; take the first that reads back as the wanted value."""
    wanted = steps.apply_step(document.value, step)
    reason = "no way to write it"
    for text in _ways(document, step):
        try:
            data = base.encode(document.marks, text)
            after = parse(data, document.format, limits=document.limits)
        except DocumentError as error:
            reason = f"the result would be invalid: {error}"
            continue
        if model.equal(after.value, wanted):
            return replace(after, newline=base.newline_of(after.text, document.newline))
        reason = "the result would hold another value"
    raise EditRefused(f"{_named(step)}: {reason}")


def _ways(document: Document, step: Step) -> Iterator[str]:
    try:
        yield from formats.of(document.format).ways(document.text, document.tree, step, document.newline)
    except (LookupError, AssertionError) as error:
        raise EditRefused(f"{_named(step)}: the place was not found in the text ({error})") from None


def _named(change: Edit | Step) -> str:
    """An edit in a message: its place and never its value, which may be a secret."""
    return f"{type(change).__name__.lower()} {model.show(change.path)}"
