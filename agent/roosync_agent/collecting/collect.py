"""From this machine's files to entities in public form: what may be published, compared, decided.

Each file is read through the door, parsed, taken apart into entities; then secrets are hidden and paths made
portable, and a second gate looks for anything secret that is left. One bad file, or one bad entity, is a
`Skipped` with its reason and stops nothing else. A file that did not change is not read again.
"""

import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from roosync_agent.collecting.collection import Cache, CollectedFile, Collection, Parsed, Seen, nothing_stored
from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError, FileState
from roosync_agent.files.own_links import link_fault
from roosync_agent.files.safe_names import safe_relative
from roosync_agent.targets import marks
from roosync_agent.targets.base import Existing, Target, TargetSpec, is_junk, locate
from roosync_agent.targets.parts import Found, Part, PartError, entities_in
from roosync_protocol.digest import NotCanonicalError, canonical, same
from roosync_protocol.documents import Document, DocumentError, comments_within, parse, sniff
from roosync_protocol.entity import Entities, Entity, Kind, Skipped
from roosync_protocol.names import Value
from roosync_protocol.package import MAX_CONTENT
from roosync_protocol.secrets import find_secrets, scrub

KEY_LIMIT = 600  # characters
SETTLED = 50_000_000  # nanoseconds; a file written twice within one tick of its file system's clock looks the same


def collect(
    door: Door,
    layout: Layout,
    specs: Sequence[TargetSpec],
    *,
    public_names: frozenset[str] = frozenset(),
    cache: Cache | None = None,
    stored: Callable[[str], str | None] = nothing_stored,
) -> Collection:
    """One look at all files of `specs` below the layout's home. Never raises for what a file holds.

    `stored` gives the secret that a person keeps elsewhere on this machine for an address.
    """
    look = _Look(door, layout, public_names, cache or Cache())
    known: Existing = {}
    for spec in specs:
        for target in locate(spec, layout, door, known):
            if target.present:
                look.target(target)
            elif target.fault:
                look.not_set_up(target)
    return replace(look.result(), stored=stored)


class _Look:
    def __init__(self, door: Door, layout: Layout, public_names: frozenset[str], cache: Cache) -> None:
        self._door, self._layout, self._cache = door, layout, cache
        self._public_names = public_names
        self._targets: dict[str, Target] = {}
        self._parsed: list[Parsed] = []
        self._skipped: list[Skipped] = []
        self._not_set_up: list[Skipped] = []
        self._skipped_targets: dict[str, str] = {}
        self._unreadable: set[str] = set()

    def skip(self, target: Target, path: str, reason: str) -> None:
        self._skipped.append(Skipped(path=_shown(path), reason=_shown(reason), target=target.name))

    def not_set_up(self, target: Target) -> None:
        """Its assistant is here, and there is nothing to read until a person has done something."""
        self._not_set_up.append(Skipped(path=target.name, reason=target.fault, target=target.name))

    def target(self, target: Target) -> None:
        self._targets[target.name] = target
        if target.fault:
            self._skipped_targets[target.name] = target.fault
            self.skip(target, target.name, target.fault)
        elif target.spec.tree:
            self._tree(target)
        else:
            try:
                self._file(target, target.file, target.spec.file)
            except _UnreadableError as error:
                self._skipped_targets[target.name] = str(error)
                self.skip(target, self._layout.name_of(target.file), str(error))

    def result(self) -> Collection:
        entities: Entities = {}
        local: dict[str, Value] = {}
        secrets: dict[str, str] = {}
        comments: dict[str, tuple[str, ...]] = {}
        for parsed in self._parsed:
            entities |= parsed.entities
            local |= parsed.local
            comments |= parsed.comments
            for own in parsed.secrets.values():
                secrets |= own
            self._skipped += parsed.skipped
            self._unreadable |= parsed.unreadable
        return Collection(
            layout=self._layout,
            targets=self._targets,
            entities=entities,
            files=tuple(parsed.file for parsed in self._parsed),
            skipped=tuple(self._skipped),
            not_set_up=tuple(self._not_set_up),
            skipped_targets=self._skipped_targets,
            unreadable=frozenset(self._unreadable),
            local=local,
            secrets=secrets,
            comments=comments,
            public_names=self._public_names,
        )

    def _tree(self, target: Target) -> None:
        """Names are compared in NFC and without case, as the strictest system of the fleet does."""
        seen: dict[str, str] = {}
        for name in self._names(target):
            path = target.folder.joinpath(*name.split("/"))
            plain = unicodedata.normalize("NFC", name)
            twin = seen.setdefault(plain.casefold(), name)
            if twin != name:
                if plain != unicodedata.normalize("NFC", twin):
                    self._unreadable.add(f"{target.name}/{plain}")
                self.skip(
                    target, self._layout.name_of(path), f"{twin!r} is the same name on some systems; rename one of them"
                )
                continue
            try:
                self._require_own(target, path, name)
                self._file(target, path, safe_relative(name))
            except (_UnreadableError, ValueError) as error:
                self._unreadable.add(f"{target.name}/{plain}")
                self.skip(target, self._layout.name_of(path), str(error))

    def _require_own(self, target: Target, path: Path, name: str) -> None:
        _require_public_name(name)  # it would be published as the file's path, whatever is in the file
        try:
            fault = link_fault(self._door, target, path, name)
        except FileRefusedError as error:
            raise _UnreadableError(error.reason) from error
        if fault:
            raise _UnreadableError(fault)

    def _names(self, target: Target) -> Iterator[str]:
        """The files of a tree that its patterns name; folders are listed once each."""
        spec = target.spec
        direct = [pattern for pattern in spec.tree if not pattern.endswith("/**")]
        try:
            here = self._door.names(target.folder)
        except FileRefusedError as error:
            self._unlisted(target, target.folder, error.reason)
            return
        yield from (name for name in here if name in direct)
        for top in here:
            if not spec.owns(f"{top}/x"):
                continue
            found = self._door.tree(target.folder / top)
            for name, reason in found.faults:
                self._unlisted(target, target.folder / top / name, reason)
            yield from (f"{top}/{name}" for name in found.names if spec.owns(f"{top}/{name}") and not is_junk(name))

    def _unlisted(self, target: Target, folder: Path, reason: str) -> None:
        """What is in there is not known, and must not be taken for gone."""
        self._skipped_targets[target.name] = _shown(f"{self._layout.name_of(folder)}: {reason}")
        self.skip(target, self._layout.name_of(folder), reason)

    def _file(self, target: Target, path: Path, name: str) -> None:
        now = time.time_ns()
        try:
            state = self._door.stat(path)
            if not state.exists:
                if state.dangling:
                    raise _UnreadableError("it is a symbolic link to nothing")
                return
            seen: Seen = (state.fingerprint, self._public_names, self._layout.places)
            parsed = self._cache.get(target.name, path, seen)
            if parsed is None:
                state = self._door.read(path)
                if not state.exists:
                    return  # it went between the look and the opening
                parsed = self._parse(target, state, path, name, self._cache.earlier(target.name, path, seen))
                if now - state.ctime_ns > SETTLED:
                    self._cache.put(target.name, path, seen, parsed)
        except FileRefusedError as error:
            raise _UnreadableError(error.reason) from error
        self._parsed.append(parsed)

    def _parse(self, target: Target, state: FileState, path: Path, name: str, earlier: Parsed | None) -> Parsed:
        data = state.data or b""
        spec = target.spec
        try:
            format_ = sniff(data, name) if spec.format == "sniff" else spec.format_of(name)
            document = parse(data, format_)
        except DocumentError as error:
            raise _UnreadableError(str(error)) from error
        found = self._found(spec, name, document)
        entities: Entities = {}
        local: dict[str, Value] = {}
        secrets: dict[str, Mapping[str, str]] = {}
        skipped: list[Skipped] = []
        unreadable: set[str] = set()
        size = 0
        for entity_name, raw, _, _ in found:
            key = f"{target.name}/{entity_name}"
            try:
                entity_value = spec.form.common(entity_name, raw, document.value) if spec.form else raw
                if earlier is not None and key in earlier.entities and same(earlier.local[key], entity_value):
                    public, own = earlier.entities[key], earlier.secrets[key]
                else:
                    public, own = self._public(spec, Entity(key=key, kind=spec.kind, value=entity_value))
            except (_UnreadableError, ValueError) as error:
                where = f"{self._layout.name_of(path)} ({_shown(entity_name)[:80]})"
                skipped.append(Skipped(path=_shown(where), reason=_shown(str(error)), target=target.name))
                unreadable.add(key)
                continue
            size += len(canonical(public.value))
            entities[key], local[key] = public, entity_value
            secrets[key] = own
        if size > MAX_CONTENT // 2:
            raise _UnreadableError(f"what is to be published of it has {size} bytes; {MAX_CONTENT // 2} are possible")
        file = CollectedFile(
            target.name, spec.kind, path, name, format_, state.sha256 or "", state.size, tuple(entities)
        )
        comments = {} if spec.tree else _comments(document, target.name, found)
        return Parsed(file, entities, local, secrets, comments, tuple(skipped), frozenset(unreadable))

    def _found(self, spec: TargetSpec, name: str, document: Document) -> list[Found]:
        if spec.tree:
            return [Found(name, document.value, Part(), "")]
        try:
            return entities_in(spec, document.value)
        except PartError as error:
            raise _UnreadableError(str(error)) from error

    def _public(self, spec: TargetSpec, entity: Entity) -> tuple[Entity, Mapping[str, str]]:
        if not entity.name or len(entity.key) > KEY_LIMIT:
            raise _UnreadableError(f"its name has {len(entity.name)} characters; 1 to {KEY_LIMIT} are managed")
        _require_public_name(entity.name)
        if entity.kind in (Kind.MCP_SERVER, Kind.MODE) and not isinstance(entity.value, dict):
            raise _UnreadableError("it should be an object")
        if entity.kind is Kind.TEXT and not isinstance(entity.value, str):
            raise _UnreadableError("it should be a text")
        hidden, secrets = marks.hidden(spec.marks, entity, self._public_names)
        if entity.kind is Kind.TEXT and secrets:
            raise _UnreadableError("something in it looks secret; a text travels whole or not at all, so it stays here")
        public = marks.portable(spec.marks, hidden, self._layout.places)
        try:
            canonical([public.key, public.value])
        except NotCanonicalError as error:
            raise _UnreadableError(str(error)) from error
        if left := find_secrets(public.value, self._public_names):
            raise _UnreadableError(f"something in it still looks secret ({', '.join(left[:3])}), so it stays here")
        return public, secrets


class _UnreadableError(Exception):
    """Why a file, or an entity in it, is left out."""


def _require_public_name(name: str) -> None:
    if find_secrets([name]):
        raise _UnreadableError("something in its name looks secret, so it stays here; give it another name")


def _shown(text: str) -> str:
    """Names and reasons may come from anywhere, and are published: no secret, no half of a character."""
    return scrub(text.encode("utf-8", "backslashreplace").decode())


def _comments(document: Document, target: str, found: list[Found]) -> dict[str, tuple[str, ...]]:
    """The comment lines right above each entity, by key; of those that have any."""
    result: dict[str, tuple[str, ...]] = {}
    for part in dict.fromkeys(one.part for one in found):
        above = comments_within(document, part.container)
        result |= {f"{target}/{one.name}": above[one.step] for one in found if one.part == part and one.step in above}
    return result
