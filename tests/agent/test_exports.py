"""The folder of exports: whole files, written only when they changed, never outside the folder."""

import json
import os
from datetime import UTC, datetime

import pytest

from roosync_agent.exports import export
from roosync_protocol.package import Manifest, ManifestFile

T0 = datetime(2026, 1, 16, tzinfo=UTC)
MANIFEST = Manifest(
    version="1.0.0",
    timestamp=T0,
    author="beta",
    files=(ManifestFile(path="roo.mcp/mcp_settings.json", hash="a" * 64, type="roo.mcp", size=3),),
)
BASELINE = {"format": "roosync.baseline.v1", "version": "1.2.0", "commons": {"entities": {}, "removed": []}}


def everything(**more):
    given = {"dashboard": {"version": "2.0.0", "lastUpdate": "one"}, "roadmap": "# é\n", "baseline": BASELINE}
    return {**given, "manifests": {"beta": MANIFEST}, **more}


NAMES = (
    "sync-dashboard.json",
    "sync-roadmap.md",
    "configs/baseline.json",
    "configs/1.2.0/baseline.json",
    "configs/incoming/beta/manifest.json",
)


def test_the_files_of_the_founding_documents_appear(tmp_path):
    folder = tmp_path / "a" / "shared"
    done = export(folder, **everything())
    assert done.written == NAMES
    assert not done.skipped
    assert (folder / "sync-roadmap.md").read_text("utf-8") == "# é\n"
    assert json.loads((folder / NAMES[4]).read_text("utf-8")) == {
        "version": "1.0.0",
        "timestamp": "2026-01-16T00:00:00Z",
        "author": "beta",
        "description": "",
        "files": [{"path": "roo.mcp/mcp_settings.json", "hash": "a" * 64, "type": "roo.mcp", "size": 3}],
    }
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == sorted(NAMES)


def test_what_did_not_change_is_not_written_again(tmp_path):
    export(tmp_path, **everything())
    before = {name: (tmp_path / name).stat().st_ino for name in NAMES}
    done = export(tmp_path, **everything(dashboard={"version": "2.0.0", "lastUpdate": "two"}))
    assert (done.written, done.unchanged) == ((), NAMES)
    assert {name: (tmp_path / name).stat().st_ino for name in NAMES} == before
    done = export(tmp_path, **everything(dashboard={"version": "2.0.0", "lastUpdate": "three", "x": 1}))
    assert done.written == ("sync-dashboard.json",)
    assert json.loads((tmp_path / "sync-dashboard.json").read_text())["lastUpdate"] == "three"


@pytest.mark.parametrize("found", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_whatever_stood_there_is_replaced(tmp_path, found):
    (tmp_path / "sync-dashboard.json").write_bytes(found)
    assert export(tmp_path, dashboard={"lastUpdate": "x"}).written == ("sync-dashboard.json",)


HOSTILE = ["..", "../../etc", "a/b", "con", "nul", "c:", "a\\b", "", "x" * 300, "a\n", ".", "a\u202e"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_never_leaves_the_folder_and_the_others_are_written(tmp_path, name):
    folder = tmp_path / "inner" / "shared"
    done = export(
        folder, **everything(manifests={name: MANIFEST, "beta": MANIFEST}, baseline={**BASELINE, "version": name})
    )
    assert len(done.skipped) == 2
    assert all(one.reason for one in done.skipped)
    assert "configs/incoming/beta/manifest.json" in done.written
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {f"inner/shared/{n}" for n in NAMES if "1.2.0" not in n}


def test_a_file_in_the_way_is_named_and_the_others_are_written(tmp_path):
    (tmp_path / "configs").write_text("no folder")
    done = export(tmp_path, **everything())
    assert [one.path for one in done.skipped] == list(NAMES[2:])
    assert done.written == NAMES[:2]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert export(tmp_path, roadmap="x").skipped[0].reason == "permission denied"
    finally:
        tmp_path.chmod(0o700)
