"""git, run in a repository that others may have written: nothing that stands in it is executed, or written through.

A repository brings its own configuration, and that names programs: hooks, monitors, filters for files, transports of a
remote from which missing objects are fetched. It may be a link to somewhere else, or have links where git writes. So
git gets a clean environment and overrides, and what can not be overridden is refused. A person's own configuration,
outside of the repository, counts as always.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.secrets import scrub

TIMEOUT = 60.0  # seconds for one run of git
CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.autocrlf": "false",  # the bytes that are committed are the bytes that were agreed
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# Sections of a repository's own configuration that name programs, under any name -> what they are set to instead.
NAMED = {
    "filter": {"clean": "", "smudge": "", "process": "", "required": "false"},
    "hook": {"enabled": "false"},
}
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # a git that does not know the line above fetches a missing object through nothing
}
KEPT = (
    "HOME",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "XDG_CONFIG_HOME",
    "APPDATA",
)
WRITTEN = ("refs", "logs")  # folders below the repository's own in which git writes at any depth


class Repository:
    """The repository that a folder is in. RefusedRequestError when it is none, or none that may be written to."""

    def __init__(self, folder: Path) -> None:
        self.top = folder  # until it is known
        self._config: dict[str, str] = {}
        if self.run("rev-parse", "--is-inside-work-tree", failing=f"{folder} is not in a git repository") != "true":
            raise RefusedRequestError(f"{folder} has no work tree to write into (a bare repository, or inside .git)")
        self._config = self._neutral()
        top = Path(self.run("rev-parse", "--show-toplevel"))
        self.folder = Path(self.run("rev-parse", "--absolute-git-dir")).resolve()
        self._common = (folder / self.run("rev-parse", "--git-common-dir")).resolve()
        self.top = top
        self._require_own()
        for path in self._links():
            raise RefusedRequestError(f"{path} is a link, and git would write through it; name another repository")

    def run(self, *words: str, failing: str = "git failed", code: int = 0) -> str:
        """What git printed. RefusedRequestError with git's own last line; an exit `code` beside 0 may be no failure."""
        command, environment = command_of(words, self._config), environment_of()
        if words[0] != "check-ignore":  # which refuses it, and takes names as they are anyway
            environment["GIT_LITERAL_PATHSPECS"] = "1"
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the words are ours, names follow `--`
                command, cwd=self.top, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RefusedRequestError(f"git {words[0]} did not end within {TIMEOUT:g} s") from error
        if done.returncode not in (0, code):
            told = scrub(done.stderr.decode("utf-8", "replace")).strip().splitlines() or [
                f"git ended with {done.returncode}"
            ]
            line = next((one for one in told if one.startswith(("fatal:", "error:"))), told[-1])
            raise RefusedRequestError(f"{failing} ({line[:300]})")
        return done.stdout.decode("utf-8", "replace").strip()

    def filter_of(self, name: str) -> str:
        """The filter of the repository's own configuration that git would run for this file; "" for none."""
        found = self.run("check-attr", "-z", "filter", "--", name).split("\0")
        wanted = found[2] if len(found) > 2 else ""
        return wanted if f"filter.{wanted}.clean" in self._config else ""

    def _neutral(self) -> dict[str, str]:
        """Overrides for each program that the repository's own configuration names."""
        listed = self.run(
            *("config", "--null", "--show-scope", "--name-only", "--get-regexp", f"^({'|'.join(NAMED)})[.].*[.]"),
            failing="its configuration can not be read (git 2.26 or newer is needed)",
            code=1,
        )
        words = listed.split("\0")
        found: dict[str, str] = {}
        for scope, key in zip(words[::2], words[1::2], strict=False):
            if scope not in ("local", "worktree"):
                continue
            section, _, rest = key.partition(".")
            name = rest.rpartition(".")[0]
            if "=" in name or "\n" in name:  # which can not be overridden from a command line
                raise RefusedRequestError(f"{self.top}: its configuration names a {section} {name!r}; take it out")
            found |= {f"{section}.{name}.{setting}": value for setting, value in NAMED[section.lower()].items()}
        return found

    def _require_own(self) -> None:
        """Is it the repository of this work tree, or does the tree only point at one that belongs elsewhere?"""
        top = self.top.resolve()
        if self._common.is_relative_to(top):
            return
        if self.folder == self._common:  # of a submodule: it says where its work tree is
            back = bool(self.run("config", "--get", "core.worktree", code=1))
        else:  # of a further work tree: it names the tree that it belongs to
            back = self.folder.is_relative_to(self._common) and _names(self.folder / "gitdir", top / ".git")
        if not back:
            raise RefusedRequestError(
                f"{self.top} points at the repository {self._common}, which knows nothing of it; "
                "name the folder of that one"
            )

    def _links(self) -> Iterator[Path]:
        """The links where git writes: it would follow them, and overwrite what they lead to."""
        for base in {self.folder, self._common}:
            waiting = [base]
            while waiting:
                for one in os.scandir(waiting.pop()):
                    path = Path(one.path)
                    if one.is_symlink():
                        yield path
                    elif one.is_dir() and path.relative_to(base).parts[0] in WRITTEN:
                        waiting.append(path)


def command_of(words: Sequence[str], config: Mapping[str, str] | None = None) -> list[str]:
    """git with the overrides that keep a repository from naming programs, and more of them. RefusedRequestError
    without a git."""
    overrides = CONFIG | dict(config or {})
    return [_program(), *(part for name, value in overrides.items() for part in ("-c", f"{name}={value}")), *words]


def environment_of(kept: Iterable[str] = ()) -> dict[str, str]:
    """The whole environment of git: of ours only what it needs, and what is in `kept`."""
    own = {name: os.environ[name] for name in (*KEPT, *kept) if name in os.environ}
    return own | ENVIRONMENT | {"PATH": os.pathsep.join(_path())}


def _names(file: Path, wanted: Path) -> bool:
    try:
        return Path(file.read_text("utf-8").strip()).resolve() == wanted.resolve()
    except (OSError, ValueError):
        return False


def _path() -> list[str]:
    """PATH without what depends on the folder we are in: there, others decide what is called `git`."""
    return [one for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(one).is_absolute()]


def _program() -> str:
    for folder in _path():
        if found := shutil.which(str(Path(folder) / "git")):
            return found
    raise RefusedRequestError("git is not on the PATH; install it (--commit of a baseline can be left away)")
