"""Waking when a managed file may have changed: the system tells, nobody polls.

Folders are watched, because editors replace files; for a file that does not exist yet it is the nearest folder
above that does, until it appears. What woke us is only a hint: the agent looks at everything afterwards, and
once a minute anyway.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import MARK, Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.targets.base import Existing, Target, TargetSpec, locate
from roosync_broker.tasks import end

log = logging.getLogger("roosync.watch")

DEBOUNCE = 150  # milliseconds: a burst of writes is one wake-up
STEP = 100  # milliseconds between two looks at the kernel's queue; each costs a little, also when nothing happens
REARM = 30.0  # seconds after which the watched folders are worked out anew, if nothing else did
PAUSE = 1.0  # seconds after a folder went away while it was watched


@dataclass(frozen=True)
class Watched:
    """What is watched, and which of its news matter."""

    flat: frozenset[Path]  # folders, without what is below them
    deep: frozenset[Path]  # folders with all below them
    files: frozenset[Path]  # managed files, and the real files of those that are links
    trees: tuple[tuple[Path, TargetSpec], ...]

    def concerns(self, path: Path) -> bool:
        """Is it a managed file, or a folder on the way to one?"""
        if MARK in path.name or path.name.endswith(".lock"):
            return False
        if path in self.files or any(one.is_relative_to(path) for one in self.files):
            return True
        return any(self._in_tree(path, folder, spec) for folder, spec in self.trees)

    def _in_tree(self, path: Path, folder: Path, spec: TargetSpec) -> bool:
        if not path.is_relative_to(folder):
            return folder.is_relative_to(path)
        name = path.relative_to(folder).as_posix()
        return name == "." or spec.owns(name) or ("/" not in name and spec.owns(f"{name}/x"))


async def watch(
    door: Door, layout: Callable[[], Layout], specs: Callable[[], Sequence[TargetSpec]]
) -> AsyncIterator[None]:
    """Yields once for each burst of changes that may concern a managed file. Never ends by itself."""

    async def look() -> Watched:
        return await asyncio.to_thread(watched, door, layout(), specs())

    queue: asyncio.Queue[None] = asyncio.Queue(1)
    known, armed = await look(), False
    while True:
        tasks = [
            asyncio.create_task(_follow(paths, recursive, known, queue))
            for paths, recursive in ((known.flat, False), (known.deep, True))
            if paths
        ]
        try:
            await asyncio.sleep(0)  # now they watch
            if armed:
                yield  # something may have changed while nobody did
            armed = True
            while (fresh := await look()) == known and not any(task.done() for task in tasks):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REARM):
                        await queue.get()
                        yield
            if fresh == known:
                await asyncio.sleep(_pause(tasks))
                fresh = await look()
            known = fresh
        finally:
            await end(tasks)


def _pause(tasks: "list[asyncio.Task[None]]") -> float:
    """A folder that went is a moment's matter. When the system can watch no more, the clock has to do."""
    for task in tasks:
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None and not isinstance(error, FileNotFoundError):
            log.warning("files are not watched at this moment (%s); they are looked at once a minute", error)
            return REARM
    return PAUSE


async def _follow(paths: frozenset[Path], recursive: bool, known: Watched, queue: "asyncio.Queue[None]") -> None:
    from watchfiles import Change, awatch

    def concerns(change: Change, path: str) -> bool:
        return known.concerns(Path(path))

    async for _ in awatch(
        *paths,
        watch_filter=concerns,
        recursive=recursive,
        debounce=DEBOUNCE,
        step=STEP,
        force_polling=False,
        ignore_permission_denied=True,
    ):
        with contextlib.suppress(asyncio.QueueFull):
            queue.put_nowait(None)


def watched(door: Door, layout: Layout, specs: Sequence[TargetSpec]) -> Watched:
    """Where the managed files are, or will be."""
    flat: set[Path] = set()
    deep: set[Path] = set()
    files: set[Path] = set()
    trees: list[tuple[Path, TargetSpec]] = []
    known: Existing = {}
    for target in (target for spec in specs for target in locate(spec, layout, door, known)):
        if target.spec.tree:
            flat.add(_nearest(door, target.folder))
            trees.append((target.folder, target.spec))
            below, links = _tree(door, target)
            deep |= below
        else:
            flat.add(_nearest(door, target.file.parent))
            files |= {target.file, *(target.folder / name for name in target.spec.other_names)}
            links = _links(door, target.file)
        files |= links
        flat |= {_nearest(door, link.parent) for link in links}
    return Watched(frozenset(flat), frozenset(deep), frozenset(files), tuple(trees))


def _tree(door: Door, target: Target) -> tuple[set[Path], set[Path]]:
    """The folders of a tree that are watched with all below, and the real files of links in it."""
    deep: set[Path] = set()
    links: set[Path] = set()
    with contextlib.suppress(FileRefusedError):
        for name in door.names(target.folder):
            path = target.folder / name
            if target.spec.owns(name):
                links |= _links(door, path)
            if target.spec.owns(f"{name}/x") and door.stat(path).kind == "folder":
                deep.add(path)
                for below in door.tree(path).names:
                    links |= _links(door, path / below)
    return deep, links


def _links(door: Door, path: Path) -> set[Path]:
    """The real file when the path is not its own: the news come from where it is."""
    with contextlib.suppress(FileRefusedError):
        real = door.stat(path).real_path
        return set() if real == path else {real}
    return set()


def _nearest(door: Door, folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    for candidate in (folder, *folder.parents):
        with contextlib.suppress(FileRefusedError):
            if door.stat(candidate).kind == "folder":
                return candidate
    return Path(folder.anchor)
