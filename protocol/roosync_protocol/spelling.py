"""How systems spell one path and one command: slashes, drives, `~`, `%USERPROFILE%`, `cmd /c npx`.

The rules behind `portable`, as one regular expression for each machine. A path is looked for only where a path
can begin: at the start of a string, or behind `=`, `,`, `;`, `:`, `(`, a quote or `file://`, and never
behind a blank, because what has blanks before a path is a sentence or a command with switches.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from roosync_protocol.names import Value

_END = r"(?=[\\/]|$|[\"';,:|<>=)?*])"  # a place ends here; "/root cause" is no path
_REST = re.compile(r"(?:(?! [-/&|>])[^\"';,|<>=)?*\n:])*")  # what belongs to the path after the place
_BEGIN = r"(?:^|(?<=[=,;:(\"']))"
_LEAD = rf"(?P<lead>{_BEGIN}(?:file:///?)?)"
_URI = re.compile(rf"{_BEGIN}file://\Z")

# Scripts with no .exe of their own: on Windows a program without a shell can start them through cmd only.
SHIMS = frozenset({"npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "corepack", "tsx", "ts-node"})
# Programs that start as well without `cmd /c`.
PLAIN = SHIMS | {"node", "python", "python3", "py", "uv", "uvx", "pipx", "docker", "deno", "bun", "dotnet", "java"}
_CMD = re.compile(r"(?:.*[\\/])?cmd(?:\.exe)?\Z", re.IGNORECASE)
_LINE = re.compile(r"cmd(?:\.exe)?\s+/c\s+(?=([\w.-]+)(?:\s|\Z))", re.IGNORECASE)


class Spelling(NamedTuple):
    """The places of one machine, compiled."""

    windows: bool
    pattern: re.Pattern[str] | None
    tokens: tuple[str, ...]  # by number of the group
    names: dict[str, str]

    def path(self, text: str) -> str | None:
        """The text with its token when it is a path in one of the places."""
        match = self.pattern.match(text) if self.pattern else None
        return self._shortened(match, text, match.end()) + text[match.end() :] if match else None

    def shorten(self, text: str) -> str:
        """Each path in the text that begins at a place, with its token."""
        if self.pattern is None or "\n" in text or len(text) > 10_000:
            return text
        pieces, at, blank = [], 0, text.find(" ")
        for match in self.pattern.finditer(text):
            if match.start() < at or 0 <= blank < match.start():
                continue  # inside a path that is done, or behind a blank
            if text[match.start() - 1 : match.start()] == ":" and text[0] not in "/~$.":
                continue  # host:/home/x is elsewhere; only a list of paths goes on with a colon
            rest = _REST.match(text, match.end())
            end = rest.end() if rest else match.end()
            pieces += [text[at : match.start()], self._shortened(match, text, end)]
            at = end
            blank = text.find(" ", at)
        return "".join([*pieces, text[at:]])

    def _shortened(self, match: re.Match[str], text: str, end: int) -> str:
        token = next(name for name, group in self.names.items() if match[group] is not None)
        rest = text[match.end() : end].replace("\\", "/") if self.windows else text[match.end() : end]
        if match["lead"] and "\\" in rest:
            return text[match.start() : end]  # no URI (RFC 3986): writing it back would spell it otherwise
        if match["lead"]:
            return f"file://${{{token}}}{unquote(rest) if '%' in rest else rest}"
        return f"${{{token}}}{rest}"

    def expand(self, text: str, token: re.Pattern[str], known: dict[str, str]) -> str:
        """Each token with its path; a literal one with the `$` that was added taken away."""
        pieces, at = [], 0
        matches = list(token.finditer(text))
        stops = [*(match.start() for match in matches[1:]), len(text)][: len(matches)]
        for match, stop in zip(matches, stops, strict=True):
            pieces.append(text[at : match.start()])
            at = match.end()
            if len(match[1]) > 1:
                pieces.append(match.group()[1:])
                continue
            place = known.get(match[2], "")
            rest = _REST.match(text, at, stop)
            end = rest.end() if rest else at
            if _URI.search(text[: match.start()]):
                slash = "/" if self.windows else ""
                pieces.append(slash + quote(place.replace("\\", "/") if self.windows else place, safe="/:~"))
                pieces.append(quote(text[at:end], safe="/:~@+$(){}&!#[]%"))
            else:
                pieces += [place, text[at:end].replace("/", "\\") if self.windows else text[at:end]]
            at = end
        return "".join([*pieces, text[at:]])


@lru_cache(64)
def matcher(os: str, places: tuple[tuple[str, str], ...]) -> Spelling:
    windows = os == "windows"
    home = dict(places).get("home", "")
    ordered = sorted((place for place in places if not _is_plain(os, home, *place)), key=lambda place: -len(place[1]))
    names = {name: f"p{number}" for number, (name, _) in enumerate(ordered)}
    each = [f"(?P<{names[name]}>{'|'.join(_spellings(name, path, home, windows))})" for name, path in ordered]
    flags = re.IGNORECASE if windows else 0
    pattern = re.compile(f"{_LEAD}(?:{'|'.join(each)}){_END}", flags) if each else None
    return Spelling(windows, pattern, tuple(name for name, _ in ordered), names)


def is_absolute(path: str) -> bool:
    return len(path) > 1 and bool(re.match(r"/|[A-Za-z]:[\\/]|\\\\", path))


def _is_plain(os: str, home: str, name: str, path: str) -> bool:
    """`~/.config` of Linux: programs look there on macOS too, so a path in it means most as one in the home folder."""
    return os == "posix" and name == "appdata" and bool(home) and path.rstrip("/") == f"{home.rstrip('/')}/.config"


def _spellings(name: str, path: str, home: str, windows: bool) -> list[str]:
    """All ways to write the place, as regular expressions; one below the home folder also from `~`."""
    below = _below(path, home, windows)
    if windows:
        path = path.replace("\\", "/").rstrip("/")
        drive, colon, rest = path.partition(":")
        tail = "".join(r"[\\/]+" + _segment(part) for part in rest.split("/") if part)
        if colon and len(drive) == 1:
            found = [f"{drive}(?::|%3A){tail}", f"/(?:mnt/)?{drive}{tail}"]
        else:
            found = [r"[\\/]+".join(_segment(part) for part in path.split("/"))]
    else:
        found = ["/".join(_segment(part) for part in path.rstrip("/").split("/"))]
    if name == "home":
        found += [r"(?<!\()~(?=[\\/])", r"\$HOME\b"] + ([r"%USERPROFILE%"] if windows else [])
    elif below:
        tail = "".join((r"[\\/]+" if windows else "/") + _segment(part) for part in below)
        found += [start + tail for start in (r"(?<!\()~", r"\$HOME", *([r"%USERPROFILE%"] if windows else []))]
    if name == "appdata" and windows:
        found.append(r"%APPDATA%")
    return found


def _below(path: str, home: str, windows: bool) -> list[str]:
    """The names between the home folder and the place; none when it is elsewhere."""
    own, place = ([p for p in re.split(r"[\\/]+" if windows else "/", one) if p] for one in (home, path))
    start = place[: len(own)]
    same = [p.lower() for p in start] == [p.lower() for p in own] if windows else start == own
    return place[len(own) :] if own and same else []


def _segment(part: str) -> str:
    quoted = quote(part)
    return re.escape(part) if quoted == part else f"(?:{re.escape(part)}|{re.escape(quoted)})"


# ------------------------------------------------------------------------------------------ commands
def plain_command(value: Value) -> Value:
    """`cmd /c npx -y x` -> `npx -y x`; `npx.cmd` -> `npx`. Everything else, and what has a shell's signs, stays."""
    if not isinstance(value, dict) or not isinstance(value.get("command"), str):
        return value
    command, arguments = str(value["command"]), value.get("args")
    if _CMD.match(command) and isinstance(arguments, list):
        match arguments:
            case [str() as switch, str() as program, *rest] if (
                switch.lower() == "/c" and _program(program) in PLAIN and not _for_shell(rest)
            ):
                plain = {**value, "command": _program(program), "args": rest}
                return plain if rest else {name: inner for name, inner in plain.items() if name != "args"}
        return value
    if (line := _LINE.match(command)) and _program(line[1]) in PLAIN and not _for_shell([command]):
        return {**value, "command": _program(line[1]) + command[line.end() + len(line[1]) :]}
    if _program(command) in SHIMS and command != _program(command):
        return {**value, "command": _program(command)}
    return value


def shimmed_command(value: Value) -> Value:
    """On Windows: `npx -y x` -> `cmd /c npx -y x`, for the commands that are scripts there."""
    if not isinstance(value, dict) or not isinstance(value.get("command"), str):
        return value
    command, arguments = str(value["command"]), value.get("args", [])
    first = command.split(" ", 1)[0]
    if first not in SHIMS or not isinstance(arguments, list) or _for_shell([command, *arguments]):
        return value
    if first != command:
        return {**value, "command": f"cmd /c {command}"}
    result: dict[str, Value] = {}
    for name, inner in value.items():  # the arguments come right after the command when there were none
        result[name] = inner
        if name == "command":
            result["command"] = "cmd"
            result["args"] = ["/c", command, *arguments]
        elif name == "args":
            result["args"] = ["/c", command, *arguments]
    return result


def _for_shell(arguments: list[Value]) -> bool:
    """Has it signs that cmd reads in a way of its own? Then the two spellings are not one command."""
    return any(isinstance(text, str) and re.search(r"[&|<>^]|%\w+%", text) for text in arguments)


def _program(text: str) -> str:
    lower = text.lower()
    return (
        lower.removesuffix(".cmd").removesuffix(".exe")
        if lower.removesuffix(".cmd").removesuffix(".exe") in PLAIN
        else text
    )
