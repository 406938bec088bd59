"""A baseline written into a git repository, and committed there: what was agreed stands in a history people can read.

Nothing of the repository is executed (`git`), no prompt, no push. Only the files of the baseline are in the commit,
whatever else is staged. All that could stop it is looked at before anything is signed (`require_ready`).
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from roosync_agent.collecting.reference import Library
from roosync_agent.exports import json_bytes
from roosync_agent.files.door import RealDoor, make_parents
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.files.safe_names import safe_relative
from roosync_agent.operations.baseline.git import Repository
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session
from roosync_protocol.baseline_file import BaselineFile, to_value
from roosync_protocol.messages import Baseline
from roosync_protocol.secrets import scrub

MODE = 0o644


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
    repository, fresh = _prepared(folder, tuple(files), files)
    door = RealDoor()
    for name in fresh:
        path = folder / name
        make_parents(door, path)
        door.write(path, files[name], mode=MODE)
    names = [str(folder / name) for name in files]
    repository.run("add", "--", *names, failing="the files were written, and could not be added")
    changed = repository.run("status", "--porcelain", "--untracked-files=all", "--", *names)
    if changed:
        repository.run(
            *("commit", "--quiet", "--no-verify", "--only", f"--message={message}", "--", *names),
            failing="the files were written, and not committed",
        )
    head = repository.run("rev-parse", "--verify", "--quiet", "HEAD")
    return Committed(
        repository=str(repository.top), files=tuple(files), commit=head, made=bool(changed), message=message
    )


# -- inside


def _prepared(
    folder: Path, names: tuple[str, ...], files: Mapping[str, bytes] | None = None
) -> tuple[Repository, tuple[str, ...]]:
    """The repository, and the files that have to be written; everything that is in the way is an error."""
    if not folder.is_dir():
        raise RefusedRequestError(f"{folder} is no folder; name one inside a git repository")
    repository = Repository(folder)
    top = repository.top
    for state in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"):
        if (repository.folder / state).exists():
            raise RefusedRequestError(f"{top} is in the middle of a merge or rebase; finish it, and ask again")
    repository.run(
        "var", "GIT_COMMITTER_IDENT",
        failing=f"git does not know who you are; `git -C {top} config user.name` and `user.email` tell it",
    )  # fmt: skip
    fresh = []
    for name in names:
        path = folder / name
        real = path.resolve()
        if not real.is_relative_to(top.resolve()) or path.is_symlink():
            raise RefusedRequestError(f"{name} in {folder} is a link; it is not written through. Remove it first")
        if repository.run("check-ignore", "--", str(path), code=1) and not repository.run("ls-files", "--", str(path)):
            raise RefusedRequestError(f"{name} is ignored in {top}; take it out of .gitignore first")
        if filter_ := repository.filter_of(str(path)):
            raise RefusedRequestError(
                f"{name} has the filter {filter_!r} in {top}, a program that only the repository itself names; "
                "take it from that file in .gitattributes, or set it up in your own git configuration"
            )
        known = RealDoor().read(path).data
        ours = files is not None and known == files[name]
        if not ours and repository.run("status", "--porcelain", "--untracked-files=all", "--", str(path)):
            raise RefusedRequestError(
                f"{name} in {top} has changes that are not committed; commit them, or move the file away, and ask again"
            )
        if not ours:
            fresh.append(name)
    return repository, tuple(fresh)


def _one_line(text: str) -> str:
    return " ".join(scrub(text).split())[:500]
