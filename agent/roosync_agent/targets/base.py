"""What a target is: a declaration of files, and of the parts in them that are ours to keep in step.

A target is declared, not coded: a new assistant is one file of declarations and one line in the table. Whatever a
declaration does not own passes through untouched, byte for byte.

    parts of a file      file + parts              each a map, a list or chosen keys (see `parts.Part`)
    tree of texts        folder + tree             one file = one entity, named by its path below the folder
"""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import MARK, PASSED_OVER, Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.targets.by_setting import named_file
from roosync_agent.targets.marks import NONE, Marks
from roosync_agent.targets.parts import Part
from roosync_protocol.entity import Kind
from roosync_protocol.forms import Form

VSCODE = "{vscode_user}"
WORKSPACE = "{workspace}"
_JUNK = (
    "*~",
    "*.swp",
    "*.swo",
    "*.tmp",
    "*.bak",
    "*.orig",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    f"*{MARK}*",
    "*.lock",
)
_MARKDOWN = (".md", ".markdown", ".mdc", ".mdx")


class Group(StrEnum):
    MODES = "modes"
    MCP = "mcp"
    PROFILES = "profiles"
    RULES = "rules"
    SETTINGS = "settings"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """A declaration. `{home}`, `{codex}` ... (`Layout.folders`), `{vscode_user}`, `{workspace}` stand for folders."""

    name: str  # "roo.mcp"
    assistant: str  # as a person calls it: "Roo Code"
    group: Group
    kind: Kind
    folder: str  # "{home}/.roo"; one with {vscode_user} is looked for in every editor, {workspace} in each project
    file: str = ""  # below the folder
    other_names: tuple[str, ...] = ()  # of the file: the first that is there is the file
    format: str = "json"  # of roosync_protocol.documents; "sniff" looks at the bytes
    parts: tuple[Part, ...] = (Part(),)  # where in the file the entities are; as it is: each member of the whole
    form: Form | None = None  # between the file's spelling of an entity and the common one
    editors: tuple[str, ...] = ()  # of those with {vscode_user}: the flavours where it is looked for; all without
    tree: tuple[str, ...] = ()  # patterns of the files below the folder; ** = any depth
    signs: tuple[str, ...] = ()  # any of these there: the assistant is on this machine; default: its folder
    private: bool = False  # a new file is made with mode 0600: it holds secrets
    locks: bool = False  # the tool locks with a folder <file>.lock
    setting: str = ""  # of the editor: it names the file; without it the file lies where folder and file say
    how_to_set_up: str = ""  # what a person does so that there is something to read: told where the assistant is
    marks: Marks = NONE  # what single fields are, beyond the rules for everybody
    own: bool = False  # declared by the person on this machine

    def owns(self, name: str) -> bool:
        """May an entity of this name be of this target? For a tree: is it a file that the patterns allow?"""
        if self.tree:
            return any(_matches(name, pattern) for pattern in self.tree) and not is_junk(name)
        return any(part.inner(name) is not None for part in self.parts)

    def format_of(self, name: str) -> str:
        """The document format of an entity's file."""
        if not self.tree:
            return self.format
        return "markdown" if name.lower().endswith(_MARKDOWN) else "text"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A declaration found on this machine (or not: `present` says)."""

    name: str  # the declaration's, or "roo.mcp@insiders" for a further editor
    spec: TargetSpec
    folder: Path
    present: bool
    path: Path | None = None  # where a person put the file, when it is not where the declaration says
    fault: str = ""  # why there is nothing to read, although the assistant is here
    project: Path | None = None  # in which it lies: its folder, which no link may lead out of

    @property
    def file(self) -> Path:
        return self.path or self.folder / self.spec.file


Existing = dict[Path, bool]  # of one look: is something there?


def locate(spec: TargetSpec, layout: Layout, door: Door, known: Existing | None = None) -> list[Target]:
    """Where `spec` is on this machine. The first editor that has the assistant gives the plain name.

    Many targets are in the same few folders: with `known`, kept for one look, each is asked for once.
    """
    asked = _Asked(door, {} if known is None else known)
    if WORKSPACE in spec.folder:
        return _in_projects(spec, layout, asked)
    if spec.setting:
        return _by_setting(spec, layout, door, asked)
    if VSCODE not in spec.folder:
        folder = _expand(spec.folder, layout)
        signs = [place for sign in spec.signs for place in _signs(sign, layout)] or [folder]
        present = any(asked(sign) for sign in signs)
        path = next((folder / name for name in spec.other_names if asked(folder / name)), None) if present else None
        return [Target(name=spec.name, spec=spec, folder=folder, present=present, path=path)]
    flavours = [flavour for flavour in layout.flavours if not spec.editors or flavour.name in spec.editors]
    places = [(flavour.name, _expand(spec.folder, layout, flavour.user)) for flavour in flavours]
    there = [(flavour, folder) for flavour, folder in places if asked(folder)]
    found = [
        Target(name=f"{spec.name}@{flavour}" if rank else spec.name, spec=spec, folder=folder, present=True)
        for rank, (flavour, folder) in enumerate(there)
    ]
    return found or [Target(name=spec.name, spec=spec, folder=places[0][1], present=False)]


def _in_projects(spec: TargetSpec, layout: Layout, asked: "_Asked") -> list[Target]:
    """One for each project that a person named, by its name: `roo.project-modes@shop`."""
    found = []
    for name, folder in sorted(layout.workspaces.items()):
        rest = spec.folder.removeprefix(WORKSPACE).removeprefix("/")
        there = asked(folder)
        found.append(Target(name=f"{spec.name}@{name}", spec=spec, folder=folder / rest, present=there, project=folder))
    return found


def _by_setting(spec: TargetSpec, layout: Layout, door: Door, asked: "_Asked") -> list[Target]:
    """One for each editor that has the assistant; its file is where a setting says, or where the assistant puts it."""
    default = _expand(spec.folder, layout) / spec.file
    fields = frozenset(part.container[0] for part in spec.parts if part.container)
    found: list[Target] = []
    for flavour in layout.flavours:
        if not any(asked(_expand(sign, layout, flavour.user)) for sign in spec.signs):
            continue
        path, fault = named_file(door, layout, flavour, spec.setting, fields)
        there = bool(path or fault)
        if not there and not found and asked(default):
            path, there = default, True
        name = f"{spec.name}@{flavour.name}" if found else spec.name
        if any(path is not None and path == other.path for other in found):
            continue  # two editors share one file
        folder = path.parent if path else default.parent
        why = fault or ("" if there else spec.how_to_set_up)
        found.append(Target(name=name, spec=spec, folder=folder, present=there, path=path, fault=why))
    return found or [Target(name=spec.name, spec=spec, folder=default.parent, present=False)]


def is_junk(name: str) -> bool:
    """Editors' and systems' own leavings, and ours: nobody means to keep them in step."""
    *folders, last = name.split("/")
    return any(fnmatchcase(last, pattern) for pattern in _JUNK) or not PASSED_OVER.isdisjoint(map(_plain, folders))


def _plain(folder: str) -> str:
    """As the system reads it that is least strict: `.GIT`, and the short name that Windows gives it, are `.git`."""
    return ".git" if folder.casefold() == "git~1" else folder.casefold()


def _matches(name: str, pattern: str) -> bool:
    if not pattern.endswith("/**"):
        return fnmatchcase(name, pattern)
    top, _, rest = name.partition("/")
    return bool(rest) and fnmatchcase(top, pattern.removesuffix("/**"))


def _signs(place: str, layout: Layout) -> list[Path]:
    """Where a sign may be: in the user folder of any editor, or in one place."""
    if VSCODE not in place:
        return [_expand(place, layout)]
    return [_expand(place, layout, flavour.user) for flavour in layout.flavours]


def _expand(place: str, layout: Layout, vscode_user: Path | None = None) -> Path:
    head, _, rest = place.partition("/")
    start = vscode_user if head == VSCODE and vscode_user else layout.folders[head.strip("{}")]
    return start / rest if rest else start


class _Asked:
    """Is something at a path?"""

    def __init__(self, door: Door, known: Existing) -> None:
        self._door, self._known = door, known

    def __call__(self, path: Path) -> bool:
        if path not in self._known:
            try:
                self._known[path] = self._door.stat(path).exists
            except FileRefusedError:  # it is there, and something is wrong with it: collecting says what
                self._known[path] = True
        return self._known[path]
