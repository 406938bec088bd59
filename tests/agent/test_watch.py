"""A saved file is noticed at once, wherever it is and however it was written; what is not ours wakes nobody."""

import asyncio
import contextlib
import os
import shutil
import time

import pytest

from roosync_agent.collecting.watch import watch, watched
from roosync_agent.targets import TABLE

SOON = 2  # seconds; the figure (well below half of one) is measured in benchmarks/
NEVER = 0.5  # seconds in which nothing may come


class Watching:
    """The iterator in a task, its news counted."""

    def __init__(self, home):
        self.home, self.news = home, asyncio.Queue()

    async def __aenter__(self):
        self.task = asyncio.create_task(self._run())
        await asyncio.sleep(0.3)  # the kernel is told what to watch
        return self

    async def __aexit__(self, *exc):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def _run(self):
        async with contextlib.aclosing(watch(self.home.door, self.home.layout, lambda: TABLE)) as changes:
            async for _ in changes:
                self.news.put_nowait(time.monotonic())

    async def sees(self, change):
        """The seconds until `change` was noticed."""
        while not self.news.empty():
            self.news.get_nowait()
        started = time.monotonic()
        change()
        return await asyncio.wait_for(self.news.get(), SOON * 3) - started

    async def silent(self, change):
        change()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.news.get(), NEVER)


def in_place(home):
    home.write(home.MCP, '{"mcpServers": {}}')


def by_rename(home):
    new = home.write(home.MCP + ".new", "{}")
    new.replace(home.base / home.MCP)


def removed(home):
    (home.base / home.MCP).unlink()


def in_a_tree(home):
    home.write(".roo/rules/deep/er/a.md", "changed")


def new_in_a_tree(home):
    home.write(".roo/rules/new.md", "new")


def touched_mode(home):
    home.write(home.MODES, "customModes: []")


CHANGES = {
    "written in place": in_place,
    "replaced by a rename": by_rename,
    "removed": removed,
    "deep in a tree": in_a_tree,
    "new in a tree": new_in_a_tree,
    "a file that was not there": touched_mode,
    "a new folder of rules": lambda home: home.write(".roo/rules-code/b.md", "b"),
    "a rule that goes": lambda home: (home.base / ".roo/rules/deep/er/a.md").unlink(),
    "an assistant that was not there": lambda home: home.write(
        home.MCP.replace("rooveterinaryinc.roo-cline", "zoocodeorganization.zoo-code"), "{}"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_is_noticed_at_once(home, change):
    home.write(home.MCP, "{}")
    home.write(".roo/rules/deep/er/a.md", "a")
    async with Watching(home) as watching:
        assert await watching.sees(lambda: change(home)) < SOON


async def test_one_burst_is_one_piece_of_news(home):
    home.write(home.MCP, "{}")
    async with Watching(home) as watching:
        for _ in range(20):
            home.write(home.MCP, "{}")
        await asyncio.sleep(1)
        assert 1 <= watching.news.qsize() <= 2


QUIET = {
    "another file beside it": lambda home: home.write("notes.txt", "x"),
    "the tool's lock": lambda home: (home.base / (home.MCP + ".lock")).mkdir(),
    "a temporary of ours": lambda home: home.write(".roo/rules/.a.md.roosync-ab12.tmp", "x"),
    "the assistant's own state": lambda home: home.write(".claude/projects/x/log.jsonl", "x"),
    "its history": lambda home: home.write(".claude/history.jsonl", "x"),
    "another folder": lambda home: home.write("src/x.py", "x"),
    "another file of the assistant's": lambda home: home.write(home.MCP.replace("mcp_settings", "other"), "x"),
    "an editor's swap file": lambda home: home.write(".roo/rules/.a.md.swp", "x"),
    "a backup": lambda home: home.write(".roo/rules/a.md~", "x"),
}


async def test_what_is_not_managed_wakes_nobody(home):
    home.write(home.MCP, "{}")
    home.write(".roo/rules/a.md", "a")
    home.write(".claude/projects/x/log.jsonl", "")
    async with Watching(home) as watching:
        for change in QUIET.values():
            change(home)
        await watching.silent(lambda: None)


async def test_an_assistant_that_is_installed_later_is_watched(new_home):
    home = new_home()
    async with Watching(home) as watching:
        await watching.sees(lambda: home.write(".roo/rules/a.md", "a"))
        await asyncio.sleep(1)  # the burst is over, and the new folders are watched
        assert await watching.sees(lambda: home.write(".roo/rules/a.md", "b")) < SOON


async def test_a_folder_that_is_made_anew_is_watched_again(home):
    home.write(".roo/rules/a.md", "a")
    async with Watching(home) as watching:
        await watching.sees(lambda: shutil.rmtree(home.base / ".roo"))
        await asyncio.sleep(1.5)  # a folder went while it was watched
        await watching.sees(lambda: home.write(".roo/rules/a.md", "b"))
        await asyncio.sleep(1)
        assert await watching.sees(lambda: home.write(".roo/rules/a.md", "c")) < SOON


async def test_the_file_behind_a_link_is_watched(home):
    home.write("dotfiles/mcp.json", "{}")
    (home.base / home.MCP).symlink_to(home.base / "dotfiles/mcp.json")
    async with Watching(home) as watching:
        assert await watching.sees(lambda: home.write("dotfiles/mcp.json", '{"mcpServers": {}}')) < SOON


async def test_the_file_behind_a_link_in_a_tree_is_watched(home):
    home.write("dotfiles/rule.md", "x")
    (home.base / ".roo/rules").mkdir(parents=True)
    (home.base / ".roo/rules/linked.md").symlink_to(home.base / "dotfiles/rule.md")
    async with Watching(home) as watching:
        assert await watching.sees(lambda: home.write("dotfiles/rule.md", "y")) < SOON
        await watching.silent(lambda: home.write("dotfiles/other.md", "y"))


async def test_a_tree_that_is_a_link_is_watched(home):
    (home.base / "dotfiles/rules-x").mkdir(parents=True)
    (home.base / ".roo").mkdir()
    (home.base / ".roo/rules-x").symlink_to(home.base / "dotfiles/rules-x")
    async with Watching(home) as watching:
        assert await watching.sees(lambda: home.write("dotfiles/rules-x/b.md", "b")) < SOON


async def test_what_is_written_right_after_its_folder_was_made_is_seen(home):
    """While the folders are worked out anew nobody watches: the news that follows covers it."""
    home.write(".roo/rules/a.md", "a")
    async with Watching(home) as watching:
        await watching.sees(lambda: (home.base / ".roo/rules-new").mkdir())
        assert await watching.sees(lambda: home.write(".roo/rules-new/a.md", "x")) < SOON


async def test_watching_ends_at_once_and_leaves_no_thread_busy(home):
    async with Watching(home):
        started = time.monotonic()
    assert time.monotonic() - started < 1


async def test_an_idle_watch_costs_next_to_nothing(home):
    home.write(home.MCP, "{}")
    async with Watching(home):
        before = os.times()
        await asyncio.sleep(1)
        after = os.times()
    assert (after.user - before.user) + (after.system - before.system) < 0.1


def test_only_the_folders_that_matter_are_watched(home):
    home.write(".roo/rules/a.md", "a")
    home.write(".roo/rules-code/b.md", "b")
    home.write(".roo/cache/c.md", "c")
    home.write(".claude/projects/d.jsonl", "d")
    found = watched(home.door, home.layout(), TABLE)
    assert {path.relative_to(home.base).as_posix() for path in found.deep} == {".roo/rules", ".roo/rules-code"}
    flat = {path.relative_to(home.base).as_posix() for path in found.flat}
    assert {".", ".roo", ".claude"} <= flat
    assert not any("projects" in path or "cache" in path for path in flat)
