"""Safe apply: all files of a change or none, with a backup before, a check after, and a way back.

    lock -> look again -> journal -> the assistants' locks -> look again -> snapshot -> temporaries, whole and
         fsynced -> commit -> rename each -> collect again and compare -> the person's own check -> done, or
         restore at once

A process killed at any step leaves every file whole, and `recover` brings all of them to one side. Source:
4-configuration, "Safe apply".
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import time_ns
from typing import Literal

import msgspec

from roosync_agent.applying import journal, snapshots, tool_locks
from roosync_agent.applying.check import CheckError, run_check
from roosync_agent.applying.plan import FileChange, Plan
from roosync_agent.applying.snapshots import NoSnapshotError, digest_at
from roosync_agent.collecting.collection import Collection
from roosync_agent.files.door import Door, make_parents, missing_parents, temporary_for
from roosync_agent.files.file_state import FileBusyError, FileRefusedError
from roosync_agent.targets.marks import settled
from roosync_protocol.diff import equal
from roosync_protocol.documents import DocumentError, parse
from roosync_protocol.entity import Entity
from roosync_protocol.portable import UnknownTokenError

Status = Literal["applied", "rolled_back", "rollback_failed", "deferred"]
Hook = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What happened, told line by line. `deferred`: nothing was written, and it may be tried again."""

    status: Status
    log: list[str] = field(default_factory=list)
    snapshot: str = ""
    touched: bool = False


class _VerificationError(Exception):
    """What stands now is not what was wanted."""


class _NoBackupError(Exception):
    """Without a backup nothing is written."""


def execute(
    plan: Plan,
    door: Door,
    state: Path,
    *,
    label: str,
    now: datetime,
    collect_again: Callable[[], Collection],
    check: Sequence[str] = (),
    check_timeout: float = 20.0,
    step: Hook = lambda name: None,
) -> Outcome:
    """Applies a plan. `step` is called by name before each step, for tests that kill the process there."""
    if not plan.changes:
        return Outcome("applied", ["the files hold it already: nothing was written"])
    with ExitStack() as stack:
        try:
            make_parents(door, state / "run" / "apply.lock")
            stack.enter_context(door.lock(state / "run" / "apply.lock"))
            told = list(journal.recover(state, door))  # of a run that ended in the middle
            if journal.open_(door, state):
                return Outcome("deferred", [*told, "nothing was written: an earlier change is not finished"])
            _look_again(door, plan)
            transaction = _Transaction(door, state, plan, label, now, step)
        except FileRefusedError as error:
            return Outcome("deferred", [f"nothing was written: {error}"])
        return _run(transaction, told, collect_again, check, check_timeout)


def recover(state: Path, door: Door, *, now: datetime) -> Iterator[str]:
    """At start: finishes or discards what was interrupted, and tells it; then forgets old snapshots."""
    try:
        make_parents(door, state / "run" / "apply.lock")
        with door.lock(state / "run" / "apply.lock"):
            yield from journal.recover(state, door)
            if not journal.open_(door, state):
                snapshots.prune(door, state, now)
    except FileRefusedError as error:
        yield f"what was interrupted, if anything, is looked at later: {error}"


class _Transaction:
    """The part that a crash may interrupt: from the journal's first record to its removal."""

    def __init__(self, door: Door, state: Path, plan: Plan, label: str, now: datetime, step: Hook) -> None:
        self.door, self.state, self.plan, self.label, self.now, self.step = door, state, plan, label, now, step
        self.snapshot = snapshots.new_id(now, secrets.token_hex(4))
        self.written: set[int] = set()
        folders = {folder for change in plan.changes for folder in missing_parents(door, change.before.real_path)}
        self.locks = [
            lock
            for change in plan.changes
            if change.locks
            for lock in tool_locks.folders_of(door, change.path, change.before.real_path)
        ]
        self._record = journal.Record(
            transaction=secrets.token_hex(6),
            label=label,
            snapshot=self.snapshot,
            phase="prepared",
            steps=tuple(journal.step_of(change) for change in plan.changes),
            folders=tuple(sorted(map(str, folders), key=len)),
            locks=tuple(map(str, self.locks)),
        )

    def begin(self) -> None:
        """From here on a crash is seen by `recover`."""
        self.step("journal")
        self._phase("prepared")

    def prepare(self) -> None:
        """Backup, and every new content, whole and on the disk, beside its target. Nothing is changed yet."""
        _look_again(self.door, self.plan)
        self.step("snapshot")
        try:
            snapshots.take(self.door, self.state, self.plan, self.label, self.now, self.snapshot)
        except FileRefusedError as error:
            raise _NoBackupError(str(error)) from error
        for number, change in enumerate(self.plan.changes):
            if change.after is None:
                continue
            self.step(f"temporary {number}")
            if change.format:
                parse(change.after, change.format)
            make_parents(self.door, change.before.real_path)
            like = change.before if change.before.exists else None
            self.door.prepare(self._temporary(change), change.after, mode=change.mode, like=like)
        self._sync()
        _look_again(self.door, self.plan)
        self.step("commit")
        self._phase("committed")

    def replace(self) -> None:
        for number, change in enumerate(self.plan.changes):
            self.step(f"replace {number}")
            target = change.before.real_path
            if digest_at(self.door, target) != (change.before.sha256 or ""):
                raise _VerificationError(f"{change.label} was changed by somebody else while it was being written")
            self.written.add(number)
            if change.after is None:
                self.door.remove(target)
            else:
                self.door.replace(self._temporary(change), target)
        self.step("sync")
        self._sync()
        self.step("replaced")

    def restore(self) -> Outcome:
        """Back to the snapshot, also of files that the assistant has locked; `recover` carries on after a crash."""
        with suppress(FileRefusedError):  # a full disk must not keep the files from going back
            self.step("restoring")
            self._phase("restoring")
        try:
            with ExitStack() as stack:
                with suppress(FileRefusedError):
                    stack.enter_context(tool_locks.held(self.door, self.locks))
                left = snapshots.restore(self.door, self.state, self.snapshot, written=self.written, step=self.step)
            self.step("restored")
            journal.discard(self.door, self.state, self._record)
        except (FileRefusedError, NoSnapshotError) as error:
            left = [f"it could not be put back, and is tried again: {error}"]
        status: Status = "rollback_failed" if left else "rolled_back"
        return Outcome(status, left or ["everything was put back as it was"], self.snapshot, touched=True)

    def give_up(self) -> None:
        """Nothing was changed: no trace is left. What the disk refuses, `recover` takes away later."""
        with suppress(FileRefusedError):
            journal.discard(self.door, self.state, self._record)
            snapshots.forget(self.door, self.state, self.snapshot)

    def done(self) -> None:
        with suppress(FileRefusedError):  # it is applied; a record that stays is finished by `recover`
            self.step("done")
            journal.clear(self.door, self.state)
            snapshots.prune(self.door, self.state, self.now)

    def _phase(self, phase: journal.Phase) -> None:
        when = self._record.time_ns if phase == "committed" else time_ns()  # the locks are made after the others
        self._record = msgspec.structs.replace(self._record, phase=phase, time_ns=when)
        journal.write(self.door, self.state, self._record)

    def _sync(self) -> None:
        for folder in {change.before.real_path.parent for change in self.plan.changes}:
            self.door.sync_folder(folder)

    def _temporary(self, change: FileChange) -> Path:
        return temporary_for(change.before.real_path, self._record.transaction)


def _run(
    transaction: _Transaction,
    told: list[str],
    collect_again: Callable[[], Collection],
    check: Sequence[str],
    check_timeout: float,
) -> Outcome:
    """The transaction up to its end. The assistants' locks are held while their files change, and no longer."""
    log = [*told]
    with ExitStack() as locks:
        try:
            transaction.begin()
            transaction.step("locks")
            locks.enter_context(tool_locks.held(transaction.door, transaction.locks))
            transaction.prepare()
        except (FileBusyError, _NoBackupError) as error:
            locks.close()
            transaction.give_up()
            why = "no backup could be made: " if isinstance(error, _NoBackupError) else ""
            return Outcome("deferred", [*log, f"nothing was written: {why}{error}"])
        except (FileRefusedError, DocumentError) as error:
            locks.close()
            transaction.give_up()
            return Outcome("rolled_back", [*log, f"nothing was changed: {error}"])
        log.append("backup made")
        try:
            transaction.replace()
            locks.close()
            log += [
                f"removed {change.label}" if change.after is None else f"wrote {change.label}"
                for change in transaction.plan.changes
            ]
            transaction.step("verify")
            _verify(transaction.plan, collect_again())
            run_check(check, check_timeout)
        except Exception as error:  # noqa: BLE001 - whatever it was, the files go back
            locks.close()
            known = isinstance(error, _VerificationError | FileRefusedError | CheckError)
            fault = str(error) if known else f"it could not be verified ({type(error).__name__})"
            end = transaction.restore()
            if end.status == "rolled_back":  # one line: the last one is what is told of it everywhere
                return Outcome(end.status, [*log, f"{fault}; {end.log[0]}"], end.snapshot, touched=True)
            return Outcome(end.status, [*log, fault, *end.log], end.snapshot, touched=True)
    transaction.done()
    return Outcome("applied", [*log, "read back and verified"], transaction.snapshot, touched=True)


def _look_again(door: Door, plan: Plan) -> None:
    """The files as they were planned on; FileBusyError when one changed since."""
    for change in plan.changes:
        current = door.read(change.path)
        if current.sha256 != change.before.sha256 or current.real_path != change.before.real_path:
            raise FileBusyError(change.path, "it changed since it was read; the next look takes it in")


def _verify(plan: Plan, collection: Collection) -> None:
    """What can be collected now must be what was wanted, entity by entity."""
    for key in (key for change in plan.changes for key in change.keys):
        wanted, found = plan.wanted[key], collection.entities.get(key)
        if wanted is None and found is None and key not in collection.unreadable:
            continue
        if wanted is None or found is None or not equal(_as_here(wanted, collection), found):
            raise _VerificationError(f"{key} was written and reads back as something else")


def _as_here(wanted: Entity, collection: Collection) -> Entity:
    """Its paths by the names that this machine's places give them."""
    try:
        return settled(collection.marks(wanted.key), wanted, collection.layout.places)
    except UnknownTokenError:
        return wanted
