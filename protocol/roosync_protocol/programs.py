"""Which programs a value of a configuration starts, as far as it names them: what a machine must have for it to work.

Of a server its command, and what stands behind `env`; of a setting what the rules of risk call started by
itself. Names are as they stand in the public value; a line that only a shell can read names nothing.
"""

import re
import shlex
from collections.abc import Iterator

from msgspec import Struct

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.risk.fields import Where
from roosync_protocol.risk.rules import commands as words
from roosync_protocol.risk.rules import find
from roosync_protocol.secrets.hiding import PARTS, SECRET

MOST = 20  # programs of one value
LONGEST = 300  # characters of a name
DEEPEST = 20  # maps in maps of a setting
STARTS = frozenset(  # the words of the rules whose fields are command lines, or the path of a program
    {
        "a command that is started by itself",
        "a program that is started by itself",
        "commands that are started by themselves",
    }
)
_LINES = frozenset({"command", "path", "bash", "powershell"})  # in a map of such a rule, what is a command line
_SETS = re.compile(r"[A-Za-z_]\w*=")


class Program(Struct, frozen=True):
    """One program by its name, and where and on which path it is looked for, when the value says so itself."""

    name: str
    folder: str = ""
    path: str = ""


def programs(entity: Entity) -> tuple[Program, ...]:
    """Each once, in the order of the value; no more than MOST. `entity` is in public form."""
    found = _of_server(entity.value) if entity.kind is Kind.MCP_SERVER else _of_setting(entity)
    named = (one for one in found if one.name and len(one.name) <= LONGEST and one.name.isprintable())
    return tuple(dict.fromkeys(named))[:MOST]


def _of_server(value: Value) -> Iterator[Program]:
    if not isinstance(value, dict):
        return
    started, env = value.get("command"), value.get("env")
    inner = started if isinstance(started, dict) else None  # {"path": ..., "args": [...]}
    command = inner.get("path") if inner else started
    arguments = (inner or value).get("args")
    line = [*(command if isinstance(command, list) else [command])]
    line += arguments if isinstance(arguments, list) else []
    if not line or not isinstance(line[0], str) or not line[0].strip():
        return
    first = line[0].strip()
    if not isinstance(command, list) and arguments is None and not _is_path(first):
        line = [*_split(first)] or [first]
    folder = _text(value.get("cwd"))
    path = _text(env.get("PATH")) if isinstance(env, dict) else ""
    for name in _started([word for word in line if isinstance(word, str)]):
        yield Program(name, folder, path)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _started(line: list[str]) -> Iterator[str]:
    """The first word; behind one that only sets variables, the one that is started with them too."""
    for at, word in enumerate(line):
        if at and _SETS.match(word):
            continue
        if at and word.startswith("-"):
            return  # what its switches take is not known here
        yield word
        if word.rsplit("/", 1)[-1] not in words.SETS_VARIABLES:
            return


def _of_setting(entity: Entity) -> Iterator[Program]:
    if entity.kind is Kind.SETTING:
        where = Where(entity.kind, entity.target, entity.name)
        for line in _lines(where, entity.value, DEEPEST):
            yield from (Program(name) for name in _started(line))


def _lines(where: Where, value: Value, left: int) -> Iterator[list[str]]:
    """Every command line below a place."""
    rule = find(where.kind, where.target, where.path)
    if rule is not None and rule.why in STARTS:
        yield from _in_rule(value, left)
    elif isinstance(value, dict) and left and not value.keys() & {SECRET, PARTS}:
        for name, inner in value.items():
            yield from _lines(where / name, inner, left - 1)


def _in_rule(value: Value, left: int) -> Iterator[list[str]]:
    match value:
        case str():
            yield _split(value)
        case [str() as first, *_]:
            yield [first]
        case list() if left:
            for inner in value:
                yield from _in_rule(inner, left - 1)
        case dict() if left:
            for name, inner in value.items():
                if isinstance(inner, dict | list) or name in _LINES:
                    yield from _in_rule(inner, left - 1)


def _split(line: str) -> list[str]:
    """The words of a command line; none when it needs a shell to be understood, or is the path of a file."""
    if len(line) > 10 * LONGEST:
        return []
    if _is_path(line) and " -" not in line:
        return [line]
    try:
        found = shlex.split(line)
    except ValueError:
        return []
    return [] if found and re.search(r"[$`(){}<>|&;*?]", re.sub(r"\$\{[\w:. -]+\}", "", found[0])) else found


def _is_path(text: str) -> bool:
    """A path as a whole, blanks included: `C:/Program Files/x/y.exe`."""
    return bool(re.match(r"(?:[A-Za-z]:[\\/]|/|\$\{[\w:. -]+\}/)[^\"']*\Z", text))
