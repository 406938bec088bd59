"""What a person asks of a document, in the words of the command line, made into edits of it, one after the other.

Each is understood on the document as the edits before it left it. All of them are done or none: the document that
is given stays what it is. Whatever would be lost or do nothing in silence (a comment where none can stand, a
neighbour that is not there) is refused or noted.
"""

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from roosync_protocol.documents import (
    FIRST,
    Delete,
    Document,
    DocumentError,
    Edit,
    EditRefused,
    Insert,
    Path,
    Rename,
    Set,
    edit,
)
from roosync_protocol.documents.edits import get, show
from roosync_protocol.documents.paths import PathError, Where, listed, near, parse, resolve, selector, spelled, typed
from roosync_protocol.documents.steps import IDENTITIES
from roosync_protocol.names import Value
from roosync_protocol.secrets.text import scrub

WHOLE = ("text", "markdown")  # formats that have no places inside
STDIN = "-"
LIKE_JSON = ("{", "[", '"')  # what begins so is meant as JSON
SHOWN = 40  # characters of an element in a message
_MARKS = {"jsonc": re.compile("///* ?")}  # what begins a comment, which a person may have typed already
_HASH = re.compile(r"#+(?![0-9#]) ?")  # in YAML and TOML; #12 is a number

Verb = Literal["set", "insert", "delete", "rename"]


class AskedError(ValueError):
    """What was asked can not be done, or means nothing here; the message is for who asked."""


@dataclass(frozen=True)
class Asked:
    """One edit as it was asked for."""

    verb: Verb
    path: str
    given: str = ""  # VALUE of set and insert, NAME of rename
    after: str | None = None
    first: bool = False
    comments: tuple[str, ...] = ()
    string: bool = False  # VALUE is a text, also when it looks like JSON


def whole_file(asked: Asked) -> bool:
    """Is the whole file meant, and no place in it? What can not be understood is told later."""
    try:
        return asked.verb == "set" and not parse(asked.path)
    except PathError:
        return False


def edited(document: Document, asked: Sequence[Asked], stdin: str = "") -> tuple[Document, list[str]]:
    """The document after all of it, and notes for the person. AskedError: why one of them can not be done.

    `stdin`: what stands for a VALUE of `-`.
    """
    notes: list[str] = []
    for number, one in enumerate(asked, 1):
        try:
            document = _one(document, one, stdin, notes)
        except (AskedError, PathError, EditRefused, DocumentError) as error:
            of = f"edit {number} of {len(asked)} (--{one.verb} {one.path}): " if len(asked) > 1 else ""
            raise AskedError(f"{of}{error}") from error
    return document, notes


def _one(document: Document, asked: Asked, stdin: str, notes: list[str]) -> Document:
    _require_sense(document, asked)
    asked = replace(asked, comments=tuple(line for text in asked.comments for line in _lines(text, document.format)))
    change = _edit_of(document, asked, stdin, notes)
    after = edit(document, [change])
    if asked.comments and not Counter(map(str.strip, asked.comments)) <= _remarks(after) - _remarks(document):
        notes.append(f"the comment above {show(change.path)} can not be written there and is left out")
    return after


def _require_sense(document: Document, asked: Asked) -> None:
    """What this format, or this verb, has no meaning for."""
    if any("\ud800" <= sign <= "\udfff" for text in (asked.path, asked.given, *asked.comments) for sign in text):
        raise AskedError("what stands on the command line is not UTF-8: half a character can not be written")
    if document.format in WHOLE and (asked.verb != "set" or parse(asked.path)):
        raise AskedError(
            f"a file that is taken as {document.format} is written as a whole: --set . VALUE, or --set . - for what "
            "comes on standard input; --format says what else it is (--format frontmatter: the members at the "
            "beginning of Markdown)"
        )
    if asked.after is not None and asked.first:
        raise AskedError("--after and --first are two places: say one of them")
    if asked.verb in ("delete", "rename") and (asked.comments or asked.first or asked.after is not None):
        raise AskedError(f"--after, --first and --comment say more about --set and --insert, not about --{asked.verb}")
    if asked.comments and document.format in (*WHOLE, "json"):
        hint = ": if the tool that reads it takes comments, say --format jsonc" if document.format == "json" else ""
        raise AskedError(f"no comments are written into {document.format}{hint}")


def _edit_of(document: Document, asked: Asked, stdin: str, notes: list[str]) -> Edit:
    value, steps = document.value, parse(asked.path)
    match asked.verb:
        case "delete":
            return Delete(resolve(value, steps))
        case "rename":
            return Rename(resolve(value, steps), asked.given)
        case "insert":
            return _insertion(document, asked, _value(document, asked, stdin), notes)
        case "set":
            path = resolve(value, steps, new=True)
            notes += _made(value, path)
            after = _neighbour(value, path, asked)
            if asked.comments and _is_there(value, path):
                raise AskedError(f"{show(path)} is there already: --comment stands above what is new")
            return Set(path, _value(document, asked, stdin), after=after, comments=asked.comments)


def _insertion(document: Document, asked: Asked, new: Value, notes: list[str]) -> Edit:
    value, steps = document.value, parse(asked.path)
    if steps and isinstance(steps[-1], Where):
        where = shlex.quote(str(steps[-1]))
        raise AskedError(f"--insert names the list and the place: --insert LIST VALUE --after {where}")
    at = steps[-1] if steps and isinstance(steps[-1], int) else None
    path = resolve(value, steps if at is None else steps[:-1], new=True)
    there = get(value, path) if _is_there(value, path) else None
    if there is not None and not isinstance(there, list):
        way = f"--set {typed((*path, 'NAME'))} VALUE adds to it" if isinstance(there, dict) else ""
        raise AskedError(f"{show(path)} is no list" + (f": {way}" if way else ""))
    if at is not None and (asked.first or asked.after is not None):
        raise AskedError(f"[{at}] says the place already: leave out --after and --first")
    if at is not None and at < 0:
        raise AskedError(f"[{at}]: an element gets an index from 0; without one it goes to the end")
    notes += _made(value, path)
    elements = there or []
    notes += _twin(elements, new, path)
    if at is None:
        at = 0 if asked.first else len(elements) if asked.after is None else _found(elements, asked.after, path) + 1
    if asked.comments:
        return Set((*path, at), new, after=at - 1, comments=asked.comments)
    return Insert(path, at, new)


def _neighbour(value: Value, path: Path, asked: Asked) -> str | int | None:
    """After which sibling a new member goes; None when nothing was said of it."""
    if asked.after is None and not asked.first:
        return None
    if _is_there(value, path):
        raise AskedError(f"{show(path)} is there already and keeps its place: --after and --first place what is new")
    if not isinstance(path[-1], str):
        raise AskedError(f"elements of a list are placed by --insert {typed(path[:-1])} VALUE")
    if asked.first:
        return FIRST
    siblings = get(value, path[:-1]) if _is_there(value, path[:-1]) else {}
    names = list(siblings) if isinstance(siblings, dict) else []
    assert asked.after is not None
    if asked.after not in names:
        raise AskedError(f"--after: {show(path[:-1])} has no {asked.after!r}; {near(asked.after, names)}")
    return asked.after


def _found(elements: list[Value], name: str, path: Path) -> int:
    """The element that is called `name`: by what identifies it, as a value, by a selector; [1] is an index."""
    index = re.fullmatch(r"\[(-?[0-9]{1,9})\]", name)
    if index:
        at = int(index[1]) + len(elements) * (index[1][0] == "-")
        if not 0 <= at < len(elements):
            raise AskedError(f"--after: {show(path)} has {len(elements)} elements, and {name} is none of them")
        return at
    choices = [Where(member, name) for member in IDENTITIES]
    chosen = selector(name.removeprefix("[").removesuffix("]"))
    known = next(filter(None, ([at for at, one in enumerate(elements) if choice.fits(one)] for choice in choices)), [])
    known = known or [
        at for at, one in enumerate(elements) if not isinstance(one, dict | list) and spelled(one) == name
    ]
    if not known and chosen is not None:
        known = [at for at, one in enumerate(elements) if chosen.fits(one)]
    if len(known) == 1:
        return known[0]
    if known:
        raise AskedError(
            f"--after: {len(known)} elements of {show(path)} are called {name!r}: say an index, '[{known[0]}]'"
        )
    raise AskedError(f"--after: no element of {show(path)} is called {name!r}; {_held(elements, name)}")


def _held(elements: list[Value], name: str) -> str:
    """What `--after` can name in a list."""
    maps = [one for one in elements if isinstance(one, dict)]
    names = [spelled(own) for one in maps if (own := next((one[m] for m in IDENTITIES if m in one), None)) is not None]
    plain = [spelled(one) for one in elements if not isinstance(one, dict | list)]
    if not names and not plain:
        return (
            f"its elements have no names: say an index, '[0]' to '[{len(elements) - 1}]'" if elements else near("", [])
        )
    short = [one if len(one) <= SHOWN else f"{one[:SHOWN]}..." for one in map(scrub, plain)]
    is_index = name.isascii() and name.isdigit() and int(name[:9]) < len(elements)
    return (listed([*names, *short]) if plain else near(name, names)) + (
        f"; an index is '[{name}]'" if is_index else ""
    )


def _twin(elements: list[Value], new: Value, path: Path) -> list[str]:
    """A note when the new element is called like one that is there; not how, as a `key` may be a secret."""
    member = next((one for one in IDENTITIES if isinstance(new, dict) and one in new), None)
    if member is None or not isinstance(new, dict):
        return []
    twins = [at for at, one in enumerate(elements) if isinstance(one, dict) and one.get(member) == new[member]]
    return [f"{show((*path, twins[0]))} has the same {member} as the new element"] if twins else []


def _value(document: Document, asked: Asked, stdin: str) -> Value:
    """VALUE: JSON when it parses as JSON, a text otherwise, and in a text always."""
    from_stdin = asked.given == STDIN and not asked.string
    text = stdin if from_stdin else asked.given
    if from_stdin and not text and (document.text or document.format not in WHOLE):
        raise AskedError("standard input is empty: if an empty text is meant, give it as VALUE, ''")
    if document.format in WHOLE:
        text = text.replace("\r\n", "\n")
        ends = not document.text or document.text.endswith("\n")
        return f"{text}\n" if ends and text and not from_stdin and not text.endswith("\n") else text
    if asked.string:
        return text
    try:
        value: Value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
        return value
    except RecursionError:
        raise AskedError("VALUE has too many containers inside each other") from None
    except AskedError:
        raise
    except ValueError as error:
        if text.lstrip()[:1] in LIKE_JSON:
            way = '"$(cat)" --string instead of -' if from_stdin else "--string after it"
            raise AskedError(f"VALUE begins like JSON and is none: {_broken(error)}; if it is a text: {way}") from None
        return text.removesuffix("\n") if from_stdin else text


def _broken(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    line = f"line {error.lineno}, " if "\n" in error.doc else ""
    return f"{error.msg} at {line}character {error.colno}"


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AskedError("VALUE has a name twice in one map: keep one of the two")
    return members


def _no_constant(word: str) -> Value:
    raise ValueError(f"{word} is no JSON")


def _made(value: Value, path: Path) -> list[str]:
    """A note when what will be made is called much like something that is there: it may be a slip.

    AskedError when it is one: names with dots in them are common, and in a path they are written in brackets.
    """
    for depth, step in enumerate(path):
        if not isinstance(value, dict) or not isinstance(step, str):
            if not _is_there(value, (step,)):
                return []
        elif step not in value:
            dotted = ".".join(map(str, path[depth:]))
            if "." in dotted and dotted in value:
                raise AskedError(f"{dotted!r} is one name there: write {typed((*path[:depth], dotted))}")
            like = get_close_matches(step, list(value), 1, 0.75) or [n for n in value if n.startswith(f"{step}.")][:1]
            return [f"{show(path[: depth + 1])} is new; there is also {like[0]!r}"] if like else []
        value = get(value, (step,))
    return []


def _is_there(value: Value, path: Path) -> bool:
    try:
        get(value, path)
    except ValueError:
        return False
    return True


def _lines(comment: str, format: str) -> list[str]:  # noqa: A002 - the word of the documents
    """A comment's lines, without marks."""
    mark = _MARKS.get(format, _HASH)
    return [line[found.end() :] if (found := mark.match(line)) else line for line in comment.splitlines() or [""]]


def _remarks(document: Document) -> Counter[str]:
    """The lines that look like nothing but a comment, without marks."""
    mark = "//" if document.format == "jsonc" else "#"
    lines = map(str.strip, document.text.splitlines())
    return Counter(line.removeprefix(mark).strip() for line in lines if line.startswith(mark))
