"""What is managed on this machine, target by target: found or not, where, how much, and why not. Needs no fleet.

The first question of a new user, and of anybody whose file is not kept in step: one row for each declared target, the
shipped ones and the person's own, also for those whose assistant is not here or that the settings leave out.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from roosync_agent.collecting.local import Local, Looked
from roosync_agent.settings import Settings
from roosync_agent.targets import TABLE, Target, TargetSpec, locate, select
from roosync_protocol.entity import target_of

STATES = {
    "managed": "read, compared, kept in step",
    "quarantined": "held back by the wipe guard",
    "not read": "here, and can not be read",
    "not set up": "its assistant is here, and has nothing to read yet",
    "left out": "here, and the settings do not name it",
    "not here": "its assistant is not on this machine",
}


class TargetRow(Struct, frozen=True, kw_only=True):
    target: str
    assistant: str
    group: str
    state: str  # one of STATES
    found: bool
    managed: bool
    where: str  # portable; the folder of a tree
    things: int  # entities that are managed
    not_read: int  # and those, or files, that are here and could not be read
    note: str = ""  # why it is not managed, or what to do
    declared: str = ""  # the file of the person's own that declares it


class TargetsAnswer(Struct, frozen=True, kw_only=True):
    targets: list[TargetRow]
    broken: dict[str, str]  # files of own targets that declare nothing -> why
    folder: str  # where own targets are looked for


def list_targets(settings: Settings, names: Sequence[str] = ()) -> TargetsAnswer:
    """Every target, or those that `names` mean. ValueError for an unknown name."""
    local = Local.by_last_law(settings)
    return rows_of(local, local.look(), names)


def rows_of(local: Local, looked: Looked, names: Sequence[str] = ()) -> TargetsAnswer:
    """The same of a look that was taken already."""
    layout, own = local.layout(), local.own_targets()
    managed = {spec.name for spec in local.specs()}
    declared = dict(own.files)
    rows = [
        _row(target, looked, managed=spec.name in managed, where=layout.name_of(_place(target)), declared=declared)
        for spec in select(names, (*TABLE, *own.specs))
        for target in locate(spec, layout, local.door)
    ]
    rows += [_elsewhere(name, declared) for name in own.elsewhere if not names or name in names]
    broken = {fault.file: fault.reason for fault in own.faults}
    return TargetsAnswer(targets=rows, broken=broken, folder=str(local.settings.own_targets))


def _place(target: Target) -> Path:
    return target.folder if target.spec.tree else target.file


def _row(target: Target, looked: Looked, *, managed: bool, where: str, declared: dict[str, str]) -> TargetRow:
    name, spec = target.name, target.spec
    things = Counter(target_of(key) for key in looked.collection.entities)[name]
    state, note = state_of(target, looked, managed=managed)
    return TargetRow(
        target=name,
        assistant=spec.assistant,
        group=spec.group.value,
        state=state,
        found=target.present,
        managed=state == "managed",
        where=where,
        things=things,
        not_read=sum(one.target == name for one in looked.skipped),
        note=note,
        declared=declared.get(spec.name, ""),
    )


def state_of(target: Target, looked: Looked, *, managed: bool) -> tuple[str, str]:
    """One of STATES, and why it is so or what to do; "" where the state says it."""
    name = target.name
    if not target.present:
        return ("not set up", target.fault) if target.fault else ("not here", "")
    if not managed:
        return "left out", "`targets` in the settings file does not name it"
    if name in looked.quarantine:
        return "quarantined", looked.quarantine[name]
    if name in looked.unread or target.fault:
        return "not read", looked.unread.get(name, target.fault)
    return "managed", ""


def _elsewhere(name: str, declared: dict[str, str]) -> TargetRow:
    return TargetRow(
        target=name,
        assistant=name.split(".")[0],
        group="",
        state="not here",
        found=False,
        managed=False,
        where="",
        things=0,
        not_read=0,
        note="its declaration names no file for this system",
        declared=declared.get(name, ""),
    )


def place_of(spec: TargetSpec) -> str:
    """The rule by which a target's files are found, as it is declared."""
    if spec.setting:
        return f"the file that the editor's setting {spec.setting} names"
    if spec.tree:
        return ", ".join(f"{spec.folder}/{pattern}" for pattern in spec.tree)
    return f"{spec.folder}/{spec.file}" if spec.file else spec.folder
