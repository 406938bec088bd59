"""Where things are on this machine: the home folder that is managed, and the editors' folders below it.

Everything follows from the *given* home, never from the process's own: several agents live on one host, each with a
home of its own. The variables of the environment that move folders (APPDATA, XDG_CONFIG_HOME, CODEX_HOME, ...)
count only when that home is the person's own, or when they stay inside it.

A layout has two sides. `base` is the folder on this disk; `places.home` is how files *spell* it. They differ only where
one system plays another one (a demonstration of Windows on Linux: `C:\\Users\\ana` is kept in `/tmp/demo/ana`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from shutil import which
from typing import Literal

from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_protocol.portable import Places, path_portable
from roosync_protocol.secrets import scrub

System = Literal["windows", "posix", "macos"]

# name of the flavour, its folder among the user's settings, its folder of extensions below the home folder
EDITORS = (
    ("code", "Code", ".vscode"),
    ("insiders", "Code - Insiders", ".vscode-insiders"),
    ("vscodium", "VSCodium", ".vscode-oss"),
    ("cursor", "Cursor", ".cursor"),
    ("windsurf", "Windsurf", ".windsurf"),
)
SERVER = ("server", ".vscode-server/data/User", ".vscode-server")


@dataclass(frozen=True)
class Flavour:
    """One editor of the VS Code family, installed or not."""

    name: str  # "code", "insiders" ...: the part after @ in a target's name
    user: Path  # its user folder, where extensions keep their files in globalStorage/
    extensions: Path


@dataclass(frozen=True)
class Layout:
    base: Path  # the managed home folder on this disk, absolute
    settings: Path  # the folder of the applications' settings below it
    places: Places  # the same places as the files spell them
    flavours: tuple[Flavour, ...]
    folders: Mapping[str, Path]  # what {name} means in a target's declaration, beside {vscode_user}
    workspaces: Mapping[str, Path]  # the projects that a person named, on this disk

    def name_of(self, path: Path) -> str:
        """The portable name of a file, to be shown and published: `${home}/.roo/rules/a.md`."""
        if not path.is_relative_to(self.base):
            for name, folder in self.workspaces.items():
                if path.is_relative_to(folder):
                    return "/".join((f"${{workspace:{name}}}", *path.relative_to(folder).parts))
            return f"outside/{path.name}"  # the rest says more about this machine than anybody needs
        parts = path.relative_to(self.base).parts
        pure = PureWindowsPath if self.places.os == "windows" else PurePosixPath
        return path_portable(str(pure(self.places.home).joinpath(*parts)), self.places)

    def on_disk(self, spelled: str) -> Path | None:
        """The file here of a path as this machine's files spell it: from the home folder when it is relative.

        None for a path that is not of this system, or that climbs.
        """
        return _on_disk(spelled, self.base, self.places.home, self.places.os)


def folders_named(text: str, folders: Mapping[str, PurePath]) -> str:
    """`text` with these folders of this machine by their names (`${home}`), the first ones first.

    A folder counts where its whole name stands, with either separator; on Windows in any case. A root is none.
    """
    for name, folder in folders.items():
        if folder == folder.parent:
            continue
        spelled = r"[\\/]+".join(re.escape(part) for part in re.split(r"[\\/]+", str(folder)))
        flags = re.IGNORECASE if isinstance(folder, PureWindowsPath) else re.NOFLAG
        text = re.sub(rf"(?<![\w.-]){spelled}(?![\w.-])", name.replace("\\", r"\\"), text, flags=flags)
    return text


def public_line(text: str, state: Path, home: Path) -> str:
    """A line for everybody: without secrets, and without the names of this machine's folders."""
    return scrub(folders_named(text, {"${state}": state, "${home}": home}))


def system_of(platform: str) -> System:
    """From sys.platform."""
    return "windows" if platform.startswith(("win", "cygwin")) else "macos" if platform == "darwin" else "posix"


def layout(
    door: Door,
    home: Path,
    environ: Mapping[str, str],
    system: System,
    *,
    spelled_home: str = "",
    workspaces: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
) -> Layout:
    """The layout of one home folder. `spelled_home` is needed only when files name another folder than `home`."""
    variables = _Variables(home, environ)
    settings = _settings_folder(home, variables, system)
    flavours = (
        *(Flavour(name, settings / folder / "User", home / dot / "extensions") for name, folder, dot in EDITORS),
        Flavour(SERVER[0], home / SERVER[1], home / SERVER[2] / "extensions"),
    )
    chosen = next((flavour for flavour in flavours if _is_folder(door, flavour.user)), flavours[0])
    played = system == "windows" and str(home).startswith("/")
    spelled = spelled_home or (f"C:\\Users\\{home.name}" if played else str(home))
    here = _Spelling(home, spelled, system)
    search = "" if played or spelled_home else environ.get("PATH", "")
    places = Places(
        os=system,
        home=spelled,
        appdata=here.spell(settings),
        vscode_user=here.spell(chosen.user),
        python=which("python3", path=search) or which("python", path=search) or "",
        node=which("node", path=search) or "",
        workspaces=dict(workspaces or {}),
        custom=dict(custom or {}),
    )
    folders = _assistants(home, settings, variables, system)
    on_disk = {name: _on_disk(path, home, spelled, system) for name, path in (workspaces or {}).items()}
    projects = {name: path for name, path in on_disk.items() if path is not None}
    return Layout(home, settings, places, flavours, folders, projects)


@dataclass(frozen=True)
class _Spelling:
    base: Path
    home: str
    system: System

    def spell(self, path: Path) -> str:
        if not path.is_relative_to(self.base):
            return str(path)
        pure = PureWindowsPath if self.system == "windows" else PurePosixPath
        return str(pure(self.home).joinpath(*path.relative_to(self.base).parts))


def _on_disk(spelled: str, base: Path, home: str, system: str) -> Path | None:
    pure = PureWindowsPath if system == "windows" else PurePosixPath
    if spelled.startswith(("~/", "~\\")):
        spelled = spelled[2:]
    path = pure(home) / spelled  # an absolute one replaces the home
    if ".." in path.parts or "\0" in spelled or len(spelled) > 1000:
        return None
    if path.is_relative_to(home):
        return base.joinpath(*path.relative_to(home).parts)
    return Path(spelled) if Path(spelled).is_absolute() else None


def _is_folder(door: Door, path: Path) -> bool:
    try:
        return door.stat(path).kind == "folder"
    except FileRefusedError:  # what is wrong with it is told by whoever reads it
        return False


class _Variables:
    """The environment, as far as it speaks about this home folder."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        own = environ.get("USERPROFILE") or environ.get("HOME") or ""
        self._environ, self._home = environ, home
        self._is_own = bool(own) and Path(own).absolute() == home.absolute()

    def folder(self, name: str) -> Path | None:
        value = self._environ.get(name, "")
        if not value or not Path(value).is_absolute():
            return None
        inside = Path(value).is_relative_to(self._home) and ".." not in Path(value).parts
        return Path(value) if self._is_own or inside else None


def _settings_folder(home: Path, variables: _Variables, system: System) -> Path:
    variable = {"windows": "APPDATA", "posix": "XDG_CONFIG_HOME"}.get(system)
    return (variable and variables.folder(variable)) or home / usual_folders(system)["settings"]


def _assistants(home: Path, settings: Path, variables: _Variables, system: System) -> dict[str, Path]:
    """The folders that assistants let a variable move, or that they have elsewhere on each system."""
    folders = {name: home / place for name, place in usual_folders(system).items()} | {"settings": settings}
    for variable, moved in _MOVED_BY.items():
        if (folder := variables.folder(variable)) is not None:
            folders |= {name: folder / place for name, place in moved.items()}
    if system == "windows":
        folders["zed"] = settings / "Zed"
    elif system == "posix":
        folders["zed"] = folders["xdg"] / "zed"
    return folders


def usual_folders(system: System) -> dict[str, str]:
    """What {name} means in a target's declaration when nothing moves it: from the home folder, with `/`."""
    settings = {"windows": "AppData/Roaming", "macos": "Library/Application Support"}.get(system, ".config")
    return {
        "home": "",
        "settings": settings,
        "claude": ".claude",
        "claude_json": "",  # where .claude.json lies
        "cline": ".cline",
        "codex": ".codex",
        "continue": ".continue",
        "gemini": ".gemini",
        "xdg": ".config",  # for what follows XDG on every system, as opencode does
        "zed": "AppData/Roaming/Zed" if system == "windows" else ".config/zed",
    }


_MOVED_BY = {  # a variable -> the folders that it moves, and where they are in it
    "CLAUDE_CONFIG_DIR": {"claude": "", "claude_json": ""},
    "CLINE_DIR": {"cline": ""},
    "CODEX_HOME": {"codex": ""},
    "CONTINUE_GLOBAL_DIR": {"continue": ""},
    "GEMINI_CLI_HOME": {"gemini": ".gemini"},
    "XDG_CONFIG_HOME": {"xdg": ""},
}
