"""The door of a dry run: reads come from the disk, writes stay in memory and are read back from there.

It is held to the same tests as the real one, so that what a dry run says is what a run would do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from roosync_agent.files.door import LIMIT, Door
from roosync_agent.files.file_state import FileState, Tree


@dataclass
class DryDoor:
    """Reads through to another door; what is written stays here, and is read back from here."""

    under: Door
    files: dict[Path, bytes | None] = field(default_factory=dict, repr=False)  # by real path; None = removed
    folders: set[Path] = field(default_factory=set)

    def stat(self, path: Path) -> FileState:
        state = self.under.stat(path)
        if path in self.folders:
            return replace(state, kind="folder")
        if state.real_path not in self.files:
            return state
        return replace(self._kept(state), data=None)

    def read(self, path: Path, limit: int = LIMIT) -> FileState:
        state = self.under.stat(path)
        return self._kept(state) if state.real_path in self.files else self.under.read(path, limit)

    def _kept(self, state: FileState) -> FileState:
        data = self.files[state.real_path]
        if data is None:
            return FileState(state.path, state.real_path, "missing")
        mode = state.mode or 0o600
        return FileState(state.path, state.real_path, "file", data, len(data), mode, ctime_ns=hash(data))

    def names(self, folder: Path) -> list[str]:
        found = set(self.under.names(folder))
        here = (folder, self.under.stat(folder).real_path)
        for path, data in self.files.items():
            if path.parent in here:
                (found.discard if data is None else found.add)(path.name)
        return sorted(found | {path.name for path in self.folders if path.parent == folder})

    def tree(self, folder: Path) -> Tree:
        below = self.under.tree(folder)
        found, real = set(below.names), self.under.stat(folder).real_path
        for path, data in self.files.items():
            if path.is_relative_to(real):
                (found.discard if data is None else found.add)(path.relative_to(real).as_posix())
        return Tree(tuple(sorted(found)), below.faults)

    def prepare(self, temporary: Path, data: bytes, *, mode: int, like: FileState | None = None) -> None:
        self.files[temporary] = data

    def replace(self, temporary: Path, target: Path) -> None:
        self.files[target] = self.files.pop(temporary)

    def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        self.files[self.under.stat(path).real_path] = data

    def remove(self, path: Path) -> None:
        self.files[self.under.stat(path).real_path] = None

    def make_folder(self, path: Path, *, mode: int = 0o755) -> bool:
        if path in self.folders or self.under.stat(path).exists:
            return False
        self.folders.add(path)
        return True

    def remove_folder(self, path: Path) -> bool:
        known = path in self.folders
        self.folders.discard(path)
        return known

    def sync_folder(self, path: Path) -> None:
        pass

    @contextmanager
    def lock(self, path: Path) -> Iterator[None]:
        yield
