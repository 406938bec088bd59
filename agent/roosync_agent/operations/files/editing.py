"""Any file of a person edited in place: `roosync edit`. What is prepared in other modules is written here too.

No fleet, no keys, no broker: the documents of the protocol and the safe apply of this machine alone. First all is
worked out in memory (`prepare`, `backups.prepare_restore`, `quarantine.prepare_repair`), so that it can be shown;
`write` then does it as decisions are applied: lock, look again, snapshot, journal, the assistant's lock, one rename,
reading back, and back when that fails.
"""

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from roosync_agent.applying.apply import execute
from roosync_agent.applying.plan import FileChange, Plan
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.places import layout, system_of
from roosync_agent.files.door import Door, RealDoor
from roosync_agent.files.file_state import FileRefusedError, FileState
from roosync_agent.operations.files.asked_edits import Asked, AskedError, edited, whole_file
from roosync_agent.operations.files.file_diff import unified
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_agent.targets import locked_by_name
from roosync_protocol.documents import Document, DocumentError, parse, sniff
from roosync_protocol.documents.formats import is_json

NEW_FILE = 0o600  # it may hold secrets; whoever wants others to read it says so


class EditingError(ValueError):
    """Nothing was written; whose fault it is and what to do next."""


@dataclass(frozen=True)
class Written:
    """`snapshot` is "" when there was nothing to do. `told`: what an earlier, interrupted change came to."""

    snapshot: str = ""
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What will be written, and how to see afterwards that it was. Nothing is touched yet."""

    paths: tuple[str, ...]
    plan: Plan
    label: str
    collect_again: Callable[[], Collection] = field(repr=False)
    format: str = ""
    taken_as: str = ""  # the format and why, for a person
    notes: tuple[str, ...] = ()
    shown: Mapping[Path, bytes] = field(default_factory=dict, repr=False)  # in place of what can not be read there

    @property
    def changed(self) -> bool:
        return bool(self.plan.changes)

    def diff(self, *, secrets: bool = False, clip: bool = False) -> str:
        """Unified diffs of all files; of what a decision wrote without the secrets that this machine knows."""
        known = {} if secrets else dict(self.plan.shown()) if self.plan.secrets else {}
        return "".join(known.get(one.label) or self._diff(one, secrets, clip) for one in self.plan.changes)

    def _diff(self, change: FileChange, secrets: bool, clip: bool) -> str:
        now = change.before.data if secrets else self.shown.get(change.path, change.before.data)
        return unified(now, change.after, change.label, self.format, secrets=secrets, clip=clip)


def prepare(
    settings: Settings,
    file: str,
    asked: Sequence[Asked],
    *,
    format: str | None = None,  # noqa: A002 - the word of the command
    stdin: str = "",
    door: Door | None = None,
) -> Prepared:
    """The file after all edits. EditingError when one can not be done: then none is."""
    door = door or RealDoor()
    path = Path(file).expanduser().absolute()
    try:
        before = door.read(path)
        _require_editable(settings, before)
    except FileRefusedError as error:
        raise unchanged(error) from error
    document, taken_as = _document(before, format, inside=not all(whole_file(one) for one in asked))
    try:
        after, notes = edited(document, asked, stdin)
    except AskedError as error:
        if not before.exists:
            raise unchanged(AskedError(f"there is no file {path}, and it can not be made so: {error}")) from error
        raise unchanged(error, str(path)) from error
    if not before.exists:
        notes = [f"{path} is not there yet: it will be made, readable by you alone", *notes]
    nothing = after.data == (before.data or b"") and (before.exists or not after.data)
    change = FileChange(
        path=path,
        label=str(path),
        before=before,
        after=after.data,
        mode=before.mode if before.exists else NEW_FILE,
        format=document.format,
        keys=(),
        locks=_locks(door, before),
    )
    plan = Plan(() if nothing else (change,), {}, {})
    return Prepared((str(path),), plan, "edit", reader(settings, door, plan), document.format, taken_as, tuple(notes))


def write(settings: Settings, prepared: Prepared, now: datetime, door: Door | None = None) -> Written:
    """Does it. EditingError: the files are as they were, or the message says what is not."""
    if not prepared.changed:
        return Written()
    State(settings.state).prepare()
    outcome = execute(
        prepared.plan,
        door or RealDoor(),
        settings.state,
        label=prepared.label,
        now=now,
        collect_again=prepared.collect_again,
    )
    told = "; ".join(outcome.log)
    match outcome.status:
        case "applied":
            own = len(prepared.plan.changes) + 2  # lines about this change: backup, each file, verified
            return Written(outcome.snapshot, tuple(outcome.log[:-own]))
        case "rollback_failed":
            raise EditingError(f"{told}. What was there before: `roosync snapshots restore {outcome.snapshot} --exact`")
        case "deferred":
            raise EditingError(f"{told}. Run the command again")
        case "rolled_back":
            raise EditingError(told)


def reader(
    settings: Settings, door: Door, plan: Plan, collect_again: Callable[[], Collection] | None = None
) -> Callable[[], Collection]:
    """Reads back what was written: the bytes, and that they still are a document; then the managed files, if any."""

    def again() -> Collection:
        for change in plan.changes:
            found = door.read(change.path)
            if found.data != change.after:
                raise FileRefusedError(change.path, "it was written and reads back as something else")
        return collect_again() if collect_again else nothing_managed(settings, door)

    return again


def nothing_managed(settings: Settings, door: Door) -> Collection:
    """What is collected where no managed file is concerned."""
    return collect(door, layout(door, settings.home, os.environ, system_of(sys.platform)), ())


def require_one_name(before: FileState) -> None:
    """EditingError for a file with a hard link."""
    if before.links > 1:
        raise EditingError(
            f"{before.path} has a second name (a hard link), which writing would part from it: use a symbolic link "
            "instead. Nothing was changed"
        )


def unchanged(error: Exception, where: str = "") -> EditingError:
    """The error as one that says that nothing was written."""
    told = str(error) if str(error).endswith("?") else f"{error}."
    if where:
        return EditingError(f"{told} Nothing was changed in {where}")
    return EditingError(f"{told} Nothing was changed")


# -- inside


def _require_editable(settings: Settings, before: FileState) -> None:
    real = before.real_path
    if before.dangling:
        raise FileRefusedError(before.path, f"it is a link to {real}, and there is nothing: make that file first")
    if not before.exists and not real.parent.is_dir():
        raise FileRefusedError(before.path, "there is no such folder to make it in")
    if real.is_relative_to(settings.state.resolve()) and real != settings.config.resolve():
        raise FileRefusedError(before.path, "it is roosync's own state, which its commands alone write")
    require_one_name(before)


def _document(before: FileState, format_: str | None, *, inside: bool) -> tuple[Document, str]:
    """The file as a document, and as what it was taken and why. `inside`: are there places in it that are meant?"""
    data = before.data or b""
    taken, why = format_ or sniff(data, before.real_path.name), "as you say" if format_ else "by its name and beginning"
    if taken == "json" and not format_ and data.strip() and not is_json(data):
        taken, why = "jsonc", "JSON with comments or trailing commas"
    if taken == "markdown" and not format_ and inside and data.removeprefix(BOM_UTF8).startswith(b"---"):
        taken, why = "frontmatter", "the members at the beginning of Markdown; `--set .` means all of it"
    try:
        return parse(data, taken), f"{taken} ({why})"
    except DocumentError as error:
        hint = "" if format_ else ", or say with --format what it is"
        shown = "json" if taken == "jsonc" and not format_ else taken
        raise EditingError(
            f"{before.path} can not be read as {shown}: {error}. Repair it by hand{hint}; nothing was changed"
        ) from error


def _locks(door: Door, before: FileState) -> bool:
    """Is there an assistant that locks this file, or does somebody lock it now in the same way?"""
    names = (before.path, before.real_path)
    return any(locked_by_name(one) or door.stat(one.with_name(one.name + ".lock")).kind == "folder" for one in names)
