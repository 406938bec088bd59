"""A baseline written into a git repository, and committed there: what was agreed stands in a history people can read.

git runs as a program of its own with a clean environment: nothing of `GIT_*`, no hook, no signing prompt, no monitor,
no push. Only the files of the baseline are in the commit, whatever else is staged. All that could stop it is looked at
before anything is signed (`require_ready`).
"""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from roosync_agent.collecting.reference import Library
from roosync_agent.exports import json_bytes
from roosync_agent.files.door import RealDoor, make_parents
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.files.safe_names import safe_relative
from roosync_agent.operations.lawmaking import RefusedRequestError
from roosync_agent.session import Session
from roosync_protocol.baseline_file import BaselineFile, to_value
from roosync_protocol.messages import Baseline
from roosync_protocol.secrets import scrub

TIMEOUT = 60.0  # seconds for one run of git
MODE = 0o644
# What a configuration makes git run at a commit is not run for ours; a filter that a person set up for files is.
CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.autocrlf": "false",  # the bytes that are committed are the bytes that were agreed
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
KEPT = (
    "PATH",
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


class Committed(Struct, frozen=True, kw_only=True):
    repository: str
    files: tuple[str, ...]
    commit: str  # the full name of the commit that has them
    made: bool  # False: it had them already, and nothing was committed
    message: str


def require_ready(folder: Path) -> None:
    """RefusedRequestError when a baseline could not be committed here, saying what to do."""
    _prepared(folder, ("baseline.json",))


def commit_baseline(folder: Path, file: BaselineFile, signer: str, note: str = "") -> Committed:
    """Writes `baseline.json` and `configs/<version>/baseline.json` into `folder` of a repository, and commits them."""
    data = json_bytes(to_value(file.version, file.revision, file.commons, file.overlays))
    try:
        versioned = safe_relative(f"configs/{file.version}/baseline.json")
    except ValueError as error:
        raise RefusedRequestError(str(error)) from error
    lines = [f"Baseline {file.version}, revision {file.revision}, signed by {signer}", ""]
    lines += [_one_line(note), ""] if note else []
    lines += [f"RooSync-Version: {file.version}", f"RooSync-Revision: {file.revision}", f"RooSync-Signer: {signer}"]
    return commit(folder, {"baseline.json": data, versioned: data}, "\n".join(lines))


async def commit_law(session: Session, law: Baseline, folder: Path) -> Committed:
    """The same for a baseline that was just signed: it is law whatever git says."""
    commons, overlays = await Library(session).whole(law)
    file = BaselineFile(version=law.version, revision=law.revision, commons=commons, overlays=overlays)
    try:
        return await asyncio.to_thread(commit_baseline, folder, file, law.agent, law.note)
    except (RefusedRequestError, FileRefusedError) as error:
        again = f"`roosync baseline export --commit {folder}` commits it later"
        raise RefusedRequestError(f"baseline {law.version} is law, and was not committed: {error}. {again}") from error


def commit(folder: Path, files: Mapping[str, bytes], message: str) -> Committed:
    """Writes the files (relative names) and commits them alone; nothing is written when one is in the way."""
    top, fresh = _prepared(folder, tuple(files), files)
    door = RealDoor()
    for name in fresh:
        path = folder / name
        make_parents(door, path)
        door.write(path, files[name], mode=MODE)
    names = [str(folder / name) for name in files]
    _git(top, "add", "--", *names, failing="the files were written, and could not be added")
    changed = _git(top, "status", "--porcelain", "--untracked-files=all", "--", *names)
    if changed:
        _git(
            top,
            *("commit", "--quiet", "--no-verify", "--only", f"--message={message}", "--", *names),
            failing="the files were written, and not committed",
        )
    head = _git(top, "rev-parse", "--verify", "--quiet", "HEAD")
    return Committed(repository=str(top), files=tuple(files), commit=head, made=bool(changed), message=message)


# -- inside


def _prepared(
    folder: Path, names: tuple[str, ...], files: Mapping[str, bytes] | None = None
) -> tuple[Path, tuple[str, ...]]:
    """The repository's top, and the files that have to be written; everything that is in the way is an error."""
    if not folder.is_dir():
        raise RefusedRequestError(f"{folder} is no folder; name one inside a git repository")
    if _git(folder, "rev-parse", "--is-inside-work-tree", failing=f"{folder} is not in a git repository") != "true":
        raise RefusedRequestError(f"{folder} has no work tree to write into (a bare repository, or inside .git)")
    top = Path(_git(folder, "rev-parse", "--show-toplevel"))
    gitdir = Path(_git(folder, "rev-parse", "--absolute-git-dir"))
    for state in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"):
        if (gitdir / state).exists():
            raise RefusedRequestError(f"{top} is in the middle of a merge or rebase; finish it, and ask again")
    _git(
        top, "var", "GIT_COMMITTER_IDENT",
        failing=f"git does not know who you are; `git -C {top} config user.name` and `user.email` tell it",
    )  # fmt: skip
    fresh = []
    for name in names:
        path = folder / name
        real = path.resolve()
        if not real.is_relative_to(top.resolve()) or path.is_symlink():
            raise RefusedRequestError(f"{name} in {folder} is a link; it is not written through. Remove it first")
        if _git(top, "check-ignore", "--", str(path), code=1) and not _git(top, "ls-files", "--", str(path)):
            raise RefusedRequestError(f"{name} is ignored in {top}; take it out of .gitignore first")
        known = RealDoor().read(path).data
        ours = files is not None and known == files[name]
        if not ours and _git(top, "status", "--porcelain", "--untracked-files=all", "--", str(path)):
            raise RefusedRequestError(
                f"{name} in {top} has changes that are not committed; commit them, or move the file away, and ask again"
            )
        if not ours:
            fresh.append(name)
    return top, tuple(fresh)


def _git(folder: Path, *words: str, failing: str = "git failed", code: int = 0) -> str:
    """What git printed. RefusedRequestError with git's own last line; an exit `code` beside 0 may be no failure."""
    command = ["git", *(part for name, value in CONFIG.items() for part in ("-c", f"{name}={value}")), *words]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
    if words[0] != "check-ignore":  # which refuses it, and takes names as they are anyway
        environment["GIT_LITERAL_PATHSPECS"] = "1"
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the words are ours, names follow `--`
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
            check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise RefusedRequestError("git is not on the PATH; install it, or leave --commit away") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedRequestError(f"git {words[0]} did not end within {TIMEOUT:g} s") from error
    if done.returncode not in (0, code):
        told = scrub(done.stderr.decode("utf-8", "replace")).strip().splitlines() or [
            f"git ended with {done.returncode}"
        ]
        line = next((one for one in told if one.startswith(("fatal:", "error:"))), told[-1])
        raise RefusedRequestError(f"{failing} ({line[:300]})")
    return done.stdout.decode("utf-8", "replace").strip()


def _one_line(text: str) -> str:
    return " ".join(scrub(text).split())[:500]
