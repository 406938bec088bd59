"""The shared folder of RooSync 2: what is taken, what is not and why, whatever somebody put there."""

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from roosync_agent.cli.importing import _proposed, _report
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.sharing_in import import_share, imported, imported_compare, imported_propose, kept
from roosync_agent.operations.sharing_in.folder import Share, decode
from roosync_agent.state import State
from roosync_broker.keys import verify
from roosync_protocol import old_share
from roosync_protocol.baseline import Commons
from roosync_protocol.baseline_file import read as read_baseline
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
SERVERS = {
    "mcpServers": {
        "github": {"command": "npx", "args": ["-y", "gh"], "env": {"GITHUB_TOKEN": TOKEN}, "alwaysAllow": []},
        "files": {"command": "node", "args": ["C:\\Users\\MYIA\\mcps\\index.js"]},
    }
}
MODES = {"customModes": [{"slug": "code", "name": "Codé", "roleDefinition": "Tu codes.", "groups": ["read"]}]}
# As RooSync 2 wrote it, its own explanation with an example included.
ROADMAP = """# Roadmap RooSync

<!-- DECISION_BLOCK_START -->
**ID:** `97e6b048-ffa3-4596-9294-b18511044804`
**Titre:** Configuration des serveurs MCP différente entre machines
**Statut:** pending
**Type:** setting
**Machine Source:** myia-po-2024
**Machines Cibles:** myia-ai-01, myia-web1
**Créé:** 2025-10-22T20:17:55.263Z

**Détails Techniques:**
- **Catégorie:** roo_config
- **Chemin:** roo.mcpServers
- **Type:** MODIFIED
<!-- DECISION_BLOCK_END -->

<!-- DECISION_BLOCK_START -->
**ID:** `7b9ac8a1`
**Titre:** Déjà faite
**Statut:** applied
**Chemin:** `.config/test.json`
**Machine Source:** PC-PRINCIPAL
<!-- DECISION_BLOCK_END -->

```markdown
<!-- DECISION_BLOCK_START -->
**ID:** `uuid-unique`
**Titre:** Description de la décision
**Statut:** pending | approved | rejected
<!-- DECISION_BLOCK_END -->
```
"""
MESSAGE = {"id": "msg-20251208T130332-uzfkm4", "from": "myia-ai-01", "to": "all", "subject": "Été", "body": "Bonjour",
           "priority": "HIGH", "timestamp": "2025-12-08T13:03:32.000Z", "status": "unread", "tags": ["a"]}  # fmt: skip


def put(root, name, data):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(data, ensure_ascii=False, indent=2) if isinstance(data, (dict, list)) else data
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def package(root, folder, files, *, author="myia-ai-01", timestamp="2025-12-08T12:00:00.000Z", **more):
    """As `publishConfig` wrote it."""
    listed = []
    for (path, type_), value in files.items():
        data = put(root, f"{folder}/{path}", value).read_bytes()
        listed.append({"path": path, "hash": hashlib.sha256(data).hexdigest(), "type": type_, "size": len(data)})
    manifest = {"version": "2.1.0", "timestamp": timestamp, "author": author, "description": "", "files": listed}
    put(root, f"{folder}/manifest.json", {**manifest, **more})


WHOLE = {
    ("mcp-settings/mcp_settings.json", "mcp_config"): SERVERS,
    ("roo-modes/standard.json", "mode_definition"): MODES,
    ("rules/style.md", "rules_config"): "# Règles\n",
    ("profiles/machine-mappings.json", "profile_settings"): {},
}


@pytest.fixture
def share(tmp_path):
    root = tmp_path / ".shared-state"
    root.mkdir()
    return root


@pytest.fixture
def machine(tmp_path):
    """As much of a machine as an import asks for: a state folder, and a fleet without a baseline."""
    state = State(tmp_path / "state")
    state.prepare()
    fleet = Fleet(Law(fleet="home", root="U" + "A" * 55), verify)
    return SimpleNamespace(state=state, fleet=fleet, name="here", library=None)


def old(share):
    package(share, "configs/incoming/myia-ai-01/pkg-1", WHOLE)
    put(share, "sync-roadmap.md", b"\xef\xbb\xbf" + ROADMAP.encode())
    put(share, "messages/inbox/msg-1.json", MESSAGE)
    put(share, "sync-dashboard.json", {"version": "2.0.0", "machines": {}})


async def test_a_whole_share_is_taken_and_nothing_secret_stays(share, machine):
    old(share)
    put(share, "configs/baseline.json", {"config": {"roo": {"mcpSettings": SERVERS, "modes": ["code"]}}})
    done = await import_share(machine, str(share))
    (one,) = done.packages
    assert (one.name, one.member, one.version) == ("shared-state/myia-ai-01", False, "2.1.0")
    assert one.entities == ("roo.mcp/files", "roo.mcp/github", "roo.modes/code", "roo.rules/rules/style.md")
    assert one.secrets == ("roo.mcp/github/env/GITHUB_TOKEN",)
    assert [(d.id, d.entity, d.targets) for d in done.decisions] == [
        ("97e6b048-ffa3-4596-9294-b18511044804", "roo.mcp", ("myia-ai-01", "myia-web1"))
    ]
    assert (done.decisions_ended, done.messages, done.scrubbed) == (1, 1, ())
    assert done.baseline.added == ("roo.mcp/files", "roo.mcp/github")
    reasons = {one["path"]: one["reason"] for one in done.skipped}
    assert "not managed" in reasons["configs/incoming/myia-ai-01/pkg-1/profiles/machine-mappings.json"]
    assert "without their whole definition" in reasons["configs/baseline.json"]
    found = kept.find(machine.state, "myia-ai-01").entities
    assert found["roo.mcp/files"].value["args"] == ["${home}/mcps/index.js"]
    assert found["roo.modes/code"].value["name"] == "Codé"
    files = [p for p in machine.state.folder.rglob("*") if p.is_file()]
    assert files
    assert all(TOKEN.encode() not in p.read_bytes() for p in files)
    assert all(p.stat().st_mode & 0o077 == 0 for p in files)
    folder = kept.folder_of(machine.state, "shared-state")
    assert set(read_baseline((folder / "baseline.json").read_bytes()).commons.entities) == {*done.baseline.added}
    assert json.loads((folder / "messages" / "msg-20251208t130332-uzfkm4.json").read_text("utf-8"))["subject"] == "Été"
    assert [row["name"] for row in await imported(machine)] == ["shared-state/myia-ai-01"]


async def test_a_dry_run_keeps_nothing(share, machine):
    old(share)
    before = sorted(machine.state.folder.rglob("*"))
    done = await import_share(machine, str(share), dry_run=True)
    assert done.packages
    assert sorted(machine.state.folder.rglob("*")) == before


async def test_the_same_again_replaces_what_was_kept(share, machine):
    old(share)
    await import_share(machine, str(share))
    (share / "messages/inbox/msg-1.json").unlink()
    await import_share(machine, str(share))
    assert not (kept.folder_of(machine.state, "shared-state") / "messages").exists()


PLACES = {
    "incoming": "configs/incoming/beta",
    "incoming, a package": "configs/incoming/beta/pkg",
    "by machine": "configs/beta/v2.1.0-2025-12-08T12-00-00-000Z",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_packages_are_found_where_each_version_put_them(share, machine, place):
    package(share, place, WHOLE)
    assert [one.machine for one in (await import_share(machine, str(share))).packages] == ["beta"]


async def test_the_newest_package_of_a_machine_counts(share, machine):
    old_modes = {"customModes": [{"slug": "old", "name": "Old", "roleDefinition": "x", "groups": []}]}
    package(
        share, "configs/beta/v2", {("roo-modes/a.json", "mode_definition"): old_modes}, timestamp="2026-01-01T00:00:00Z"
    )
    package(share, "configs/beta/v1", WHOLE, timestamp="2025-01-01T00:00:00Z")
    done = await import_share(machine, str(share))
    assert done.packages[0].entities == ("roo.modes/old",)
    assert {"path": "configs/beta/v1", "reason": "there is a newer package of beta"} in done.skipped


@pytest.mark.parametrize("own", ["", "C:\\Users\\MYIA\\x", "/home/ana/x"])
async def test_what_roosync_2_wrote_for_places_and_secrets_is_understood(share, machine, own):
    """As its `ConfigNormalizationService` left them in a package."""
    server = {"command": "node", "args": ["%USERPROFILE%/a.js", "%ROO_ROOT%/b.js", own], "env": {
        "GITHUB_TOKEN": "{{SECRET:GITHUB_TOKEN}}", "OTHER": "${env:OTHER}"}}  # fmt: skip
    package(share, "configs/incoming/beta", {("mcp-settings/a.json", "mcp_config"): {"mcpServers": {"gh": server}}})
    done = await import_share(machine, str(share))
    assert done.packages[0].secrets == ("roo.mcp/gh/env/GITHUB_TOKEN",)
    value = kept.find(machine.state, "beta").entities["roo.mcp/gh"].value
    assert value["args"] == ["${home}/a.js", "${workspace:roo-extensions}/b.js", "${home}/x" if own else ""]
    assert value["env"] == {"GITHUB_TOKEN": {"$secret": "roo.mcp/gh/env/GITHUB_TOKEN"}, "OTHER": "${env:OTHER}"}


ENCODINGS = {
    "windows-1252": (json.dumps(MODES, ensure_ascii=False).encode("cp1252"), "windows-1252"),
    "utf-16, as PowerShell writes": (
        b"\xff\xfe" + json.dumps(MODES, ensure_ascii=False).encode("utf-16-le"),
        "utf-16-le",
    ),
    "utf-8 with a mark": (b"\xef\xbb\xbf" + json.dumps(MODES, ensure_ascii=False).encode(), "utf-8"),
    "two marks": (b"\xef\xbb\xbf\xef\xbb\xbf" + json.dumps(MODES, ensure_ascii=False).encode(), "utf-8"),
}


@pytest.mark.parametrize(("data", "told"), ENCODINGS.values(), ids=ENCODINGS)
async def test_french_letters_survive_every_encoding(share, machine, data, told):
    package(share, "configs/incoming/beta", {("roo-modes/a.json", "mode_definition"): data})
    done = await import_share(machine, str(share))
    assert kept.find(machine.state, "beta").entities["roo.modes/code"].value["name"] == "Codé"
    assert any(told in note for note in done.notes) == (told != "utf-8")


def test_zero_bytes_are_no_text():
    with pytest.raises(ValueError, match="zero bytes"):
        decode(b"a\0b")
    with pytest.raises(ValueError, match="is none"):
        decode(b"\xff\xfea")
    assert decode(b"\x81\x8d")[1] == "iso-8859-1"


def listed(path, **more):
    return {
        "version": "1",
        "timestamp": "x",
        "author": "b",
        "files": [{"path": path, "hash": "", "type": "mcp_config", **more}],
    }


OUT = json.dumps(SERVERS)
HOSTILE = {
    "climbs": (listed("../../secret.json"), "dotted part"),
    "climbs on Windows": (listed("..\\..\\secret.json"), "dotted part"),
    "absolute": (listed("/etc/passwd"), "absolute"),
    "a drive": (listed("C:/Windows/x.json"), "drive"),
    "a device": (listed("mcp-settings/con"), "device"),
    "not there": (listed("mcp-settings/mcp_settings.json"), "is not there"),
    "another hash": ({**listed("mcp-settings/a.json", hash="0" * 64)}, "not those of the manifest"),
    "a link out": (listed("mcp-settings/link.json"), "link out of the folder"),
    "a link to a folder out": (listed("mcp-settings/dir/secret.json"), "link out of the folder"),
    "a FIFO": (listed("mcp-settings/fifo"), "not a regular file"),
    "too large": (listed("mcp-settings/huge.json"), "more than the limit"),
    "no JSON": (listed("mcp-settings/broken.json"), ""),
    "nested": (listed("mcp-settings/deep.json"), ""),
    "binary": (listed("mcp-settings/binary.json"), "zero bytes"),
    "another shape": (listed("mcp-settings/list.json"), ""),
    "no manifest": ("[]", "no manifest"),
    "a broken manifest": ("{", "no JSON"),
    "a manifest of many": ({**listed("x"), "files": [{"path": "x"}] * 1_001}, "at most"),
    "a manifest that lies in types": ({**listed("x"), "files": {"x": 1}}, "no manifest"),
}


@pytest.mark.skipif(os.name == "nt", reason="links and FIFOs")
@pytest.mark.parametrize(("manifest", "says"), HOSTILE.values(), ids=HOSTILE)
async def test_hostile_packages_are_named_and_left(share, machine, tmp_path, manifest, says):
    put(tmp_path, "secret.json", OUT)
    base = "configs/incoming/bad"
    put(share, f"{base}/manifest.json", manifest)
    put(share, f"{base}/mcp-settings/a.json", OUT)
    put(share, f"{base}/mcp-settings/broken.json", "{")
    put(share, f"{base}/mcp-settings/deep.json", "[" * 100_000)
    put(share, f"{base}/mcp-settings/binary.json", b"\0\1\2")
    put(share, f"{base}/mcp-settings/list.json", [1, 2])
    with put(share, f"{base}/mcp-settings/huge.json", b"{}").open("r+b") as file:
        file.truncate(9 * 1024 * 1024)
    (share / base / "mcp-settings/link.json").symlink_to(tmp_path / "secret.json")
    (share / base / "mcp-settings/dir").symlink_to(tmp_path)
    os.mkfifo(share / base / "mcp-settings/fifo")
    package(share, "configs/incoming/good", WHOLE)
    done = await import_share(machine, str(share))
    assert [one.machine for one in done.packages] == ["good"]
    told = [one["reason"] for one in done.skipped if "bad" in one["path"] or "mcp-settings" in one["path"]]
    assert any(says in reason for reason in told), done.skipped
    assert all(TOKEN not in reason for reason in told)


async def test_a_message_is_never_taken_for_a_package(share, machine):
    """A machine may be called `messages`, and a message `manifest`."""
    package(share, "configs/incoming/messages/p", WHOLE)
    put(share, "messages/inbox/1.json", {**MESSAGE, "id": "manifest"})
    done = await import_share(machine, str(share))
    assert (len(done.packages), done.messages) == (1, 1)
    assert [row["name"] for row in await imported(machine)] == ["shared-state/messages"]
    assert kept.find(machine.state, "messages").entities


async def test_a_file_is_read_once_however_often_it_is_listed(share, machine, monkeypatch):
    package(share, "configs/incoming/pc-a/p", WHOLE)
    manifest = share / "configs/incoming/pc-a/p/manifest.json"
    value = json.loads(manifest.read_bytes())
    spelled = [{**one, "path": f"./{one['path']}".replace("/", "\\")} for one in value["files"]]
    put(share, "configs/incoming/pc-a/p/manifest.json", {**value, "files": (value["files"] + spelled) * 50})
    read = []
    monkeypatch.setattr(Share, "data", lambda self, name, real=Share.data: read.append(name) or real(self, name))
    done = await import_share(machine, str(share))
    assert len(done.packages[0].entities) == 4
    assert all(read.count(name) == 1 for name in read)
    assert sum("lists it twice" in one["reason"] for one in done.skipped) == 99 * len(WHOLE)


async def test_machines_with_hostile_names_get_harmless_ones(share, machine):
    for name in ("MYIA PO 2024", "évil\u202e", "con", "op-root"):
        package(share, f"configs/incoming/{name}", WHOLE)
    done = await import_share(machine, str(share))
    assert [one.machine for one in done.packages] == ["myia-po-2024", "op-root"]
    assert all(p.resolve().is_relative_to(machine.state.folder) for p in machine.state.folder.rglob("*"))


MESSAGES = {
    "a secret in it": ({**MESSAGE, "body": f"use {TOKEN}"}, 1, ""),
    "no id": ({"body": "x"}, 0, "has no id"),
    "a list": ([1], 0, "has no id"),
    "broken": ("{", 0, "no JSON"),
    "too large": ({**MESSAGE, "body": "x" * 300_000}, 0, "are kept"),
    "an id that climbs": ({**MESSAGE, "id": "../../../../etc/cron.d/x"}, 1, ""),
    "words where there should be text": ({**MESSAGE, "body": {"a": 1}, "tags": "x"}, 1, ""),
}


@pytest.mark.parametrize(("message", "taken", "says"), MESSAGES.values(), ids=MESSAGES)
async def test_messages_are_kept_as_harmless_files(share, machine, message, taken, says):
    package(share, "configs/incoming/good", WHOLE)
    put(share, "messages/inbox/m.json", message)
    done = await import_share(machine, str(share))
    assert done.messages == taken
    assert any(says in one["reason"] for one in done.skipped)
    files = list((kept.folder_of(machine.state, "shared-state") / "messages").glob("*"))
    assert len(files) == taken
    assert all(TOKEN not in p.read_text("utf-8") for p in files)


BASELINES = {
    "of RooSync 2.1, an inventory": (
        "sync-config.ref.json",
        {"version": "2.1.0", "machines": [{"id": "a", "roo": {"modes": ["code"], "mcpServers": [{"name": "x"}]}}]},
        None,
    ),
    "of RooSync 2, whole servers of a machine": (
        "sync-config.ref.json",
        {"machines": [{"id": "a", "roo": {"mcpServers": SERVERS["mcpServers"], "modes": MODES["customModes"]}}]},
        ("roo.mcp/files", "roo.mcp/github", "roo.modes/code"),
    ),
    "broken": ("configs/baseline.json", "{", None),
    "no object": ("configs/baseline.json", "[1]", None),
    "ours, of another format": ("configs/baseline.json", {"format": "roosync.baseline.v1", "version": 1}, None),
    "words": ("sync-config.json", {"version": "1.0.0", "sharedStatePath": "${ROO_HOME}/.state"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("place", "value", "added"), BASELINES.values(), ids=BASELINES)
async def test_a_baseline_is_a_file_to_be_judged(share, machine, place, value, added):
    package(share, "configs/incoming/good", WHOLE)
    put(share, place, value)
    done = await import_share(machine, str(share))
    if added is None:
        assert done.baseline is None
        assert any(one["path"].startswith(place) for one in done.skipped)
        assert not (kept.folder_of(machine.state, "shared-state") / "baseline.json").exists()
    else:
        assert done.baseline.added == added


async def test_a_share_of_which_nothing_was_taken_says_so(share, machine):
    package(share, "configs/incoming/good", {("services/x.xml", "service"): "<x/>"})
    put(share, "sync-roadmap.md", ROADMAP.replace("pending", "applied"))
    told = _report(msgspec.to_builtins(await import_share(machine, str(share))))
    assert "! It took nothing: no package or baseline" in told
    assert "Windows services are not managed" in told
    assert told.endswith("Next: roosync status")
    put(share, "sync-roadmap.md", ROADMAP)
    told = _report(msgspec.to_builtins(await import_share(machine, str(share), dry_run=True)))
    assert "! It took no configuration: " in told


async def test_with_nothing_new_there_is_nothing_to_sign(share, machine):
    old(share)
    await import_share(machine, str(share))
    made = await imported_propose(machine, "myia-ai-01", ["roo.modes/code"])
    assert "roosync baseline restore --file" in _proposed(made)
    file = Path(made["file"])
    entities = read_baseline(file.read_bytes()).commons.entities
    file.unlink()

    async def whole(law):
        return Commons(entities=entities), {}

    machine.library = SimpleNamespace(whole=whole)
    machine.fleet = SimpleNamespace(law=SimpleNamespace(baseline=SimpleNamespace(version="1.0.0", revision=1)))
    made = await imported_propose(machine, "myia-ai-01", ["roo.modes/code"])
    assert (made["file"], made["same"], file.exists()) == ("", ["roo.modes/code"], False)
    told = _proposed(made)
    assert "nothing new: 1 as in force" in told
    assert "baseline restore" not in told


@pytest.mark.parametrize("make", ["nothing there", "a file", "empty", "other things"])
async def test_what_is_no_share_is_refused_in_words(share, machine, make):
    path = {"nothing there": share / "x", "a file": share / "f"}.get(make, share)
    (share / "f").write_text("x") if make != "empty" else None
    with pytest.raises(RefusedRequestError, match=r"not there|no folder|nothing of a shared state"):
        await import_share(machine, str(path))
    assert kept.names(machine.state) == []


async def test_a_foreign_package_is_compared_and_proposed_and_no_more(share, machine):
    old(share)
    await import_share(machine, str(share))
    mine = {"roo.mcp/files": Entity(key="roo.mcp/files", kind=Kind.MCP_SERVER, value={"command": "deno"}),
            "roo.mcp/own": Entity(key="roo.mcp/own", kind=Kind.MCP_SERVER, value={"command": "x"})}  # fmt: skip

    async def look():
        return SimpleNamespace(entities=mine, trusted=frozenset({"roo.mcp"}))

    machine.look = look
    found = await imported_compare(machine, "myia-ai-01")
    assert [(row["field"], row["verdict"]) for row in found["differs"]] == [
        ("roo.mcp/files", "differs"), ("roo.mcp/github", "only_there"),
    ]  # fmt: skip
    assert found["only_here"] == ["roo.mcp/own"]
    assert found["not_here"] == ["roo.modes/code", "roo.rules/rules/style.md"]
    made = await imported_propose(machine, "myia-ai-01", ["roo.modes/code"])
    assert made["added"] == ["roo.modes/code"]
    assert [*read_baseline(Path(made["file"]).read_bytes()).commons.entities] == ["roo.modes/code"]
    with pytest.raises(RefusedRequestError, match=r"has no 'roo.mcp/nothere'"):
        await imported_propose(machine, "myia-ai-01", ["roo.mcp/nothere"])
    with pytest.raises(RefusedRequestError, match="no imported package"):
        await imported_compare(machine, "../../etc")


def test_a_roadmap_takes_no_time_whatever_stands_in_it():
    start, end = "<!-- DECISION_BLOCK_START -->\n", "\n<!-- DECISION_BLOCK_END -->"
    line = "**a:**" + " " * 1_000_000 + "x"
    for text in ("```x\n" * 200_000, start * 200_000, "**ID:** `" + " " * 2_000_000, start + line + end):
        assert old_share.decisions(text) == []


def test_a_secret_in_a_decision_is_taken_out():
    text = ROADMAP.replace("Configuration des serveurs MCP", f"token {TOKEN}")
    assert TOKEN not in str(old_share.decisions(text))
