"""What the command line of a server does beyond starting a program."""

import re
from collections.abc import Iterator

from roosync_protocol.digest import same
from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger, addresses
from roosync_protocol.risk.dangers.characters import posing
from roosync_protocol.risk.dangers.strings import flat
from roosync_protocol.risk.dangers.variables import of_variable, same_place
from roosync_protocol.risk.rules import Risk
from roosync_protocol.risk.rules import commands as rules
from roosync_protocol.risk.rules.choices import EVERYTHING, SHELL_TOOL

WORDS = 1_000  # of a command line that is looked through
_ADDRESSES = ("url", "serverUrl", "httpUrl", "endpoint", "uri")
_FIELDS = ("command", "args", *_ADDRESSES)
_SET = re.compile(r"([A-Za-z_]\w*)=(.*)\Z", re.DOTALL)
_PROGRAMS = rules.SHELLS | rules.POWERSHELLS | rules.RUNNERS | rules.INTERPRETERS.keys() | rules.FETCHES | {"docker"}


def shown_command(server: dict[str, Value]) -> str:
    """The command line or address of a server, for a person; secrets are shown as [secret]."""
    return " ".join([*_texts(server), *(flat(server[field]) for field in _ADDRESSES if field in server)]) or "?"


def in_server(before: Value | None, after: dict[str, Value]) -> Iterator[Danger]:
    """What is dangerous in command and address, when they are not the ones that were."""
    if isinstance(before, dict) and all(same(before.get(f), after.get(f)) for f in _FIELDS):
        return
    texts = _texts(after)
    if texts and any(field in after for field in _ADDRESSES):
        yield Risk.CRITICAL, "a program and an address: which of them counts is another matter in each assistant"
    if isinstance(command := after.get("command"), dict) and isinstance(inner := command.get("env"), dict):
        yield from _variables([f"{name}={flat(value)}" for name, value in inner.items()])
    yield from addresses.in_texts(addresses.addresses_of(after, texts))
    yield from _in_line(texts)


def only_places(before: Value | None, after: Value | None, command: str) -> bool:
    """Are the arguments the same but for paths that got a token, none of which says what is run?"""
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return False
    program = _program(command)
    runs = program in rules.INTERPRETERS or program in rules.RUNNERS or program in rules.SHELLS or not command
    first = next((at for at, word in enumerate(after) if not flat(word).startswith("-")), len(after)) if runs else -1
    for at, (old, new) in enumerate(zip(before, after, strict=True)):
        if same(old, new):
            continue
        behind_switch = at > 0 and flat(after[at - 1]) in rules.SWITCHES_WITH_VALUE
        if at <= first or behind_switch or not (isinstance(old, str) and isinstance(new, str) and same_place(old, new)):
            return False
    return True


def allows_everything(name: str) -> bool:
    """Does a name in a list of what runs without asking mean every command?"""
    if EVERYTHING.match(name):
        return True
    behind = SHELL_TOOL.match(name)
    words = (behind["line"] if behind else name).rstrip(" \t:*").split()
    if not words:
        return False
    program = _program(words[0])
    runs_code = program in rules.INTERPRETERS and program not in rules.RUNNERS and program != "npm"
    runs_any = program in rules.SHELLS | rules.POWERSHELLS | rules.MORE_RIGHTS | rules.SETS_VARIABLES | {"cmd"}
    if len(words) == 1:
        return runs_code or runs_any or program in rules.RUN_ANYTHING
    return (runs_any or runs_code) and all(word.startswith(("-", "/")) for word in words[1:])


def _in_line(texts: list[str]) -> Iterator[Danger]:
    words = [word for text in texts for word in text.split()]
    if len(words) > WORDS:
        yield Risk.CRITICAL, f"a command line of {len(words)} words, which nobody reads"
        words = words[:WORDS]
    for at, word in enumerate(words):
        yield from _at(words, at, _program(word), first=at == 0)
    for text in texts:
        if rules.SHELL_SIGNS.search(text):
            yield Risk.CRITICAL, f"a pipe, a redirection or a command inside the command line: {text[:60]}"
        elif found := rules.RUNS_TEXT.search(text):
            yield Risk.CRITICAL, f"an argument that runs commands ({found[0]})"
    if any(_program(word) in rules.CONTAINERS for word in words):
        if found := rules.ESCAPES.search(" ".join(texts)):
            yield Risk.CRITICAL, f"a container with a way out to the host ({found[0].strip()})"
        yield from _unpinned_image(words)
    yield from _unpinned(words)


def _at(words: list[str], at: int, program: str, *, first: bool) -> Iterator[Danger]:
    """What a program at this place of the line does with the words behind it."""
    rest = words[at + 1 :]
    if _is_code_of_shell(program, rest):
        yield Risk.CRITICAL, f"{program} runs a command line"
    elif first and not rest and program in rules.SHELLS | rules.POWERSHELLS | {"cmd", "wsl"}:
        yield Risk.CRITICAL, f"{program} without a script is a shell"
    if _runs_code(program, rest):
        yield Risk.CRITICAL, f"{program} runs code that stands in the arguments"
    if program in rules.MORE_RIGHTS and (first or program != "su"):
        yield Risk.CRITICAL, f"{program} runs it with other rights"
    if first and program in rules.RUN_ANYTHING:
        yield Risk.CRITICAL, f"{program} runs whatever it is told"
    if first and program in rules.FETCHES:
        yield Risk.HIGH, f"{program} fetches from the network"
    if first and (program in rules.SETS_VARIABLES or _SET.match(words[at])):
        yield from _variables(words[at:])
    if program == "python" and (module := _module(rest)) in rules.MODULES:
        yield Risk.CRITICAL, f"python -m {module} {rules.MODULES[module]}"
    if (plain := posing(program, alone=posing(program, alone=True) in _PROGRAMS)) and plain != program:
        yield Risk.CRITICAL, f"look-alike letters: {program!a} passes for {plain}"


def _is_code_of_shell(program: str, rest: list[str]) -> bool:
    if program in rules.SHELLS:
        return any(rules.CODE_OF_SHELL.fullmatch(word) for word in rest)
    if program in rules.POWERSHELLS:
        script = next((word for word in rest if word.lower().endswith(".ps1")), None)
        return (script is None and bool(rest)) or any(rules.CODE_OF_POWERSHELL.fullmatch(word) for word in rest)
    if program == "cmd":
        at = next((at for at, word in enumerate(rest) if rules.CODE_OF_CMD.fullmatch(word)), None)
        behind = rest[at + 1 :] if at is not None else []
        plain = (
            bool(behind) and behind[0].lower() in rules.PLAIN_BEHIND_CMD and not re.search("[&|<>^%]", " ".join(rest))
        )
        return at is not None and not plain
    return False


def _runs_code(program: str, rest: list[str]) -> bool:
    """Is one of the program's own switches, those before its script or module, followed by code?"""
    switches = rules.INTERPRETERS.get(program, ())
    takes_value = False
    for word in rest if switches else ():
        if word in switches or word.startswith(tuple(f"{s}=" for s in switches if s.startswith("--"))):
            return True
        if "-c" in switches and (word.startswith("-c") or rules.SHORT_FLAGS.fullmatch(word)):
            return True
        if not word.startswith("-") and not takes_value:
            return False
        if word in ("-m", "--"):
            return False
        takes_value = word in rules.SWITCHES_WITH_VALUE
    return False


def _module(rest: list[str]) -> str:
    """What stands behind python's -m, when it is its own switch."""
    for at, word in enumerate(rest):
        if word == "-m":
            return rest[at + 1] if at + 1 < len(rest) else ""
        if word.startswith("-m") and len(word) > 2:
            return word[2:]
        if not word.startswith("-"):
            return ""
    return ""


def _variables(words: list[str]) -> Iterator[Danger]:
    for word in words:
        if found := _SET.match(word):
            risk, why = of_variable(found[1], None, found[2])
            if risk is not None:
                yield risk, f"the command line sets {found[1]}: {why}"


# ------------------------------------------------------------------------------------------ packages
def _unpinned(words: list[str]) -> Iterator[Danger]:
    """Code that is fetched anew at each start, and is what its owner makes of it that day."""
    for at, word in enumerate(words[:4]):
        behind = _fetched_by(_program(word), words[at + 1 :])
        if behind is None:
            continue
        for package in _packages(behind):
            if rules.PINNED.search(package):
                continue
            if rules.FROM_ELSEWHERE.match(package):
                yield Risk.HIGH, f"{package} is code from an address, not pinned: what it is can change any day"
            elif not package.startswith((".", "/", "$")) and not re.search(r"\.(?:ts|js|go|py)\Z", package):
                yield Risk.HIGH, f"{package} is not pinned to a version: what it is can change any day"
        return


def _fetched_by(program: str, rest: list[str]) -> list[str] | None:
    """The words behind a program that fetches a package and runs it, from the package on; None for another program."""
    if program in rules.RUNNERS:
        return rest
    return next(
        (rest[len(way) :] for way in rules.RUNNERS_BY_WORD.get(program, ()) if tuple(rest[: len(way)]) == way), None
    )


def _packages(words: list[str]) -> Iterator[str]:
    """The first word that is no switch, and what stands behind --from, --package, --with."""
    named = False
    for at, word in enumerate(words):
        switch, equals, value = word.partition("=")
        if switch in rules.PACKAGE_BEHIND and (equals or at + 1 < len(words)):
            named = True
            yield value if equals else words[at + 1]
        elif not word.startswith("-"):
            if at and words[at - 1] in rules.PACKAGE_BEHIND:
                continue
            if not named:
                yield word
            return


def _unpinned_image(words: list[str]) -> Iterator[Danger]:
    if "run" not in words:
        return
    image = next(
        (
            w
            for w in words[words.index("run") + 1 :]
            if ":/" not in w and re.fullmatch(r"[a-z0-9][\w.-]*[:/@][\w.:/@-]+", w)
        ),
        "",
    )
    name = image.rsplit("/", 1)[-1]
    if image and "=" not in image and "@sha256:" not in image and (":" not in name or name.endswith(":latest")):
        yield Risk.HIGH, f"the image {image} is not pinned: what it is can change any day"


# ------------------------------------------------------------------------------------------ words
def _texts(server: dict[str, Value]) -> list[str]:
    """The command line in its parts, as far as it is one."""
    command, arguments = server.get("command"), server.get("args")
    if isinstance(command, dict):  # {"path": ..., "args": [...]}
        arguments = command.get("args")
        command = command.get("path")
    first = command if isinstance(command, list) else [command]
    rest = arguments if isinstance(arguments, list) else [arguments]
    return [flat(part) for part in [*first, *rest] if part is not None]


def _program(word: str) -> str:
    name = re.split(r"[\\/]", word.strip("\"'"))[-1].lower()
    name = re.sub(r"\.(?:exe|cmd|bat|com)\Z", "", name)
    return "python" if re.fullmatch(r"python[w\d]*(?:\.\d+)?t?", name) else name
