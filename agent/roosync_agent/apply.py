"""Safe apply: all files of a change or none, with a backup before, a check after, and a way back.

    lock -> look again -> snapshot -> journal -> temporaries, whole and fsynced -> commit -> rename each
         -> collect again and compare -> the person's own check -> done, or restore at once

A process killed at any step leaves every file whole, and `recover` brings all of them to one side. Source:
4-configuration, "Safe apply".
"""

import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from roosync_agent import journal, snapshots, tool_locks
from roosync_agent.collect import Collection
from roosync_agent.file_state import FileBusyError, FileRefusedError
from roosync_agent.files import Door, make_parents, missing_parents, temporary_for
from roosync_agent.plan import FileChange, Plan
from roosync_agent.snapshots import digest_of
from roosync_protocol.diff import equal
from roosync_protocol.documents import DocumentError, parse
from roosync_protocol.secrets import scrub

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
            locked = [change.before.real_path for change in plan.changes if change.locks and change.before.exists]
            stack.enter_context(tool_locks.held(door, locked))
            _look_again(door, plan)
        except FileRefusedError as error:
            return Outcome("deferred", [f"nothing was written: {error}"])
        try:
            step("snapshot")
            snapshot = snapshots.take(door, state, plan, label, now, secrets.token_hex(4))
        except FileRefusedError as error:
            return Outcome("deferred", [f"nothing was written, no backup could be made: {error}"])
        log = ["backup made"]
        transaction = _Transaction(door, state, plan, label, snapshot.id, step)
        try:
            transaction.prepare()
        except (FileRefusedError, DocumentError) as error:
            transaction.discard()
            return Outcome("rolled_back", [*log, f"nothing was changed: {error}"], snapshot.id)
        return _finish(transaction, log, collect_again, check, check_timeout, now)


def recover(state: Path, door: Door, *, now: datetime) -> Iterator[str]:
    """At start: finishes or discards what was interrupted, and tells it; then forgets old snapshots."""
    yield from journal.recover(state, door)
    snapshots.prune(door, state, now)


class _Transaction:
    """The part that a crash may interrupt: from the first temporary to the last rename."""

    def __init__(self, door: Door, state: Path, plan: Plan, label: str, snapshot: str, step: Hook) -> None:
        self.door, self.state, self.plan, self.label, self.snapshot, self.step = (
            door,
            state,
            plan,
            label,
            snapshot,
            step,
        )
        self.id = secrets.token_hex(6)
        folders = {folder for change in plan.changes for folder in missing_parents(door, change.before.real_path)}
        self.record = journal.Record(
            transaction=self.id,
            label=label,
            snapshot=snapshot,
            phase="prepared",
            steps=tuple(journal.step_of(change) for change in plan.changes),
            folders=tuple(sorted(map(str, folders), key=len)),
        )

    def prepare(self) -> None:
        """Every new content, whole and on the disk, beside its target. Nothing is changed yet."""
        self.step("journal")
        journal.write(self.door, self.state, self.record)
        for number, change in enumerate(self.plan.changes):
            if change.after is None:
                continue
            self.step(f"temporary {number}")
            parse(change.after, change.format)
            make_parents(self.door, change.before.real_path)
            like = change.before if change.before.exists else None
            self.door.prepare(self._temporary(change), change.after, mode=change.mode, like=like)

    def commit(self) -> None:
        self.step("commit")
        self._phase("committed")

    def restore(self) -> list[str]:
        """Back to the snapshot; a crash meanwhile is carried on by `recover`. Returns what could not be put back."""
        self._phase("restoring")
        return snapshots.restore(self.door, self.state, self.snapshot)

    def _phase(self, phase: journal.Phase) -> None:
        self.record = msgspec.structs.replace(self.record, phase=phase)
        journal.write(self.door, self.state, self.record)

    def replace(self) -> None:
        for number, change in enumerate(self.plan.changes):
            self.step(f"replace {number}")
            target = change.before.real_path
            if digest_of(self.door.read(target).data) != (change.before.sha256 or ""):
                raise _VerificationError(f"{change.label} was changed by somebody else while it was being written")
            if change.after is None:
                self.door.remove(target)
            else:
                self.door.replace(self._temporary(change), target)
        self.step("sync")
        for folder in {change.before.real_path.parent for change in self.plan.changes}:
            self.door.sync_folder(folder)
        self.step("replaced")

    def discard(self) -> None:
        for change in self.plan.changes:
            try:
                self.door.remove(self._temporary(change))
            except FileRefusedError:
                continue  # recovery at the next start removes it
        for folder in reversed(self.record.folders):
            self.door.remove_folder(Path(folder))
        journal.clear(self.door, self.state)

    def _temporary(self, change: FileChange) -> Path:
        return temporary_for(change.before.real_path, self.id)


def _finish(
    transaction: _Transaction,
    log: list[str],
    collect_again: Callable[[], Collection],
    check: Sequence[str],
    check_timeout: float,
    now: datetime,
) -> Outcome:
    door, state, plan = transaction.door, transaction.state, transaction.plan
    try:
        transaction.commit()
        transaction.replace()
        log += [
            f"wrote {change.label}" if change.after is not None else f"removed {change.label}"
            for change in plan.changes
        ]
        transaction.step("verify")
        _verify(plan, collect_again())
        _run_check(check, check_timeout)
    except (_VerificationError, FileRefusedError) as error:
        log.append(str(error))
        left = transaction.restore()
        transaction.discard()
        log += left or ["everything was put back as it was"]
        return Outcome("rollback_failed" if left else "rolled_back", log, transaction.snapshot, touched=True)
    transaction.step("done")
    journal.clear(door, state)
    snapshots.prune(door, state, now)
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
        if wanted is None and found is None:
            continue
        if wanted is None or found is None or not equal(wanted, found):
            raise _VerificationError(f"{key} was written and reads back as something else")


def _run_check(check: Sequence[str], timeout: float) -> None:
    """The person's own check: a command of this machine's settings, never of a message."""
    if not check:
        return
    try:
        done = subprocess.run(  # noqa: S603 (the person's own command)
            list(check), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _VerificationError(f"the check did not end within {timeout:g} s") from error
    except OSError as error:
        raise _VerificationError(f"the check could not be run: {error.strerror}") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise _VerificationError(f"the check refuses it: {scrub(told[-1][:400]) if told else 'it gave no reason'}")
