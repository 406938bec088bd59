"""`roosync explain` of a file: which targets have a part of it, what of it is managed, and what passes through."""

from difflib import get_close_matches
from pathlib import Path

from roosync_agent.collecting.local import Local, Looked
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.explaining.answers import FileExplained
from roosync_agent.operations.targets_list import STATES, place_of, state_of
from roosync_agent.targets import TABLE, Target, locate
from roosync_agent.targets.base import is_junk
from roosync_protocol.documents import DocumentError, parse, sniff
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.portable import UnknownTokenError, to_local
from roosync_protocol.secrets import scrub

NAMES = 100  # of what is not managed, that one answer tells


def paths_meant(local: Local, what: str, path: str) -> list[Path]:
    """The files here that a person may mean: as typed, as this machine's files spell it, or by its portable name."""
    found = [Path(path)] if path else []
    if any(mark in what for mark in "/\\~"):
        try:
            spelled = to_local(Entity(key="x/x", kind=Kind.SETTING, value=what), local.layout().places).value
        except UnknownTokenError:
            spelled = what
        if isinstance(spelled, str) and (on_disk := local.layout().on_disk(spelled)) is not None:
            found.append(on_disk)
    return list(dict.fromkeys(one for given in found for one in (given, _real(given))))


def explained_files(local: Local, looked: Looked, paths: list[Path], states: dict[str, str]) -> list[FileExplained]:
    """One answer for each target that has a part of the file. `states`: how each entity stands."""
    managed = {spec.name for spec in local.specs()}
    hits = [(target, path) for target in _targets(local) for path in paths if _has(target, path)]
    owners: dict[str, tuple[Target, Path]] = {}
    for target, path in hits:
        owners.setdefault(target.name, (target, path))
    together = [target for target, _ in owners.values()]
    answers = []
    for target, path in owners.values():
        rest = _unmanaged(local, together, path) if not target.spec.tree else []
        answers.append(_file(local, looked, target, path, states, rest, managed=target.spec.name in managed))
    return answers


def explained_target(local: Local, looked: Looked, name: str, states: dict[str, str]) -> list[FileExplained]:
    """All that one target has here; nothing when `name` is no target. `states`: how each entity stands."""
    target = next((target for target in _targets(local) if target.name == name), None)
    if target is None:
        return []
    path = target.folder if target.spec.tree else target.file
    together = [other for other in _targets(local) if other.file == path and not other.spec.tree]
    rest = _unmanaged(local, together, path) if together else []
    managed = any(spec.name == target.spec.name for spec in local.specs())
    return [_file(local, looked, target, path, states, rest, managed=managed)]


def why_not(local: Local, paths: list[Path]) -> tuple[str, list[str]]:
    """Why no target has this file, and the names of files that a person may have meant."""
    layout = local.layout()
    path = paths[0]
    names = {layout.name_of(t.file): t for t in _targets(local) if t.present and not t.spec.tree}
    near = [name for name in names if name.rsplit("/", 1)[-1] == path.name]
    near += get_close_matches(layout.name_of(path), names, 3, 0.7)
    inside = any(path.is_relative_to(folder) for folder in (layout.base, *layout.workspaces.values()))
    if not inside:
        return f"it is outside of the managed home folder ({layout.base}) and of the named projects", near
    for target in _targets(local):
        if target.spec.tree and path.is_relative_to(target.folder) and target.folder != layout.base:
            name = path.relative_to(target.folder).as_posix()
            if is_junk(name):
                return f"files of this name are editors' and systems' own leavings, in {target.name} too", near
            return f"of this folder, {target.name} manages {place_of(target.spec)} and nothing else", near
    if not path.exists():
        return "there is no such file, and no target would look there", near
    return "no target names this file; a target of your own can: docs/own-targets.md", near


def _targets(local: Local) -> list[Target]:
    layout = local.layout()
    specs = (*TABLE, *local.own_targets().specs)
    return [target for spec in specs for target in locate(spec, layout, local.door)]


def _has(target: Target, path: Path) -> bool:
    if not target.spec.tree:
        return path in (target.file, _real(target.file))
    for folder in (target.folder, _real(target.folder)):
        if path.is_relative_to(folder):
            return target.spec.owns(path.relative_to(folder).as_posix())
    return False


def _file(
    local: Local,
    looked: Looked,
    target: Target,
    path: Path,
    states: dict[str, str],
    rest: list[str],
    *,
    managed: bool,
) -> FileExplained:
    collection, name = looked.collection, target.name
    shown = collection.layout.name_of(target.file if not target.spec.tree else path)
    meant = (f for f in collection.files if f.target == name and path in (f.path, _real(f.path), target.folder))
    keys = [key for file in meant for key in file.keys]
    unread = {s.path: s.reason for s in collection.skipped if s.target == name and s.path.startswith(shown)}
    state, note = state_of(target, looked, managed=managed)
    if state == "managed" and not path.exists():
        note = "there is no such file yet; it is made when something comes"
    return FileExplained(
        path=shown,
        target=name,
        assistant=target.spec.assistant,
        rule=place_of(target.spec),
        declared=dict(local.own_targets().files).get(target.spec.name, ""),
        state=state,
        entities=keys,
        states={key: states[key] for key in keys if key in states},
        unread=unread,
        unmanaged=rest,
        note=note or ("" if state == "managed" else STATES[state]),
    )


def _unmanaged(local: Local, targets: list[Target], path: Path) -> list[str]:
    """Names in the file that none of its targets owns. Names only: their values are nobody's business."""
    spec = targets[0].spec
    try:
        data = local.door.read(path).data or b""
        whole = parse(data, sniff(data, path.name) if spec.format == "sniff" else spec.format_of(path.name)).value
    except (FileRefusedError, DocumentError):
        return []
    if not isinstance(whole, dict):
        return []
    parts = [part for target in targets for part in target.spec.parts]
    found = [
        name
        for name in whole
        if not any(part.container[:1] == (name,) or (not part.container and part.allows(name)) for part in parts)
    ]
    for part in parts:
        inner = _at(whole, part.container) if part.container and not part.identity else None
        names = inner if isinstance(inner, dict) else {}
        depth = len(part.container)
        deeper = [one.container for one in parts if len(one.container) > depth]
        taken = {steps[depth] for steps in deeper if steps[:depth] == part.container}
        same_place = [one for one in parts if one.container == part.container]
        free = [n for n in names if n not in taken and not any(one.allows(n) for one in same_place)]
        found += [".".join((*part.container, n)) for n in free]
    return [scrub(name) for name in dict.fromkeys(found)][:NAMES]


def _at(whole: Value, steps: tuple[str, ...]) -> Value:
    for step in steps:
        whole = whole.get(step) if isinstance(whole, dict) else None
    return whole


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
