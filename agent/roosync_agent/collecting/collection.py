"""What a look at a machine gave, and what is remembered of it so that nothing is read or judged twice.

`Collection.entities` may leave the machine; `local` and `secrets` never do, and are never shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roosync_agent.collecting.places import Layout
from roosync_agent.targets.base import Target
from roosync_agent.targets.marks import NONE, Marks
from roosync_protocol.entity import Entities, Kind, Skipped, target_of
from roosync_protocol.names import Value
from roosync_protocol.package import FileContent
from roosync_protocol.placing import Placing, readable_ones
from roosync_protocol.portable import Places


@dataclass(frozen=True)
class CollectedFile:
    """One managed file as it was read."""

    target: str
    kind: Kind
    path: Path
    name: str  # within the target, with `/`
    format: str
    sha256: str  # of the bytes on this disk: never published
    size: int
    keys: tuple[str, ...]  # in the order of the file

    @property
    def names(self) -> tuple[str, ...]:
        """Of the entities, in the order of the file."""
        return tuple(key.split("/", 1)[1] for key in self.keys)

    @property
    def label(self) -> str:
        return f"{self.target}/{self.name}"


@dataclass(frozen=True)
class Parsed:
    """What one file's bytes hold, before and after hiding; kept while the file stays as it is."""

    file: CollectedFile
    entities: Entities
    local: Mapping[str, Value] = field(repr=False)  # as the file spells it: holds secrets
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)  # by entity
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)  # as the file has them
    skipped: tuple[Skipped, ...] = ()
    unreadable: frozenset[str] = frozenset()


def nothing_stored(address: str) -> str | None:
    return None


@dataclass(frozen=True)
class Collection:
    """One look at the machine. `entities` may leave it; `local` and `secrets` never do."""

    layout: Layout
    targets: Mapping[str, Target]  # those that are present, by name
    entities: Entities
    files: tuple[CollectedFile, ...]
    skipped: tuple[Skipped, ...]
    not_set_up: tuple[Skipped, ...]  # targets that have nothing to read until a person has done something
    skipped_targets: Mapping[str, str]  # targets that are here and could not be read at all
    unreadable: frozenset[str]  # keys that are here and could not be read: their absence says nothing
    local: Mapping[str, Value] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)  # above entities, as they are
    public_names: frozenset[str] = frozenset()  # those that were counted as no secret
    stored: Callable[[str], str | None] = field(default=nothing_stored, repr=False)  # address -> what the keyring has

    def marks(self, key: str) -> Marks:
        """What the target of an entity says of its fields."""
        target = self.targets.get(target_of(key))
        return target.spec.marks if target else NONE

    @property
    def present(self) -> frozenset[str]:
        return frozenset(self.targets)

    @property
    def readable(self) -> frozenset[str]:
        return frozenset(self.targets) - self.skipped_targets.keys()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each managed file, by `<target>/<name>`."""
        return {file.label: file.size for file in self.files}

    @property
    def placing(self) -> Placing:
        """Where the entities stand in their files, and the comments above them. These may hold secrets."""
        order = {file.target: file.names for file in self.files if not self.targets[file.target].spec.tree}
        return Placing(order=order, comments=dict(self.comments))

    def contents(self) -> list[FileContent]:
        """The published form of each file."""
        return [
            FileContent(
                target=file.target,
                path=file.name,
                format=file.format,
                kind=file.kind,
                entities={key.split("/", 1)[1]: self.entities[key].value for key in file.keys},
                order=file.names,
                comments=readable_ones(
                    {key.split("/", 1)[1]: self.comments[key] for key in file.keys if key in self.comments}
                ),
            )
            for file in self.files
        ]


Seen = tuple[object, frozenset[str], Places]  # how a file looked, and what decides its public form


class Cache:
    """Files that were read before, by where they are and what they looked like."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Path], tuple[Seen, Parsed]] = {}

    def get(self, target: str, path: Path, seen: Seen) -> Parsed | None:
        known = self._kept.get((target, path))
        return known[1] if known and known[0] == seen else None

    def earlier(self, target: str, path: Path, seen: Seen) -> Parsed | None:
        """What the file held at another time, hidden and spelled by the same rules: most of it is there still."""
        known = self._kept.get((target, path))
        return known[1] if known and known[0][1:] == seen[1:] else None

    def put(self, target: str, path: Path, seen: Seen, parsed: Parsed) -> None:
        self._kept[target, path] = (seen, parsed)
