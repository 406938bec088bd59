"""The targets that a person declares: `*.toml` in the folder `targets` beside the settings file.

They are read anew when one of the files changed, so a running agent takes up what a person writes. A file that is
wrong is a fault with its reason: it stops neither the agent nor the other targets. Nothing may be managed twice, so a
target can neither have the name of another one, nor own what that one owns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from roosync_agent.targets.base import Group, Target, TargetSpec
from roosync_agent.targets.parts import Part
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.targets.user_file import Elsewhere

MAX_FILES = 100
Where: TypeAlias = Callable[[TargetSpec], Sequence[Target]]  # where a declaration is on this machine


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A file that declares nothing, and why."""

    file: str  # "targets/aider.toml"
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Own:
    specs: tuple[TargetSpec, ...] = ()
    faults: tuple[Fault, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # name of a target, and the file that declares it
    elsewhere: tuple[str, ...] = ()  # targets that have no file on this system


NOTHING = Own()


class OwnTargets:
    """The declarations in one folder; nothing is there when the folder is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: object = None
        self._own = NOTHING

    def read(self, system: str, shipped: Sequence[TargetSpec], where: Where = lambda spec: ()) -> Own:
        """What the files say now, for one system (as `Layout.places.os`), beside the `shipped` targets.

        `where` finds a target on this machine; without it, whether two would manage one thing is not looked at.
        """
        try:
            files = sorted(path for path in self.folder.iterdir() if path.suffix == ".toml")
            seen = system, tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
        except FileNotFoundError:
            files, seen = [], (system, ())
        except OSError as error:
            return Own(faults=(Fault(file=self.folder.name, reason=f"can not be read: {error.strerror}"),))
        if seen != self._seen:
            self._own = self._read(files, system, shipped, where) if files else NOTHING
            self._seen = seen
        return self._own

    def _read(self, files: list[Path], system: str, shipped: Sequence[TargetSpec], where: Where) -> Own:
        from roosync_agent.targets.user_file import Elsewhere, OwnTargetError

        places: dict[str, Sequence[Target]] = {}

        def placed(spec: TargetSpec) -> Sequence[Target]:
            if spec.name not in places:
                places[spec.name] = where(spec)
            return places[spec.name]

        specs: list[TargetSpec] = []
        faults: list[Fault] = []
        named: list[tuple[str, str]] = []
        elsewhere: list[str] = []
        for path in files[:MAX_FILES]:
            shown = scrub(f"{self.folder.name}/{path.name}")
            try:
                found = _one(path, system, [*shipped, *specs], placed)
            except (OwnTargetError, OSError) as error:
                reason = f"can not be read: {error.strerror}" if isinstance(error, OSError) else str(error)
                faults.append(Fault(file=shown, reason=scrub(reason)))
                continue
            named.append((found.name, shown))
            if isinstance(found, Elsewhere):
                elsewhere.append(found.name)
            else:
                specs.append(found)
        if len(files) > MAX_FILES:
            faults.append(Fault(file=self.folder.name, reason=f"has {len(files)} targets; {MAX_FILES} are read"))
        return Own(specs=tuple(specs), faults=tuple(faults), files=tuple(named), elsewhere=tuple(elsewhere))


def _one(path: Path, system: str, others: Sequence[TargetSpec], where: Where) -> "TargetSpec | Elsewhere":
    from roosync_agent.targets.user_file import MAX_BYTES, OwnTargetError, spec_of

    if not path.is_file():
        raise OwnTargetError("is no file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OwnTargetError(f"has more than {MAX_BYTES} bytes")
    found = spec_of(data, system)
    if fault := _in_the_way(found, others, where) if isinstance(found, TargetSpec) else "":
        raise OwnTargetError(fault)
    return found


def _in_the_way(spec: TargetSpec, others: Sequence[TargetSpec], where: Where) -> str:
    """Why it can not stand beside the others; "" when it can."""
    if spec.name.split(".")[0] in {group.value for group in Group}:
        return f"name: {spec.name.split('.')[0]!r} is the name of a group; begin with that of the assistant"
    if any(other.name == spec.name for other in others):
        return f"name: {spec.name!r} is a target already"
    mine = where(spec)
    for other in others:
        for theirs in where(other):
            if what := next((what for own in mine if (what := _both_own(own, theirs))), ""):
                return f"{other.name} manages {what} already"
    return ""


def _both_own(a: Target, b: Target) -> str:
    """A thing that both would manage, in words; "" when there is none."""
    if a.spec.tree or b.spec.tree:
        pairs = ((one, other) for one, other in ((a, b), (b, a)) if other.spec.tree)
        return next((path.name for one, other in pairs for path in _files(one) if _tree_has(other, path)), "")
    if a.file != b.file:
        return ""
    found = (what for x in a.spec.parts for y in b.spec.parts if (what := _overlap(x, y)))
    return next((f"{what} of this file" for what in found), "")


def _files(target: Target) -> Iterator[Path]:
    """Files of it, as far as names tell: the one, or one for each pattern of a tree."""
    if not target.spec.tree:
        yield target.file
    for pattern in target.spec.tree:
        yield target.folder / pattern.replace("**", "x.md").replace("*", "")


def _tree_has(target: Target, path: Path) -> bool:
    return path.is_relative_to(target.folder) and target.spec.owns(path.relative_to(target.folder).as_posix())


def _overlap(a: Part, b: Part) -> str:
    outer, inner = (a, b) if len(a.container) <= len(b.container) else (b, a)
    depth = len(outer.container)
    if inner.container[:depth] != outer.container:
        return ""
    if len(inner.container) > depth:
        step = inner.container[depth]
        return repr(step) if outer.allows(step) else ""
    if a.keys is None or b.keys is None:
        return "everything" if a.keys == b.keys else repr(min(a.keys or b.keys or {"everything"}))
    both = (x for x in sorted(a.keys) for y in b.keys if fnmatchcase(x, y) or fnmatchcase(y, x))
    return next(map(repr, both), "")
