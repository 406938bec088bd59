"""Waking when a managed file may have changed: the system tells, nobody polls.

Folders are watched, because editors replace files; for a file that does not exist yet it is the nearest folder
above that does, until it appears. What woke us is only a hint: the agent looks at everything afterwards, and
once a minute anyway.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from roosync_agent.file_state import FileRefusedError
from roosync_agent.files import MARK, Door
from roosync_agent.places import Layout
from roosync_agent.targets.base import Target, TargetSpec, locate, tops

DEBOUNCE = 150  # milliseconds: a burst of writes is one wake-up
STEP = 40  # milliseconds the kernel's queue is left to fill within a burst
REARM = 30.0  # seconds after which the watched folders are worked out anew, if nothing else did

Watched = tuple[frozenset[Path], frozenset[Path], frozenset[Path]]


async def watch(
    door: Door, layout: Callable[[], Layout], specs: Callable[[], Sequence[TargetSpec]]
) -> AsyncIterator[None]:
    """Yields once for each burst of changes that may concern a managed file. Never ends by itself."""
    queue: asyncio.Queue[None] = asyncio.Queue(1)
    while True:
        watched = await asyncio.to_thread(_watched, door, layout(), specs())
        tasks = [
            asyncio.create_task(_follow(paths, recursive, watched, queue))
            for paths, recursive in ((watched[0], False), (watched[1], True))
            if paths
        ]
        try:
            while True:
                changed = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REARM):
                        await queue.get()
                        changed = True
                if changed:
                    yield
                if await asyncio.to_thread(_watched, door, layout(), specs()) != watched:
                    break
                if any(task.done() for task in tasks):
                    await asyncio.sleep(1.0)  # a folder went away while it was watched
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(paths: frozenset[Path], recursive: bool, watched: Watched, queue: asyncio.Queue[None]) -> None:
    from watchfiles import Change, awatch

    def concerns(change: Change, path: str) -> bool:
        return _concerns(Path(path), watched)

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


def _watched(door: Door, layout: Layout, specs: Sequence[TargetSpec]) -> Watched:
    """Folders watched flat, folders watched with all below them, and the paths that matter."""
    flat: set[Path] = set()
    deep: set[Path] = set()
    wanted: set[Path] = set()
    for spec in specs:
        if spec.not_yet:
            continue
        for target in locate(spec, layout, door):
            wanted |= _wanted(target)
            if not spec.tree:
                flat |= _folders_of(door, target.file)
                continue
            flat.add(_nearest(door, target.folder))
            tops_here = _tops(door, target)
            deep |= tops_here
    return frozenset(flat), frozenset(deep), frozenset(wanted)


def _folders_of(door: Door, file: Path) -> set[Path]:
    """The folder of a file, and of what it really is when it is a symbolic link."""
    found = {_nearest(door, file.parent)}
    with contextlib.suppress(FileRefusedError):
        state = door.stat(file)
        if state.exists:
            found.add(state.real_path.parent)
    return found


def _wanted(target: Target) -> set[Path]:
    return {target.folder} if target.spec.tree else {target.file}


def _tops(door: Door, target: Target) -> set[Path]:
    patterns = [tops(pattern) for pattern in target.spec.tree if pattern.endswith("/**")]
    try:
        names = door.names(target.folder)
    except FileRefusedError:
        return set()
    return {
        target.folder / name
        for name in names
        if any(target.spec.owns(f"{name}/x") for _ in patterns) and (target.folder / name).is_dir()
    }


def _nearest(door: Door, folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    for candidate in (folder, *folder.parents):
        with contextlib.suppress(FileRefusedError):
            if door.stat(candidate).kind == "folder":
                return candidate
    return Path(folder.anchor)


def _concerns(path: Path, watched: Watched) -> bool:
    """Is it a managed file, something in a managed tree, or a folder on the way to one?"""
    if MARK in path.name or path.name.endswith(".lock"):
        return False
    flat, deep, wanted = watched
    if any(path.is_relative_to(folder) for folder in deep):
        return True
    if any(path == one or one.is_relative_to(path) or path.parent == one for one in wanted):
        return True
    return any(path.name == one.name and path.parent in flat for one in wanted)  # a link's real file
