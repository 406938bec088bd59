"""The inventory: names and versions of what is here, and nothing that is anybody's business alone."""

import json

import pytest

from roosync_agent.collecting.inventory import LIST_LIMIT, take_inventory

TOKEN = "ghp_" + "FAKEfake" * 4 + "1234"


def inventory(home):
    return take_inventory(home.door, home.layout(), home.collect())


@pytest.fixture
def full(home):
    home.write(home.MCP, json.dumps({"mcpServers": {"gh": {"command": "npx", "env": {"API_KEY": TOKEN}}}}))
    home.write(home.MODES, "customModes: [{slug: code, name: Code}]")
    home.write(".roo/rules/a.md", "a")
    home.write(".claude/CLAUDE.md", f"my token is {TOKEN}")
    return home


def test_it_names_what_is_here(full):
    full.write(".vscode/extensions/rooveterinaryinc.roo-cline-3.25.1/package.json", '{"version": "3.25.1"}')
    found = inventory(full)
    assert found["os"] == "posix"
    assert found["mcp_servers"] == ["roo.mcp/gh"]
    assert found["modes"] == ["roo.modes/code"]
    assert found["rules"] == ["roo.rules/rules/a.md"]
    assert {"name": "Roo Code", "version": "3.25.1"} in found["assistants"]
    assert {"name": "Claude Code", "version": "unknown"} in found["assistants"]
    assert found["paths"]["roo.rules"] == "${home}/.roo"
    assert found["targets"] == sorted(found["targets"])


def test_it_holds_no_secret_and_no_path_of_this_machine(full):
    text = json.dumps(inventory(full))
    assert TOKEN not in text
    assert str(full.base) not in text
    assert "CLAUDE.md" in text  # that it was left out is told, with the reason


def test_it_is_the_same_when_nothing_changed(full):
    assert inventory(full) == inventory(full)


VERSIONS = {
    "from the manifest": ("rooveterinaryinc.roo-cline-3.0.0", '{"version": "3.25.1"}', "3.25.1"),
    "from the folder's name": ("rooveterinaryinc.roo-cline-3.0.0", None, "3.0.0"),
    "a broken manifest": ("rooveterinaryinc.roo-cline-3.0.0", "{", "3.0.0"),
    "a manifest of another shape": ("rooveterinaryinc.roo-cline-3.0.0", "[]", "3.0.0"),
    "a manifest too deep": ("rooveterinaryinc.roo-cline-3.0.0", "[" * 200_000, "3.0.0"),
    "another extension": ("ms-python.python-2026.1.0", '{"version": "2026.1.0"}', "unknown"),
}


@pytest.mark.parametrize(("folder", "manifest", "version"), VERSIONS.values(), ids=VERSIONS)
def test_the_version_of_an_extension(home, folder, manifest, version):
    (home.base / ".vscode/extensions" / folder).mkdir(parents=True)
    if manifest is not None:
        home.write(f".vscode/extensions/{folder}/package.json", manifest)
    assert {"name": "Roo Code", "version": version} in inventory(home)["assistants"]


def test_an_empty_home_has_an_inventory_too(new_home):
    found = inventory(new_home())
    assert (found["assistants"], found["mcp_servers"], found["targets"]) == ([], [], [])


def test_a_folder_full_of_names_does_not_silence_the_machine(home):
    for number in range(1500):
        home.write(f".roo/rules/{'x' * 110}/{'y' * 110}-{number}.md", "x")
    found = inventory(home)
    assert len(json.dumps(found["rules"])) < LIST_LIMIT + 1000
    assert found["rules"][-1].startswith("... and ")
