"""Recipes: a version becomes a release beside what runs, out of data that may be hostile and a source that is."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from roosync_agent.settings import UpdateSettings
from roosync_agent.state import State, StateError
from roosync_agent.updating.journal import Release
from roosync_agent.updating.recipes import NO_RECIPE, RecipeError, Wanted, make, possible
from roosync_agent.updating.releases import SOURCE, Releases

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, and programs in sh")

TELL = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ), os.getcwd()], open('told', 'w'))"
BUILD = (("{python}", "-c", TELL, "{version}", "{tag}", "{release}/x", "{tag}{version}{none}"),)


class Source:
    """A repository that others write."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        (folder / "main.py").write_text("print('hello')\n")
        self.commit()

    def git(self, *words, check=True):
        own = {f"GIT_{who}_{what}": "t@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        ran = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words], cwd=self.folder, env=os.environ | own,
            capture_output=True, text=True, check=check,
        )  # fmt: skip
        return ran.stdout.strip()

    def commit(self, tag=""):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        if tag:
            self.git("tag", "-f", tag)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path / "source")


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "state")
    state.prepare()
    return state


@pytest.fixture
def settings(source):
    return UpdateSettings(
        recipe="git", source=str(source.folder), build=(), start=("{release}/run", "{version}"),
        environment={"WHERE": "{release}/lib"}, step_timeout=20, disk_reserve_mb=0,
    )  # fmt: skip


@pytest.fixture
def made(state, settings):
    def run(version="1.2.0", tag="", commit="", **changed):
        wanted = Wanted(version=version, tag=tag, commit=commit)
        return asyncio.run(make(state, replace(settings, **changed), wanted, os.environ))

    return run


def told(state, version="1.2.0"):
    return json.loads((state.folder / "releases" / version / "told").read_text())


def test_a_tag_is_laid_out_and_built_beside(state, source, made):
    commit = source.commit("v1.2.0")
    release = made(commit=commit, build=BUILD)
    folder = state.folder / "releases" / "1.2.0"
    assert release == Release(
        version="1.2.0", folder="1.2.0", start=(f"{folder}/run", "1.2.0"), environment={"WHERE": f"{folder}/lib"}
    )
    assert (folder / "main.py").read_text() == "print('hello')\n"
    assert not (folder / ".git").exists()
    words, environment, where = told(state)
    assert words == ["1.2.0", "v1.2.0", f"{folder}/x", "v1.2.01.2.0{none}"]
    assert environment["WHERE"] == f"{folder}/lib"
    assert where == str(folder)


def test_a_recipe_is_not_told_what_is_ours(state, source, made, monkeypatch):
    source.commit("v1.2.0")
    for name in ("ROOSYNC_PASSPHRASE_FILE", "_ROOSYNC_SUPERVISOR", "PYTHONPATH"):
        monkeypatch.setenv(name, "/secret")
    made(build=BUILD)
    environment = told(state)[1]
    assert "/secret" not in environment.values()
    assert environment["PATH"] == os.environ["PATH"]


HOSTILE = {
    "a version with a path": {"version": "../../etc"},
    "a version that goes up": {"version": "1.0/../.."},
    "a version that is an option": {"version": "--help"},
    "no version": {"version": ""},
    "a version with a line feed": {"version": "1.0\n"},
    "a tag that is an option": {"tag": "--upload-pack=touch x"},
    "a tag that goes up": {"tag": "../x"},
    "a tag with a range": {"tag": "a^{}"},
    "a tag with a place": {"tag": "a:refs/heads/main"},
    "a commit that is a name": {"commit": "HEAD"},
    "a commit that is an option": {"commit": "--all"},
}


@pytest.mark.parametrize("given", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_data_is_refused(given):
    with pytest.raises(RecipeError) as error:
        Wanted(**{"version": "1.2.0"} | given)
    assert error.value.refused


@pytest.mark.parametrize("tag", ["v9.9.9", "a..b", "a/../b", "a//b", "x.lock", "main", "HEAD"])
def test_a_tag_that_is_not_there_is_refused_by_name(state, source, made, tag):
    source.commit("v1.2.0")
    with pytest.raises(RecipeError, match=f"there is no tag {tag}") as error:
        made(tag=tag)
    assert error.value.refused
    assert not (state.folder / "releases" / "1.2.0").exists()


def test_a_tag_that_was_moved_is_refused(source, made):
    signed = source.commit("v1.2.0")
    made(commit=signed)
    source.commit("v1.2.0")
    with pytest.raises(RecipeError, match=f"the tag was moved: .*operator signed {signed}") as error:
        made(commit=signed)
    assert error.value.refused


def test_an_annotated_tag_names_its_commit(source, made):
    commit = source.commit()
    source.git("tag", "-a", "-m", "x", "v1.2.0")
    made(commit=commit)


def test_a_tag_of_no_commit_is_refused(source, made):
    source.commit()
    source.git("tag", "v1.2.0", "HEAD:main.py")
    with pytest.raises(RecipeError, match=r"the tag v1\.2\.0 names no commit") as error:
        made()
    assert error.value.refused


def test_nothing_of_the_repository_is_executed(tmp_path, state, source, made, monkeypatch):
    """Hooks of the source, filters that the person's own configuration has, submodules: none of them runs."""
    ran = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    evil.chmod(0o700)
    for hook in ("post-checkout", "pre-receive", "post-update", "reference-transaction", "post-index-change"):
        (source.folder / ".git/hooks").mkdir(exist_ok=True)
        (source.folder / ".git/hooks" / hook).symlink_to(evil)
    (source.folder / ".gitattributes").write_text("*.py filter=evil\n")
    (source.folder / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = ext::{evil}\n')
    home = tmp_path / "person"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[filter "evil"]\n\tsmudge = {evil}\n\tclean = cat\n[core]\n\thooksPath = {tmp_path}/hooks\n'
    )
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (tmp_path / "hooks" / hook).symlink_to(evil)
    source.commit("v1.2.0")
    ran.unlink(missing_ok=True)
    monkeypatch.setenv("HOME", str(home))
    made()
    assert (state.folder / "releases/1.2.0/main.py").read_text() == "print('hello')\n"
    assert not ran.exists()


def test_a_source_that_is_a_command_is_not_run(tmp_path, made):
    with pytest.raises(RecipeError, match="the source could not be fetched"):
        made(source=f"ext::sh -c touch% {tmp_path}/ran")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("leads", "refused"), [("../../..", True), ("/etc", True), ("main.py", False), ("link", False)]
)
def test_a_link_that_leads_out_is_refused_before_anything_is_built(state, source, made, leads, refused):
    (source.folder / "link").symlink_to(leads)
    source.commit("v1.2.0")
    if not refused:
        made(build=BUILD)
        return
    with pytest.raises(RecipeError, match="link is a link that leads out"):
        made(build=BUILD)
    assert not (state.folder / "releases/1.2.0").exists()


def deep(source, tag, depth):
    """A tag with a folder in a folder in a folder: so many that neither a path nor a stack reaches down."""
    path = "a/" * depth + "x"
    told = f"commit refs/heads/deep\ncommitter t <t@x> 0 +0000\ndata 0\nM 100644 inline {path}\ndata 1\nx\n"
    subprocess.run(["git", "fast-import", "--quiet"], input=told, cwd=source.folder, text=True, check=True)
    source.git("tag", tag, "deep")


def test_a_tree_however_deep_is_taken_or_refused_and_goes_again(state, source, made):
    deep(source, "v1.2.0", 1200)
    releases = Releases(state)
    try:
        made()
    except RecipeError:
        pass
    else:
        releases.clear(state.folder / "releases/1.2.0")
    assert [one.name for one in (state.folder / "releases").iterdir()] == [SOURCE]


def test_a_link_in_place_of_our_folder_is_not_followed(tmp_path, state, source, made):
    source.commit("v1.2.0")
    (tmp_path / "theirs").mkdir()
    (state.folder / "releases").symlink_to(tmp_path / "theirs")
    with pytest.raises(StateError, match="is a link"):
        made()
    assert not list((tmp_path / "theirs").iterdir())


@pytest.mark.parametrize("name", ["1.2.0", SOURCE])
def test_a_link_in_place_of_a_release_or_of_our_copy_goes(tmp_path, state, source, made, name):
    source.commit("v1.2.0")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "mine").write_text("")
    (state.folder / "releases").mkdir(mode=0o700)
    (state.folder / "releases" / name).symlink_to(tmp_path / "theirs")
    made()
    assert [one.name for one in (tmp_path / "theirs").iterdir()] == ["mine"]


DAMAGES = {
    "a lock that a crash left": lambda bare: (bare / "config.lock").write_text(""),
    "a lock of the tag": lambda bare: (
        (bare / "refs/roosync").mkdir(parents=True, exist_ok=True) or (bare / "refs/roosync/wanted.lock").write_text("")
    ),
    "no objects": lambda bare: subprocess.run(["rm", "-r", str(bare / "objects")], check=True),
    "half made": lambda bare: subprocess.run(["rm", str(bare / "HEAD")], check=True),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_our_copy_is_made_anew_when_it_is_damaged(state, source, made, damage):
    source.commit("v1.1.0")
    made("1.1.0")
    source.commit("v1.2.0")
    damage(state.folder / "releases" / SOURCE)
    assert made().version == "1.2.0"


@pytest.mark.parametrize("gone", ["/nothing/there", "https://127.0.0.1:9/x.git"])
def test_a_source_that_is_away_is_told(made, gone):
    with pytest.raises(RecipeError, match="the source could not be fetched") as error:
        made(source=gone)
    assert not error.value.refused


def test_a_source_that_sends_more_than_may_be_leaves_nothing(state, source, made):
    source.commit("v1.1.0")
    made("1.1.0", release_limit_mb=1)
    (source.folder / "big").write_bytes(os.urandom(3_000_000))
    source.commit("v1.2.0")
    with pytest.raises(RecipeError, match="fetched more than 1 MB"):
        made(release_limit_mb=1)
    assert [one.name for one in (state.folder / "releases").iterdir()] == ["1.1.0"]


def test_what_does_not_build_leaves_nothing(state, source, made):
    source.commit("v1.2.0")
    build = (("{python}", "-c", "import os; os.mkdir('d'); os.chmod('d', 0); print('no compiler'); exit(1)"),)
    with pytest.raises(RecipeError, match="exit code 1") as error:
        made(build=build)
    assert error.value.log == ("no compiler",)
    assert sorted(one.name for one in (state.folder / "releases").iterdir()) == [SOURCE]


async def test_a_recipe_that_is_given_up_leaves_nothing(state, source, settings):
    source.commit("v1.2.0")
    build = (("{python}", "-c", "import time; open('begun', 'w'); time.sleep(60)"),)
    task = asyncio.create_task(make(state, replace(settings, build=build), Wanted(version="1.2.0"), os.environ))
    while not (state.folder / "releases/1.2.0/begun").exists():
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (state.folder / "releases/1.2.0").exists()


def test_a_recipe_of_the_person_gets_data_only(state, made):
    release = made("v1.2.0", tag="x/y", recipe="custom", build=BUILD)
    assert release.folder == "v1.2.0"
    assert told(state, "v1.2.0")[0][:2] == ["1.2.0", "x/y"]


def test_uv_installs_into_a_folder_of_its_own(tmp_path, state, made, monkeypatch):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "uv").write_text(f"#!{sys.executable}\n{TELL}\n")
    (bin_ / "uv").chmod(0o700)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    release = made("v1.2.0", recipe="uv", package="roosync[keyring]", start=())
    words, environment, folder = told(state, "v1.2.0")
    assert words == ["--no-progress", "tool", "install", "roosync[keyring]==1.2.0"]
    assert environment["UV_TOOL_DIR"] == f"{folder}/tools"
    assert environment["UV_TOOL_BIN_DIR"] == f"{folder}/bin"
    assert release.start == (f"{folder}/tools/roosync/bin/python", "-P", "-m", "roosync_agent")


def test_without_a_recipe_it_is_refused(made):
    assert possible(UpdateSettings()) == NO_RECIPE
    with pytest.raises(RecipeError, match="no recipe is set up") as error:
        made(recipe="")
    assert error.value.refused


STARTS = {  # as written -> as it is started from anywhere; None: it can not be
    "python3": "/",
    "bin/run": "{release}/bin/run",
    "{release}/run": "{release}/run",
    "/usr/bin/run": "/usr/bin/run",
    "roosync-no-such-program": None,
}


@pytest.mark.parametrize(("start", "whole"), STARTS.items())
def test_what_begins_the_program_is_found_from_anywhere(state, source, made, start, whole):
    source.commit("v1.2.0")
    if whole is None:
        with pytest.raises(RecipeError, match="there is no roosync-no-such-program"):
            made(start=(start, "x"))
        return
    found = made(start=(start, "x")).start
    assert found[1:] == ("x",)
    assert found[0].startswith(whole.replace("{release}", str(state.folder / "releases/1.2.0")))


def test_a_release_that_was_made_before_is_made_anew(state, source, made):
    source.commit("v1.2.0")
    made()
    (state.folder / "releases/1.2.0/old").write_text("")
    made()
    assert not (state.folder / "releases/1.2.0/old").exists()


def test_old_releases_go_and_what_runs_stays(state, tmp_path):
    releases = Releases(state)
    releases.prepare()
    for name in ("1.0", "1.1", "1.2", SOURCE):
        (releases.folder / name).mkdir()
    (releases.folder / "link").symlink_to(tmp_path)
    running, before = Release(version="1.2", folder="1.2"), Release(version="1.1", folder="1.1")
    releases.set_current(running, before)
    assert releases.sweep(running, before, None) == ["1.0", "link"]
    assert sorted(path.name for path in releases.folder.iterdir()) == ["1.1", "1.2", "current.json", SOURCE]
    assert tmp_path.exists()


def test_only_folders_of_ours_are_cleared(state, tmp_path):
    releases = Releases(state)
    releases.prepare()
    for path in (tmp_path, releases.folder, releases.folder / "a" / "b", Path("/")):
        with pytest.raises(ValueError, match="is not in"):
            releases.clear(path)
