"""Exports, reports, the commit of a baseline and the import of an old share, as a person uses them: two machines."""

import hashlib
import json
import subprocess

import pytest

SETTINGS = ".claude/settings.json"
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


@pytest.fixture(scope="module")
def two(fleets):
    """alpha leads, beta takes part; both have a server with a token; in step with one baseline."""
    fleet = fleets()
    alpha, beta = fleet.site("alpha"), fleet.site("beta")
    server = {"mcpServers": {"github": {"command": "npx", "args": ["-y", "gh"], "env": {"GITHUB_TOKEN": TOKEN}}}}
    for site in (alpha, beta):
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Mémoire\n")
        site.write(".claude.json", json.dumps(server))
    fleet.in_step(alpha, beta)
    return fleet


def below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_folder_has_the_founding_files_as_published_and_no_secret(two, tmp_path, waiting):
    alpha = two.sites["alpha"]
    done = alpha.json("export", str(tmp_path / "shared"))
    assert not done["skipped"]
    names = below(tmp_path / "shared")
    for expected in (
        "sync-dashboard.json",
        "sync-roadmap.md",
        "configs/baseline.json",
        "configs/1.0.0/baseline.json",
        "configs/incoming/alpha/manifest.json",
        "configs/incoming/beta/manifest.json",
        "reports/status.json",
        "reports/status.md",
    ):
        assert expected in names
    for machine in ("alpha", "beta"):
        folder = tmp_path / "shared" / "configs" / "incoming" / machine
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        assert manifest["files"]
        for file in manifest["files"]:
            data = (folder / file["path"]).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["hash"], file["size"])
    assert all(TOKEN.encode() not in p.read_bytes() for p in (tmp_path / "shared").rglob("*") if p.is_file())
    again = alpha.json("export", str(tmp_path / "shared"))
    assert (again["written"], again["removed"]) == ([], [])


def test_a_relative_folder_is_where_the_person_is(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert two.sites["alpha"].json("export", "here")["folder"] == str(tmp_path / "here")
    assert (tmp_path / "here" / "sync-dashboard.json").exists()


def test_the_orchestrator_keeps_its_folder_fresh_and_takes_ended_reports_away(two, waiting):
    alpha, beta = two.sites["alpha"], two.sites["beta"]
    kept = alpha.state / "exports"
    beta.write(SETTINGS, settings("sonnet"))
    found = beta.decision("pending", machine="beta")
    report = kept / "reports" / "divergences" / f"{found['id']}.md"
    waiting(lambda: f"{report} is written", report.exists)
    waiting("the roadmap names it", lambda: f"**ID:** `{found['id']}`" in (kept / "sync-roadmap.md").read_text("utf-8"))
    told = alpha.roosync("report", "divergence", found["id"], "--markdown").out
    assert told.strip() == report.read_text("utf-8").strip()
    assert "- Affected Field: `claude.settings/model`" in told
    assert (
        "- Champ Affecté : `"
        in alpha.roosync("report", "divergence", found["id"], "--markdown", "--language", "fr").out
    )
    asked = alpha.json("report", "request", found["id"])
    assert (asked["type"], asked["target"], asked["dependencies"]) == ("approval", found["id"], "ready")
    seen = alpha.json("report", "status")
    assert list(seen) == ["agent", "timestamp", "machines_detected", "status", "divergences_count"]
    assert (seen["agent"], seen["machines_detected"], seen["status"], seen["divergences_count"]) == (
        "alpha", 2, "diverged", 1,
    )  # fmt: skip
    beta.write(SETTINGS, settings("opus"))
    waiting("the report of an ended divergence is gone", lambda: not report.exists())


def test_a_cycle_ends_with_a_report_in_two_forms(two, waiting):
    alpha = two.sites["alpha"]
    waiting("in step", lambda: set(alpha.states()) == {"synced"})
    started = alpha.json("cycle", "start", "--route", "deployment", "--version", "0.0.1", "--timeout", "2")
    waiting("the cycle ends", lambda: alpha.ask("cycle_show", id_=started["id"])["status"] == "done")
    made = alpha.json("cycle", "report", started["id"], codes=(0,))
    assert [one["checkpoint"] for one in made["checkpoints"]] == ["VERSION", "COLLECTED", "BASELINE", "SYNCED"]
    assert {one["name"]: one["met"] for one in made["criteria"]} == {
        "in_version": True, "validated": True, "synchronised": True, "nothing_lost": True,
    }  # fmt: skip
    assert made["successful"]
    text = alpha.roosync("cycle", "report", started["id"], "--language", "fr").out
    assert text.startswith(f"## Rapport de Clôture - {started['id']} - ")
    assert "Baseline générée et validée : atteint" in text
    kept = alpha.state / "exports" / "reports" / "cycles"
    waiting("it is exported", (kept / f"{started['id']}.metrics.json").exists)
    metrics = json.loads((kept / f"{started['id']}.metrics.json").read_text())
    assert list(metrics) == [
        "test_session", "duration_minutes", "checkpoints_reached", "sync_latency_avg_seconds", "decisions_total",
        "decisions_success", "decisions_rollback", "divergences_detected", "divergences_resolved",
    ]  # fmt: skip
    before = (kept / f"{started['id']}.json").read_bytes()
    alpha.roosync("export")
    assert (kept / f"{started['id']}.json").read_bytes() == before


def test_what_is_unknown_is_said_so(two):
    alpha = two.sites["alpha"]
    alpha.fails("report", "divergence", "d-nothere", says="there is no decision")
    alpha.fails("report", "request", "d-nothere", says="there is no decision")
    alpha.fails("cycle", "report", "c-nothere", says="is no cycle")


def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ana")
    git(folder, "config", "user.email", "ana@example.org")
    return folder


def test_a_baseline_is_committed_when_it_is_signed_and_later(two, repo, tmp_path):
    alpha = two.sites["alpha"]
    done = alpha.json("baseline", "export", "--commit", str(repo))
    assert (done["made"], git(repo, "rev-parse", "HEAD")) == (True, done["commit"])
    assert "nothing to commit" in alpha.roosync("baseline", "export", "--commit", str(repo)).out
    alpha.fails("baseline", "publish", "--commit", str(tmp_path), says="is not in a git repository")
    for site in two.sites.values():
        site.write(".claude/agents/new.md", "# New\n")
        site.roosync("publish")
    alpha.roosync("baseline", "propose", codes=(0, 3))
    if alpha.status()["proposal"]["open_questions"]:
        alpha.roosync("baseline", "choose", "--suggested")
    law = alpha.json("baseline", "publish", "--commit", str(repo), "--note", "one more")
    assert law["committed"]["made"]
    message = git(repo, "log", "-1", "--format=%B")
    assert message.startswith(f"Baseline {law['version']}, revision {law['revision']}, signed by ")
    assert f"configs/{law['version']}/baseline.json" in git(repo, "ls-files")
    assert json.loads((repo / "baseline.json").read_text("utf-8"))["version"] == law["version"]
    assert TOKEN not in git(repo, "log", "-p")


def test_an_old_share_is_taken_in_compared_and_proposed_and_nothing_is_applied(two, tmp_path):
    alpha = two.sites["alpha"]
    folder = tmp_path / ".shared-state" / "configs" / "incoming" / "myia-po-2024"
    (folder / "mcp-settings").mkdir(parents=True)
    data = json.dumps({"mcpServers": {"searxng": {"command": "npx", "env": {"API_KEY": TOKEN}}}}).encode()
    (folder / "mcp-settings" / "mcp_user.json").write_bytes(data)
    file = {"path": "mcp-settings/mcp_user.json", "hash": hashlib.sha256(data).hexdigest(), "type": "mcp_config"}
    manifest = {"version": "2.1.0", "timestamp": "2025-12-08T12:00:00Z", "author": "x", "description": ""}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": [{**file, "size": len(data)}]}))
    before = {name: alpha.read(name) for name in (SETTINGS, ".claude.json")}
    alpha.fails("import-share", str(tmp_path / "nowhere"), says="not there")
    alpha.roosync("import-share", str(tmp_path / ".shared-state"), "--dry-run")
    assert alpha.json("imported", "list") == []
    text = alpha.roosync("import-share", str(tmp_path / ".shared-state")).out
    assert "shared-state/myia-po-2024" in text
    assert "claude.mcp/searxng/env/API_KEY" in text
    assert TOKEN not in text
    found = alpha.json("imported", "compare", "myia-po-2024")
    assert [(row["field"], row["verdict"]) for row in found["differs"]] == [("claude.mcp/searxng", "only_there")]
    made = alpha.json("imported", "propose", "myia-po-2024")
    assert made["added"] == ["claude.mcp/searxng"]
    assert {name: alpha.read(name) for name in before} == before
    assert alpha.json("decisions")["decisions"] == []
    law = alpha.json("baseline", "restore", "--file", made["file"])
    shown = alpha.json("baseline", "show", law["version"])
    assert {"claude.mcp/searxng", "claude.settings/model"} <= shown["commons"].keys()
    assert shown["removed"] == []
