"""What is dangerous in a command line, a variable, a mode's tools or a text, whatever the field it stands in.

`risk` asks these questions about what changes; a thing that stood there before and stays is no news.
"""

import re
from collections.abc import Iterator

from roosync_protocol import risk_rules as rules
from roosync_protocol.digest import same
from roosync_protocol.names import Value
from roosync_protocol.risk_rules import Risk
from roosync_protocol.secrets import addresses, find_secrets

Danger = tuple[Risk, str]
_PLACES = ("command", "args", "url", "serverUrl", "httpUrl", "endpoint")  # who gets the secrets of a server
_TOKEN_PATH = re.compile(r"\$\{(?P<token>home|appdata|vscode_user|(?:workspace|place):[^{}]+)\}(?P<tail>[\\/].*)?\Z")
_HOME = r"(?:/home/[^/]+|/Users/[^/]+|(?:/mnt)?/?[A-Za-z]:?/Users/[^/]+|/root|\$\{home\})"
_WAS = {  # token -> what stood there before, when it is the same place; a workspace is wherever its owner says
    "home": re.compile(_HOME),
    "appdata": re.compile(_HOME + "/AppData/Roaming"),
    "vscode_user": re.compile(_HOME + "/.{1,100}/User"),
}
_PINNED = re.compile(r".@\^?~?v?\d[\w.+-]*\Z|==|@sha256:|#[0-9a-f]{7,}|@[0-9a-f]{40}\Z")


def in_any(before: Value | None, after: Value) -> Iterator[str]:
    """Critical wherever it is: a secret in clear, characters that a person does not see."""
    known = set(find_secrets(before))
    for place in find_secrets(after):
        if place not in known:
            yield f"a secret in clear{f' at {place}' if place else ''}"
    old = set(strings(before))
    for text in strings(after):
        if text not in old and (found := rules.INVISIBLE.search(text)):
            line = text.count("\n", 0, found.start()) + 1
            yield f"an invisible or bidirectional character, U+{ord(found.group()):04X}, in line {line} of a text"


def strings(value: Value | None) -> Iterator[str]:
    """Every string in the value, names included."""
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from strings(inner)
        case dict():
            for name, inner in value.items():
                yield name
                yield from strings(inner)


def shown_command(server: dict[str, Value]) -> str:
    """The command line or address of a server, for a person; secrets are shown as [secret]."""
    return " ".join(_words(server)) or next(
        (str(server[f]) for f in ("url", "serverUrl", "httpUrl") if f in server), "?"
    )


# ------------------------------------------------------------------------------------------ commands
def in_command(before: Value | None, after: dict[str, Value]) -> Iterator[Danger]:
    """What the command line of a server does beyond starting a program, when it is not the one it was."""
    if isinstance(before, dict) and all(same(before.get(f), after.get(f)) for f in ("command", "args")):
        return
    texts = _words(after)
    words = [word for text in texts for word in text.split()]
    for at, word in enumerate(words):
        program, rest = _program(word), words[at + 1 :]
        if program in rules.SHELLS and any(rules.SHELL_CODE.fullmatch(w) for w in rest):
            yield Risk.CRITICAL, f"{program} runs a command line"
        elif program in rules.SHELLS and at == 0 and not rest:
            yield Risk.CRITICAL, f"{program} without a script is a shell"
        if _runs_code(program, rest):
            yield Risk.CRITICAL, f"{program} runs code that stands in the arguments"
        if program in rules.MORE_RIGHTS:
            yield Risk.CRITICAL, f"{program} runs it with more rights"
    if any(rules.SHELL_SIGNS.search(text) for text in texts):
        yield Risk.CRITICAL, "a pipe, a redirection or a command inside the command line"
    if found := rules.CONTAINER_ESCAPE.search(" ".join(texts)):
        yield Risk.CRITICAL, f"a container with a way out to the host ({found.group().strip()})"
    yield from _unpinned(words)


def _unpinned(words: list[str]) -> Iterator[Danger]:
    for at, word in enumerate(words[:3]):
        if _program(word) in rules.RUNNERS:
            package = next(
                (w for w in words[at + 1 :] if not w.startswith("-") and w not in ("run", "dlx", "exec")), ""
            )
            if package and not _PINNED.search(package) and not package.startswith((".", "/", "$")):
                yield Risk.HIGH, f"{package} is not pinned to a version: what it is can change any day"
            return


def _runs_code(program: str, rest: list[str]) -> bool:
    """Is one of the program's own switches, those before its script or module, followed by code?"""
    switches = rules.INTERPRETERS.get(program, ())
    takes_value = False
    for word in rest if switches else ():
        if word in switches or word.startswith(tuple(f"{s}=" for s in switches if s.startswith("--"))):
            return True
        if word.startswith("-c") and "-c" in switches:
            return True
        if not word.startswith("-") and not takes_value:
            return False
        if word in ("-m", "--"):
            return False
        takes_value = word in rules.SWITCHES_WITH_VALUE
    return False


def _words(server: dict[str, Value]) -> list[str]:
    """The command line in its parts, as far as it is one."""
    command, arguments = server.get("command"), server.get("args")
    first = command if isinstance(command, list) else [command]
    return [_flat(part) for part in [*first, *(arguments if isinstance(arguments, list) else [])] if part is not None]


def _flat(value: Value) -> str:
    """A string in public form as one text."""
    match value:
        case {"$secret": str()}:
            return "[secret]"
        case {"$parts": list() as parts}:
            return "".join(_flat(part) for part in parts)
        case str():
            return value
    return str(value)


def _program(word: str) -> str:
    name = re.split(r"[\\/]", word.strip("\"'"))[-1].lower()
    name = re.sub(r"\.(?:exe|cmd|bat)\Z", "", name)
    return "python" if re.fullmatch(r"python\d(?:\.\d+)?", name) else name


# ------------------------------------------------------------------------------------------ secrets
def in_secrets(before: Value | None, after: dict[str, Value]) -> Iterator[Danger]:
    """What a machine keeps for a server goes where the server is: to another one, with another address."""
    old = before if isinstance(before, dict) else {}
    kept = [address for address in addresses(after) if address in addresses(old)]
    if not kept:
        return
    names = ", ".join(address.rsplit("/", 1)[-1] for address in kept[:3])
    moved = [name for name in _PLACES if not same(old.get(name), after.get(name))]
    if moved:
        yield Risk.HIGH, f"what this machine keeps secret ({names}) goes to another {' and '.join(moved)}"
    if not {place for place in _where_secret(after) if place[1] in kept} <= _where_secret(old):
        yield Risk.HIGH, f"what this machine keeps secret ({names}) is put into another field"


def _where_secret(server: dict[str, Value]) -> set[tuple[str, str]]:
    """Field and address of every secret in it."""
    return {(name, address) for name, inner in server.items() for address in addresses(inner)}


# ------------------------------------------------------------------------------------------ variables
def of_variable(name: str, before: Value | None, after: Value) -> tuple[Risk | None, str]:
    """The class of one changed variable; None when the rule of its map decides."""
    text = _flat(after)
    if rules.LOADS_CODE.match(name) or (name.upper() == "NODE_OPTIONS" and rules.NODE_LOADS.search(text)):
        return Risk.CRITICAL, "it makes programs load or trust something else"
    if rules.REDIRECTS.match(name):
        return Risk.CRITICAL, "it decides where prompts and data are sent"
    if isinstance(before, str) and isinstance(after, str) and same_place(before, after):
        return Risk.LOW, "the same place, named for every machine"
    return None, ""


def same_place(before: str, after: str) -> bool:
    """Is `after` a path of tokens that ends as the path `before` does: ${home}/a for C:\\Users\\x\\a?"""
    found = _TOKEN_PATH.match(after)
    if not found or not found["tail"]:
        return False
    tail, known = found["tail"].replace("\\", "/"), before.replace("\\", "/")
    if len(tail) < 2 or ".." in tail or not known.endswith(tail):
        return False
    was = _WAS.get(found["token"])  # /opt/app/run is not ${home}/run: it would be another program
    return bool(was and was.fullmatch(known.removesuffix(tail)))


# ------------------------------------------------------------------------------------------ modes
def in_groups(path: str, before: Value | None, after: Value | None) -> Iterator[Danger]:
    """What a mode may do more: a group, or files that the pattern did not let it touch."""
    old, new = _groups(before), _groups(after)
    if old is None or new is None:
        yield Risk.HIGH, f"{path} is no list of tool groups"
        return
    for name in sorted(new.keys() - old.keys()):
        yield Risk.MEDIUM, f"the mode gains the tools {name!r}"
    for name in sorted(old.keys() - new.keys()):
        yield Risk.LOW, f"the mode loses the tools {name!r}"
    for name in sorted(old.keys() & new.keys()):
        if not same(old[name], new[name]):
            narrower = old[name] is None
            yield (Risk.LOW if narrower else Risk.MEDIUM), f"other files for the tools {name!r}: {new[name]!r}"


def _groups(value: Value | None) -> dict[str, Value] | None:
    """Group -> what restricts it, None for nothing; None when this is no list of groups."""
    found: dict[str, Value] = {}
    if value is not None and not isinstance(value, list):
        return None
    for one in value or []:
        match one:
            case str() as name:
                restricted: Value = None
            case [str() as name]:
                restricted = None
            case [str() as name, dict() as options, *_]:
                restricted = options.get("fileRegex")
            case _:
                return None
        if name in found:
            return None  # named twice: which one counts is the assistant's secret
        found[name] = restricted
    return found


# ------------------------------------------------------------------------------------------ texts
def in_text(key: str, before: Value | None, after: Value | None) -> Iterator[Danger]:
    """A file of prose: instructions, unless it is a program or its head opens tools."""
    if after is None:
        return
    yield Risk.MEDIUM, "instructions change" if before is not None else "new instructions"
    old, new = ("" if side is None else _flat(side) for side in (before, after))
    if key.lower().endswith(rules.SCRIPTS) or new.startswith("#!"):
        yield Risk.HIGH, "the file is a program"
    old_head, new_head = _head(old), _head(new)
    for name, risk in rules.HEAD_RULES.items():
        if new_head.get(name) != old_head.get(name):
            yield risk, f"its head changes {name!r}: what it may do"
    if set(rules.INLINE_COMMAND.findall(new)) - set(rules.INLINE_COMMAND.findall(old)):
        yield Risk.HIGH, "a command that runs when the text is read"


def _head(text: str) -> dict[str, str]:
    """The fields between the two `---` at the beginning, as raw text by lower-case name."""
    if not text.startswith("---\n"):
        return {}
    head = text[4:].split("\n---", 1)[0]
    found: dict[str, str] = {}
    name = ""
    for line in head.split("\n"):
        if match := re.match(r"([A-Za-z][\w-]*)\s*:(.*)", line):
            name = match[1].lower()
            found[name] = match[2].strip()
        elif name:
            found[name] += "\n" + line.strip()
    return found
