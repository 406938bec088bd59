"""The folder of exports: whole files, written only when they changed, never outside the folder, only ours removed."""

import json
import os

import pytest

from roosync_agent.exports import INDEX, File, Folder, json_bytes

BASE = (
    File(name="sync-dashboard.json", data=json_bytes({"version": "2.0.0", "lastUpdate": "one"}), ignoring="lastUpdate"),
    File(name="sync-roadmap.md", data="# é\n".encode()),
    File(name="reports/status.md", data=b"## Status - one\n\nx\n", ignoring="heading"),
    File(name="configs/incoming/beta/manifest.json", data=b"{}"),
    File(name="configs/incoming/beta/roo.mcp/mcp.json", data=b"[1]"),
)
NAMES = tuple(file.name for file in BASE)
MIRROR = ("configs/incoming/",)


def export(folder, files=BASE, **more):
    return Folder(folder).write(files, **more)


def changed(name, data):
    return tuple(File(name=f.name, data=data if f.name == name else f.data, ignoring=f.ignoring) for f in BASE)


def below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_files_appear_whole(tmp_path):
    folder = tmp_path / "a" / "shared"
    done = export(folder)
    assert (done.written, done.skipped) == (NAMES, ())
    assert (folder / "sync-roadmap.md").read_text("utf-8") == "# é\n"
    assert below(folder) == sorted([*NAMES, INDEX])


@pytest.mark.parametrize(
    ("name", "data", "written"),
    [
        ("sync-dashboard.json", json_bytes({"version": "2.0.0", "lastUpdate": "two"}), ()),
        ("sync-dashboard.json", json_bytes({"version": "2.0.1", "lastUpdate": "two"}), ("sync-dashboard.json",)),
        ("reports/status.md", b"## Status - two\n\nx\n", ()),
        ("reports/status.md", b"## Status - two\n\ny\n", ("reports/status.md",)),
        ("sync-roadmap.md", b"# e\n", ("sync-roadmap.md",)),
        ("sync-roadmap.md", None, ()),
    ],
)
def test_only_what_changed_is_written_again(tmp_path, name, data, written):
    export(tmp_path)
    before = {name: (tmp_path / name).stat().st_ino for name in (*NAMES, INDEX)}
    done = export(tmp_path, changed(name, data))
    assert done.written == written
    now = {name: (tmp_path / name).stat().st_ino for name in (*NAMES, INDEX)}
    assert {name for name in now if now[name] != before[name]} == ({*written, INDEX} if written else set())


@pytest.mark.parametrize("found", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_whatever_stood_there_is_replaced(tmp_path, found):
    (tmp_path / "sync-dashboard.json").write_bytes(found)
    assert export(tmp_path, BASE[:1]).written == ("sync-dashboard.json",)


HOSTILE = ["..", "../../etc", "a//b", "con", "nul.txt", "c:", "a\\b", "", "x" * 300, "a\n", ".", "a\u202e", "/etc/x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_never_leaves_the_folder_and_the_others_are_written(tmp_path, name):
    folder = tmp_path / "inner" / "shared"
    hostile = File(name=f"configs/incoming/{name}/manifest.json" if name != "/etc/x" else name, data=b"x")
    done = export(folder, (hostile, *BASE))
    assert [one.path for one in done.skipped] == [hostile.name]
    assert all(one.reason for one in done.skipped)
    assert done.written == NAMES
    assert below(tmp_path) == sorted(f"inner/shared/{n}" for n in (*NAMES, INDEX))


@pytest.mark.parametrize("link", ["configs", "configs/incoming/beta", "configs/incoming/beta/manifest.json"])
def test_a_link_never_leads_out_of_the_folder(tmp_path, link):
    folder, outside = tmp_path / "shared", tmp_path / "outside"
    outside.mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(outside / "manifest.json" if link.endswith("json") else outside)
    done = export(folder)
    assert "configs/incoming/beta/manifest.json" in {one.path for one in done.skipped}
    assert below(outside) == []


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "drive").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "drive")
    assert export(tmp_path / "shared").written == NAMES


def test_what_is_gone_from_the_bus_goes_from_a_mirror_and_nothing_else_does(tmp_path):
    export(tmp_path)
    (tmp_path / "configs/incoming/notes.txt").write_text("a person's")
    done = export(tmp_path, BASE[:1], mirrors=MIRROR)
    assert done.removed == NAMES[3:]
    assert below(tmp_path) == sorted([*NAMES[:3], INDEX, "configs/incoming/notes.txt"])
    assert not (tmp_path / "configs/incoming/beta").exists()
    assert export(tmp_path, BASE[:1], mirrors=MIRROR).removed == ()


def test_what_could_not_be_read_this_time_stays(tmp_path):
    export(tmp_path)
    assert export(tmp_path, BASE[:1], mirrors=MIRROR, spared=("configs/incoming/beta/",)).removed == ()
    assert (tmp_path / NAMES[4]).exists()


def test_what_somebody_changed_is_not_removed(tmp_path):
    export(tmp_path)
    (tmp_path / NAMES[4]).write_text("mine now")
    done = export(tmp_path, BASE[:1], mirrors=MIRROR)
    assert done.removed == NAMES[3:4]
    assert [one.path for one in done.skipped] == [NAMES[4]]
    assert "somebody changed it" in done.skipped[0].reason
    assert (tmp_path / NAMES[4]).read_text() == "mine now"


@pytest.mark.parametrize(
    "index",
    [
        b"", b"{", b"[" * 100_000, b"\xff", b"{}", b'{"format": "other", "files": {}}',
        json_bytes({"format": "roosync.export.v1", "files": {"../precious.txt": "0" * 64}}),
        json_bytes({"format": "roosync.export.v1", "files": {"configs/incoming/../../../precious.txt": "0" * 64}}),
        json_bytes({"format": "roosync.export.v1", "files": {"configs/incoming/x": 3}}),
    ],
)  # fmt: skip
def test_an_index_that_somebody_made_removes_nothing(tmp_path, index):
    (tmp_path / "precious.txt").write_text("x")
    folder = tmp_path / "shared"
    export(folder)
    (folder / INDEX).write_bytes(index)
    export(folder, BASE[:1], mirrors=("",))
    assert (tmp_path / "precious.txt").exists()
    assert (folder / NAMES[4]).exists()


def test_has_tells_by_hash_and_size_without_reading(tmp_path):
    export(tmp_path)
    index = json.loads((tmp_path / INDEX).read_text())["files"]
    folder, name = Folder(tmp_path), NAMES[4]
    assert folder.has(name)
    assert folder.has(name, index[name], 3)
    assert not folder.has(name, "0" * 64, 3)
    assert not folder.has(name, index[name], 4)
    assert not folder.has("precious")
    (tmp_path / name).unlink()
    assert not folder.has(name)


def test_a_file_in_the_way_is_named_and_the_others_are_written(tmp_path):
    (tmp_path / "configs").write_text("no folder")
    done = export(tmp_path)
    assert [one.path for one in done.skipped] == list(NAMES[3:])
    assert done.written == NAMES[:3]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert export(tmp_path, BASE[1:2]).skipped[0].reason == "permission denied"
    finally:
        tmp_path.chmod(0o700)
