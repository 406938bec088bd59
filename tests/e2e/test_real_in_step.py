"""The settings of real machines come into step from the command line, with a handful of questions.

Each home has the captured settings of one machine in the file that Roo Code's auto-import setting names. The machine
whose capture is degraded has no say: its emptiness is nobody's deletion, and what it lacks is offered to it.
"""

import json

import pytest

MACHINES = ("myia-ai-01", "myia-po-2023", "myia-po-2025")
USER = ".config/Code/User"
SETTINGS = "roo-settings.json"
# What two people could well want differently; everything else of about 78 settings is equal, or settles itself.
ASKED = {
    "allowedCommands",  # would allow more on each machine
    "alwaysAllowWriteOutsideWorkspace",
    "codebaseIndexConfig",  # http or https
    "condensingApiConfigId",
    "deniedCommands",
    "enableMcpServerCreation",
    "experiments",
    "profileThresholds",
}


def lay(site, real):
    site.write(f"{USER}/settings.json", json.dumps({"roo-cline.autoImportSettingsPath": f"~/{SETTINGS}"}))
    site.write(f"{USER}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", '{"mcpServers": {}}')
    site.write(SETTINGS, (real / "settings" / f"{site.name}-settings-baseline.json").read_bytes())
    return site


def settings(site):
    return json.loads(site.read(SETTINGS).decode("utf-8-sig"))["settings"]


@pytest.fixture(scope="module")
def machines(fleets, real):
    fleet = fleets()
    first, *others = [lay(fleet.site(name), real) for name in MACHINES]
    fleet.found(first)
    for site in others:
        fleet.join(first, site)
    first.before = {site.name: settings(site) for site in fleet.sites.values()}
    return fleet


def test_a_handful_of_questions_each_worth_asking(machines, waiting):
    first = machines.sites[MACHINES[0]]
    waiting("a proposal", lambda: (first.status() or {}).get("proposal"))
    proposal = waiting(
        "a proposal of everybody", lambda: (seen := first.ask("baseline_show")) and len(seen["machines"]) == 3 and seen
    )
    assert {question["key"].removeprefix("roo.profiles/") for question in proposal["arbitrations"]} == ASKED
    assert MACHINES[2] in str(proposal["excluded"])
    assert len(proposal["commons"]) > 55


def test_everybody_is_in_step_and_nothing_was_lost(machines):
    first = machines.sites[MACHINES[0]]
    machines.agree(first)
    for name in MACHINES[:2]:
        before, after = first.before[name], settings(machines.sites[name])
        assert before.keys() <= after.keys()
        assert {m["name"]: m["id"] for m in before["listApiConfigMeta"]} == {
            m["name"]: m["id"] for m in after["listApiConfigMeta"]
        }, "every machine keeps its own ids"
        assert set(before["allowedCommands"]) == set(after["allowedCommands"])
        assert set(before["deniedCommands"]) <= set(after["deniedCommands"])
        assert before["customModes"] == after["customModes"]
        assert after["alwaysAllowWriteOutsideWorkspace"] is False


def test_agreeing_again_asks_nothing(machines):
    first = machines.sites[MACHINES[0]]
    proposed = first.json("baseline", "propose")
    asked = [question["key"] for question in proposed["arbitrations"]]
    assert asked == [], asked
    assert "synced" in first.states()
