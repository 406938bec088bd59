"""From wanted entities to the exact new bytes of each file, before anything is touched.

Here are the files: which one an entity lives in, whether it is as it was read, whether it is ours to write. What
becomes of one entity in its document is in `write_entity`. Whatever can not be done exactly is a refusal with its
reason, by entity: a secret that this machine does not have is named, never replaced by a placeholder.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roosync_agent.applying.known_secrets import secrets_for
from roosync_agent.applying.write_entity import local_value, with_entity, with_text
from roosync_agent.collecting.collection import CollectedFile, Collection
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError, FileState
from roosync_agent.files.own_links import link_fault
from roosync_agent.files.safe_names import safe_relative
from roosync_agent.targets.base import Target
from roosync_protocol.documents import (
    DocumentError,
    EditRefused,
    parse,
    sniff,
)
from roosync_protocol.entity import Entity, Kind, target_of
from roosync_protocol.placing import NOWHERE, Placing
from roosync_protocol.portable import UnknownTokenError
from roosync_protocol.secrets import ForeignSecretError, MissingSecretError, scrub
from roosync_protocol.secrets.spelling import spellings

Wanted = Mapping[str, Entity | None]  # by key; None: it goes


@dataclass(frozen=True)
class FileChange:
    """One file, as it is and as it will be."""

    path: Path
    label: str  # portable name, for people
    before: FileState = field(repr=False)
    after: bytes | None = field(repr=False)  # None: the file goes
    mode: int
    format: str  # as what it is checked before it is written; "": it is not
    keys: tuple[str, ...]
    locks: bool  # the tool locks it with a folder <file>.lock


@dataclass(frozen=True)
class Plan:
    """All that applying will do, and what it can not do."""

    changes: tuple[FileChange, ...]
    wanted: Wanted
    refusals: Mapping[str, str]
    secrets: frozenset[str] = field(default=frozenset(), repr=False)  # in each spelling; no diff may show them

    def shown(self) -> Iterator[tuple[str, str]]:
        """A unified diff for each file, secrets hidden; of what is around a change a line, as it may be another's."""
        for change in self.changes:
            old, new = (self._lines(data) for data in (change.before.data, change.after))
            diff = difflib.unified_diff(old, new, f"{change.label} (now)", f"{change.label} (afterwards)", n=1)
            yield change.label, "".join(line if line.endswith("\n") else line + "\n" for line in diff)

    def _lines(self, data: bytes | None) -> list[str]:
        text = (data or b"").decode("utf-8", "replace")
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "[secret]") if len(secret) > 3 else text.replace(f'"{secret}"', '"[secret]"')
        return scrub(text).splitlines(keepends=True)


def plan(door: Door, collection: Collection, wanted: Wanted, placing: Placing = NOWHERE) -> Plan:
    """The plan for `wanted`, made on the files as they were collected. Refusals stand beside it, by key.

    `placing`: where what is new goes in its file, and the comment lines that it brings.
    """
    refusals: dict[str, str] = {}
    by_file: dict[Path, list[str]] = {}
    homes: dict[str, tuple[Target, Path]] = {}
    for key in sorted(wanted):
        try:
            target, path = _home_of(collection, key, wanted[key])
        except _RefusedError as error:
            refusals[key] = str(error)
            continue
        homes[key] = (target, path)
        by_file.setdefault(path, []).append(key)
    changes: list[FileChange] = []
    for path, keys in sorted(by_file.items()):
        try:
            change = _change(door, collection, [(key, homes[key][0]) for key in keys], path, wanted, placing, refusals)
            _require_apart(change, changes)
        except _RefusedError as error:
            refusals |= dict.fromkeys(keys, str(error))
            continue
        except (FileRefusedError, DocumentError) as error:
            refusals |= dict.fromkeys(keys, f"{collection.layout.name_of(path)}: {error.reason}")
            continue
        if change is not None:
            changes.append(change)
    return Plan(tuple(changes), dict(wanted), refusals, _secrets(collection, wanted))


def _secrets(collection: Collection, wanted: Wanted) -> frozenset[str]:
    """Every spelling of what no diff may show: also of what is put in from elsewhere on this machine."""
    known = set(collection.secrets.values())
    for entity in wanted.values():
        known |= set(secrets_for(collection, entity).values()) if entity is not None else set()
    return frozenset(spelt for one in known for spelt in spellings(one)) - {""}


class _RefusedError(Exception):
    """Why something can not be planned."""


def _home_of(collection: Collection, key: str, entity: Entity | None) -> tuple[Target, Path]:
    """The target and the file where an entity lives, or would."""
    name = key.partition("/")[2]
    target = collection.targets.get(target_of(key))
    if target is None:
        raise _RefusedError(f"{target_of(key)} is not on this machine")
    if target.name in collection.skipped_targets:
        raise _RefusedError(f"{target.name} can not be read: {collection.skipped_targets[target.name]}")
    if key in collection.unreadable:
        raise _RefusedError("what is there under this name can not be read, so it is not replaced")
    if entity is not None and entity.kind is not target.spec.kind:
        raise _RefusedError(f"{target.name} holds no {entity.kind.value}; whoever published it is to blame")
    if entity is not None and entity.kind in (Kind.MCP_SERVER, Kind.MODE) and not isinstance(entity.value, dict):
        raise _RefusedError(f"a {entity.kind.value} should be an object; whoever published it is to blame")
    if not name or not target.spec.owns(name):
        raise _RefusedError(f"{name!r} is not among what roosync manages in {target.name}")
    if not target.spec.tree:
        return target, target.file
    for file in collection.files:
        if key in file.keys:  # its name on the disk may be spelled in another way
            return target, file.path
    try:
        return target, target.folder.joinpath(*safe_relative(name).split("/"))
    except ValueError as error:
        raise _RefusedError(str(error)) from error


def _change(
    door: Door,
    collection: Collection,
    entities: list[tuple[str, Target]],
    path: Path,
    wanted: Wanted,
    placing: Placing,
    refusals: dict[str, str],
) -> FileChange | None:
    state = door.read(path)
    known = next((file for file in collection.files if file.path == path), None)
    _require_same(state, known)
    spec, name = entities[0][1].spec, path.name
    data = state.data or b""
    format_ = sniff(data, name) if spec.format == "sniff" else spec.format_of(name)
    document = parse(data, format_)
    done: list[str] = []
    removed = False
    for key, target in entities:
        spec = target.spec
        try:
            if spec.tree:
                removed = wanted[key] is None
                document = document if removed else with_text(document, local_value(collection, key, wanted[key]))
            else:
                document = with_entity(document, spec, collection, key, wanted[key], placing)
            done.append(key)
        except (EditRefused, MissingSecretError, ForeignSecretError, UnknownTokenError, ValueError) as error:
            refusals[key] = str(error)
    after = None if removed else document.data
    if not done or after == state.data or (not after and not state.exists and (removed or not spec.tree)):
        return None
    _require_ours(door, collection, entities[0][1], state, removed)
    return FileChange(
        path=path,
        label=collection.layout.name_of(path),
        before=state,
        after=after,
        mode=state.mode if state.exists else (0o600 if spec.private else 0o644),
        format=format_,
        keys=tuple(done),
        locks=spec.locks,
    )


def _require_same(state: FileState, known: CollectedFile | None) -> None:
    if known is None:
        if state.exists:
            raise _RefusedError("there is a file now where none was a moment ago; the next look takes it in")
    elif state.sha256 != known.sha256:
        raise _RefusedError("the file changed since it was read; the next look takes it in")


def _require_apart(change: FileChange | None, others: list[FileChange]) -> None:
    if change is not None and any(other.before.real_path == change.before.real_path for other in others):
        raise _RefusedError("two of the names to be written are links to one file; take them one by one")


def _require_ours(door: Door, collection: Collection, target: Target, state: FileState, removed: bool) -> None:
    """Links within the managed folders are followed; what is elsewhere, or has another name too, is a person's."""
    roots = {*collection.layout.folders.values(), target.folder}
    name = state.path.relative_to(target.folder).as_posix() if target.spec.tree else ""
    if fault := link_fault(door, target, state.path, name):
        raise _RefusedError(f"{fault}, and nothing is written there")
    if not any(state.real_path.is_relative_to(door.stat(root).real_path) for root in roots):
        raise _RefusedError("it is a link to a file outside the managed home, and nothing is written there")
    if removed and state.real_path != door.stat(state.path.parent).real_path / state.path.name:
        raise _RefusedError("it is a symbolic link; remove the link or its file by hand")
    if state.links > 1 and not removed:
        raise _RefusedError("it has a second name (a hard link), which writing would part; use a symbolic link instead")
