"""The main job on real files, as a person does it: two machines in step, with real processes and commands.

One fleet of two serves the module: alpha founded it, beta joined with a code, a baseline stands. Each test
breaks something, looks, answers, and leaves everybody in step.
"""

import json

import pytest

ALIASES = {
    "get-status": "status",
    "get-machine-inventory": "inventory",
    "collect-config": "collect",
    "compare-config": "compare",
    "list-diffs": "diffs",
    "apply-config": "apply",
}
TOKENS = ("ghp_0123456789abcdefghijABCDEFGHIJ456789", "ghp_BETA456789abcdefghijABCDEFGHIJ012345")


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    homes.lay(alpha, token=TOKENS[0])
    homes.lay(beta, crlf=True, token=TOKENS[1])
    beta.write(".roo/rules/10-beta.md", "only here\n")
    made.before = {site.name: site.read(homes.mcp) for site in (alpha, beta)}
    made.in_step(alpha, beta)
    return made


@pytest.fixture
def two(fleet):
    """alpha and beta, in step before the test and after it."""
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()


def entity(site, key, reference=None):
    """What `baseline show` says about an entity."""
    return site.ask("baseline_show", id_=reference)["commons"].get(key)


# -- before there is a baseline


def test_from_nothing_to_two_machines_without_a_baseline(new_fleet, homes, waiting):
    alpha, beta = new_fleet.site("alpha"), new_fleet.site("beta")
    homes.lay(alpha)
    homes.lay(beta, crlf=True)
    beta.write(homes.mcp, beta.read(homes.mcp).replace(b'"timeout": 60', b'"timeout": 90'))

    alpha.fails("up", says="roosync init")
    alpha.fails("status", says=["there is no fleet", "roosync init", "roosync join CODE"])
    founded = alpha.json("init", "--no-passphrase", "--fleet", "e2e", "--port", "0")
    assert (founded["fleet"], founded["machine"], founded["protected"]) == ("e2e", "alpha", False)
    assert (alpha.state / "exports" / "sync-dashboard.json").exists()
    assert (alpha.state / "exports" / "sync-roadmap.md").exists()
    alpha.fails("init", "--no-passphrase", says="belongs to the fleet 'e2e' already")
    alpha.up()

    # a fleet of one is told what is missing
    alone = alpha.roosync("compare", codes=(2,)).out
    assert "one machine" in alone
    assert "roosync invite" in alone
    alone = alpha.roosync("baseline", "propose", codes=(2,)).out
    assert "packages of two machines" in alone
    assert "roosync invite" in alone
    assert "roosync invite" in alpha.roosync("status", codes=None).out
    alpha.fails("compare", "--other", "beta", says=["'beta' is no machine of this fleet", "alpha"])
    alpha.fails("compare", "--other", "alpha", says="is this machine")

    # the same fingerprint on both sides, and a person who says yes
    inviting = alpha.talk("invite", "--address", "127.0.0.1")
    code = next(line.split()[-1] for line in inviting.stdout if "roosync join " in line)
    joining = beta.talk("join", code)
    shown = next(line.split(":")[-1].strip() for line in inviting.stdout if "fingerprint" in line)
    inviting.stdin.write("y\n")
    inviting.stdin.flush()
    assert "beta is a member now" in inviting.communicate(timeout=60)[0]
    told = joining.communicate(timeout=60)[0]
    assert (inviting.returncode, joining.returncode) == (0, 0)
    assert shown in told
    assert "Admitted by" in told
    beta.fails("join", code, says="belongs to the fleet 'e2e' already")
    beta.up("agent")

    # comparing and taking over, before anything was agreed
    waiting("alpha has beta's package", lambda: (beta.row() or {}).get("state") and _package(alpha, "beta"))
    compared = alpha.json("compare", "--other", "beta")
    assert compared["reference"] == "machine:beta"
    assert compared["status"] == "Diverged"
    assert [row["field"] for row in compared["divergences"]] == ["roo.mcp/fetch"]
    before = alpha.read(homes.mcp)
    dry = alpha.json("apply", "--source", "beta", "--dry-run")
    assert (dry["dry_run"], [row["field"] for row in dry["rows"]]) == (True, ["roo.mcp/fetch"])
    assert '"timeout": 90' in dry["files"][0]["diff"]
    assert alpha.read(homes.mcp) == before
    taken = alpha.roosync("apply", "--source", "beta", "--json", codes=(3,)).json
    assert taken["waiting"] == 1, "another machine's word is no approval"
    assert alpha.read(homes.mcp) == before
    alpha.roosync("decision", "approve", taken["rows"][0]["decision_id"], "--yes")
    waiting("it is applied", lambda: alpha.read(homes.mcp) != before)
    assert alpha.read(homes.mcp) == before.replace(b'"timeout": 60', b'"timeout": 90')


def _package(site, machine):
    return site.roosync("compare", "--other", machine, codes=None).code != 1


# -- the words of the seeds


def test_everything_that_was_laid_is_still_there_byte_for_byte(two, fleet, homes):
    alpha, beta = two
    assert {site.name: site.read(homes.mcp) for site in two} == fleet.before
    assert beta.read(homes.mcp).count(b"\r\n") > 10
    assert alpha.read(".roo/rules/10-beta.md") == b"only here\n"


def test_status_says_who_and_what_in_the_words_of_the_seeds(two):
    alpha, _ = two
    ran = alpha.roosync("status", "--json")
    seen = ran.json
    assert (seen["agent"], seen["machines_detected"], seen["status"]) == ("alpha", 2, "synced")
    assert (seen["divergences_count"], seen["pending_decisions"]) == (0, 0)
    assert seen["timestamp"].endswith("Z")
    assert [row["machine"] for row in seen["machines"]] == ["alpha", "beta"]
    text = alpha.roosync("status").out
    assert "Machines detected: 2" in text
    assert "alpha (this one)" in text


@pytest.mark.parametrize("alias", ALIASES)
def test_the_seeds_names_are_the_same_commands(two, alias):
    alpha, _ = two
    ours, theirs = (alpha.json(name) for name in (ALIASES[alias], alias))
    assert ours.keys() == theirs.keys()


def test_every_answer_is_json_when_asked(two):
    alpha, _ = two
    expected = {
        ("status",): {"agent", "timestamp", "machines_detected", "status", "divergences_count", "pending_decisions"},
        ("inventory",): {"machine", "timestamp", "inventory"},
        ("collect", "--dry-run"): {"machine", "timestamp", "version", "files", "skipped", "quarantine"},
        ("compare",): {"agent", "timestamp", "status", "divergences_count", "divergences", "baseline_version"},
        ("diffs",): {"agent", "timestamp", "divergences_count", "divergences"},
        ("decisions",): {"decisions", "pending"},
        ("baseline", "show"): {"version", "commons", "overlays", "machines"},
        ("apply", "--dry-run"): {"agent", "dry_run", "applied", "waiting", "failed", "rows"},
    }
    for words, keys in expected.items():
        assert keys <= alpha.json(*words).keys(), words
    wrong = alpha.roosync("decision", "show", "d-nothing", "--json", codes=(1,)).json
    assert wrong["error"]["kind"] == "request"
    assert "roosync decisions" in wrong["error"]["message"]


def test_an_unknown_command_or_target_names_the_nearest(two):
    alpha, _ = two
    alpha.fails("statsu", says="Did you mean status")
    alpha.fails("collect", "roo.mpc", says=["'roo.mpc' is no target", "roo.mcp"])


def test_inventory_of_both_without_a_value(two):
    alpha, _ = two
    for words in (("inventory",), ("inventory", "beta")):
        found = alpha.json(*words)["inventory"]
        assert "roo.mcp/github" in found["mcp_servers"]
        assert "roo.modes/review" in found["modes"]
        assert {"os", "tools", "targets", "assistants"} <= found.keys()
        assert not any(token in json.dumps(found) for token in TOKENS)
    alpha.fails("inventory", "gamma", says=["'gamma'", "alpha, beta"])


def test_collect_chooses_targets_and_a_dry_run_writes_nothing(two):
    alpha, _ = two
    before = sorted(path for path in alpha.state.rglob("*") if "package" in path.parts)
    found = alpha.json("collect", "roo.mcp", "roo.modes", "--dry-run")
    assert {file["type"] for file in found["files"]} == {"roo.mcp", "roo.modes"}
    assert len(found["secrets"]) == 1
    assert sorted(path for path in alpha.state.rglob("*") if "package" in path.parts) == before
    groups = {group: alpha.json("collect", group, "--dry-run") for group in ("modes", "mcp", "profiles")}
    assert {f["type"] for f in groups["modes"]["files"]} == {"roo.modes"}
    assert {f["type"] for f in groups["mcp"]["files"]} == {"roo.mcp"}
    assert groups["profiles"]["files"] == []
    assert any("autoImportSettingsPath" in skipped["reason"] for skipped in groups["profiles"]["skipped"])
    written = alpha.json("collect")
    assert (alpha.state / "package" / "manifest.json").exists()
    assert written["written"] == str(alpha.state / "package")


def test_publish_takes_a_version_that_is_greater(two):
    alpha, _ = two
    now = alpha.json("publish")["version"]
    major = int(now.split(".")[0]) + 1
    assert alpha.json("publish", "--version", f"{major}.0.0")["version"] == f"{major}.0.0"
    alpha.fails("publish", "--version", "one", says="'one' is no version")
    alpha.fails("publish", "--version", "0.0.1", says=["0.0.1", "is not after"])


# -- drift, decisions, apply, roll back


def test_an_edit_is_seen_restored_and_taken_back(two, homes, waiting):
    alpha, beta = two
    agreed = beta.read(homes.mcp)
    edited = agreed.replace(b'"timeout": 60', b'"timeout": 5')
    beta.write(homes.mcp, edited)
    waiting("alpha sees it", lambda: alpha.row("beta")["state"] == "diverged")
    assert alpha.roosync("status", codes=(3,)).code == 3
    compared = beta.json("compare", codes=(3,))
    assert (compared["status"], compared["divergences_count"]) == ("Diverged", 1)
    rows = [alpha.json("diffs", codes=(3,)), beta.json("diffs", codes=(3,))]
    assert rows[0]["divergences"] == rows[1]["divergences"], "the same list on every machine"
    row = rows[0]["divergences"][0]
    assert (row["machine"], row["type"], row["field"]) == ("beta", "config", "roo.mcp/fetch")
    assert row["changes"] == [{"path": ["timeout"], "before": 5, "after": 60, "absent": ""}]

    id_ = row["decision_id"]
    card = alpha.json("decision", "show", id_)
    assert (card["status"], card["risk"], card["suggested_action"]) == ("pending", "low", "override_local")
    alpha.fails("decision", "apply", id_, says="only that machine applies it")
    beta.fails("decision", "apply", id_, says="not approved yet")
    beta.fails("decision", "approve", id_, "--yes", says="no operator's key lies on this machine")
    alpha.roosync("decision", "approve", id_[:8], "--yes")
    alpha.until_synced()
    assert beta.read(homes.mcp) == agreed
    assert alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")["id"] == id_
    assert alpha.roosync("status").code == 0

    alpha.roosync("decision", "rollback", id_)
    assert beta.read(homes.mcp) == edited
    waiting("it is a divergence again", lambda: alpha.row("beta")["state"] == "diverged")
    assert alpha.roosync("status", codes=(2,)).code == 2, "drift, and nobody is asked anything"
    alpha.roosync("rollback-decision", id_, codes=(1,))
    alpha.roosync("approve-decision", id_, "--yes")
    alpha.until_synced()
    assert beta.read(homes.mcp) == agreed
    assert [s["label"] for s in beta.json("snapshots")][-1].startswith(("d-", "rollback"))


def test_a_value_that_becomes_the_agreed_one_applies_elsewhere_by_itself(two, homes):
    alpha, _beta = two
    agreed = {site.name: site.read(homes.mcp) for site in two}
    alpha.write(homes.mcp, agreed["alpha"].replace(b'"timeout": 60', b'"timeout": 61'))
    waiting = alpha.decision("pending", machine="alpha", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", waiting["id"], "--action", "override_remote", "--yes")
    alpha.until_synced()
    for site in two:  # low risk: no person was asked on beta; comments, CRLF and secrets are as they were
        assert site.read(homes.mcp) == agreed[site.name].replace(b'"timeout": 60', b'"timeout": 61')
    assert entity(alpha, "roo.mcp/fetch")["timeout"] == 61
    assert alpha.decision("promoted", machine="alpha")["id"] == waiting["id"]

    # the version before, restored from the bus: everybody goes back
    versions = alpha.json("baseline", "versions")
    assert [v["in_force"] for v in versions][-1] is True
    alpha.roosync("baseline", "restore", versions[-2]["version"])
    alpha.until_synced()
    assert {site.name: site.read(homes.mcp) for site in two} == agreed


def test_a_dangerous_change_waits_for_a_person_on_each_machine(two, homes):
    alpha, beta = two
    agreed = {site.name: site.read(homes.mcp) for site in two}
    alpha.write(homes.mcp, agreed["alpha"].replace(b'"search_issues"', b'"search_issues", "delete_repo"'))
    own = alpha.decision("pending", machine="alpha", entity="roo.mcp/github")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/github")
    assert asked["risk"] == "high"
    assert beta.read(homes.mcp) == agreed["beta"]
    card = alpha.roosync("decision", "show", asked["id"]).out
    assert "delete_repo" in card
    assert "alpha" in card.split("Already on")[1].splitlines()[0]
    alpha.roosync("decision", "reject", asked["id"], "--reason", "not here")
    alpha.until_synced()
    row = alpha.row("beta")
    assert (row["accepted_differences"], row["divergences_count"]) == (1, 0)
    assert beta.read(homes.mcp) == agreed["beta"]
    assert "roo.mcp/github" in beta.json("compare", codes=(0,))["accepted"]
    # and back again
    alpha.write(homes.mcp, agreed["alpha"])
    again = alpha.decision("pending", machine="alpha", entity="roo.mcp/github")
    alpha.roosync("decision", "approve", again["id"], "--action", "override_remote", "--yes")
    alpha.until_synced()
    assert alpha.row("beta")["accepted_differences"] == 0


def test_what_is_special_to_one_machine_stays_there(two, homes):
    alpha, beta = two
    agreed = {site.name: site.read(homes.rule) for site in two}
    beta.write(homes.rule, agreed["beta"] + b"- Beta is slow.\r\n")
    asked = alpha.decision("pending", machine="beta", entity="roo.rules/rules/00-base.md")
    alpha.roosync("decision", "approve", asked["id"], "--action", "keep_special", "--yes")
    alpha.until_synced()
    assert beta.read(homes.rule) == agreed["beta"] + b"- Beta is slow.\r\n"
    assert alpha.read(homes.rule) == agreed["alpha"]
    overlay = alpha.json("baseline", "show")["overlays"]["beta"]
    assert "roo.rules/rules/00-base.md" in overlay["entities"]
    assert alpha.decision("kept_special", machine="beta")["id"] == asked["id"]


def test_an_exported_baseline_can_be_read_and_restored(two, tmp_path):
    alpha, _ = two
    path = tmp_path / "baseline.json"
    told = alpha.json("baseline", "export", str(path))
    assert told["bytes"] == path.stat().st_size
    assert "roo.mcp/github" in path.read_text()
    assert not any(token in path.read_text() for token in TOKENS)
    before = alpha.json("baseline", "show")
    law = alpha.json("baseline", "restore", "--file", str(path))
    after = alpha.json("baseline", "show")
    assert law["revision"] == before["revision"] + 1
    assert (after["commons"], after["overlays"]) == (before["commons"], before["overlays"])
    alpha.fails("baseline", "show", "9.9.9", says=["'9.9.9'", "versions are"])
    (tmp_path / "broken.json").write_text("{}")
    alpha.fails("baseline", "restore", "--file", str(tmp_path / "broken.json"), says="")


def test_pause_and_resume(two, homes):
    alpha, beta = two
    agreed = beta.read(homes.modes)
    beta.roosync("pause")
    assert alpha.row("beta")["paused"] or alpha.until_synced()
    alpha.write(homes.modes, alpha.read(homes.modes).replace(b"name: Docs", b"name: Writer"))
    own = alpha.decision("pending", machine="alpha", entity="roo.modes/docs")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    held = alpha.decision("pending", machine="beta", entity="roo.modes/docs")
    assert held["risk"] == "low"
    assert "(paused)" in alpha.roosync("status", codes=(3,)).out
    assert beta.read(homes.modes) == agreed
    alpha.roosync("resume", "beta")
    alpha.until_synced()
    assert beta.read(homes.modes) == agreed.replace(b"name: Docs", b"name: Writer")
    assert not alpha.row("beta")["paused"]
    alpha.roosync("pause", "--fleet")
    assert alpha.json("status")["paused"] is True
    alpha.roosync("resume", "--fleet")
    assert alpha.json("status")["paused"] is False


# -- the wipe guard


WIPES = {
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "only braces": lambda path: path.write_bytes(b'{"mcpServers": {}}\n'),
    "vanished": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", WIPES)
def test_a_wiped_file_deletes_nothing_anywhere(two, homes, waiting, how):
    alpha, beta = two
    good = {site.name: site.read(homes.mcp) for site in two}
    WIPES[how](beta.path(homes.mcp))
    waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
    assert alpha.roosync("status", codes=(4,)).code == 4
    found = beta.roosync("quarantine", "show", "--json", codes=(4,)).json
    assert list(found) == ["roo.mcp"]
    assert alpha.decisions(status="pending") == []
    assert alpha.read(homes.mcp) == good["alpha"]
    beta.write(homes.mcp, good["beta"])
    alpha.until_synced()
    assert beta.roosync("quarantine", "show").code == 0


def test_what_was_meant_is_released_and_then_it_is_a_decision(two, homes, waiting):
    alpha, beta = two
    good = beta.read(homes.mcp)
    beta.write(homes.mcp, '{"mcpServers": {}}\n')
    waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
    assert beta.roosync("compare", codes=(4,)).code == 4
    beta.fails("quarantine", "release", "roo.modes", says=["'roo.modes' is not quarantined", "roo.mcp"])
    beta.roosync("quarantine", "release", "roo.mcp")
    waiting("three decisions", lambda: len(alpha.decisions(machine="beta", status="pending")) == 3)
    assert alpha.row("alpha")["state"] == "synced", "nothing happens elsewhere"
    beta.write(homes.mcp, good)
    alpha.until_synced()
    assert alpha.decisions(status="pending") == []


# -- silence


def test_a_machine_that_is_off_is_named_and_the_code_is_five(two, homes, waiting):
    alpha, beta = two
    assert beta.stop() == 0
    waiting("alpha misses beta", lambda: alpha.row("beta")["seen"] == "silent")
    ran = alpha.roosync("status", codes=(5,))
    assert "the machine to come back" in ran.out
    beta.write(homes.memory, beta.read(homes.memory) + b"Be short.\r\n")
    compared = beta.json("compare", codes=(3,))  # no agent runs here: the command does it by itself
    assert compared["divergences_count"] == 1
    beta.up("agent")
    asked = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    alpha.roosync("approve", asked["id"], "--yes")
    alpha.until_synced()


def test_a_decision_that_is_asked_again_and_again_stays_one_record(two, homes):
    """Longer than the broker keeps words of one speaker; who reads it anew sees what the others see."""
    alpha, beta = two
    agreed = beta.read(homes.mcp)
    for seconds in (1, 2, 3):
        beta.write(homes.mcp, agreed.replace(b'"timeout": 60', b'"timeout": %d' % seconds))
        asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
        alpha.roosync("decision", "approve", asked["id"], "--yes")
        alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")
    for seconds in (4, 5, 6):
        beta.write(homes.mcp, agreed.replace(b'"timeout": 60', b'"timeout": %d' % seconds))
        alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
        beta.write(homes.mcp, agreed)
        alpha.decision("superseded", machine="beta", entity="roo.mcp/fetch")
    beta.stop()
    beta.up("agent")
    beta.write(homes.mcp, agreed.replace(b'"timeout": 60', b'"timeout": 7'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    cards = [site.json("decision", "show", asked["id"]) for site in two]
    assert [(card["attempt"], card["refused"]) for card in cards] == [(asked["attempt"], [])] * 2
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    assert beta.read(homes.mcp) == agreed


def test_the_founding_formats_are_exported(two):
    alpha, _ = two
    alpha.roosync("export", str(alpha.base / "out"))
    dashboard = json.loads((alpha.base / "out" / "sync-dashboard.json").read_text())
    assert dashboard["overallStatus"] == "synced"
    assert list(dashboard["machines"]) == ["alpha", "beta"]
    assert (alpha.base / "out" / "configs" / "incoming" / "beta" / "manifest.json").exists()
    assert "roo.mcp/github" in (alpha.base / "out" / "configs" / "baseline.json").read_text()
