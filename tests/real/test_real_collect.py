"""Real files of real machines in a home folder: collected whole, edited by a line, put back byte for byte."""

import difflib
import json
import shutil
from datetime import UTC, datetime

import pytest

from roosync_agent.applying.apply import execute
from roosync_agent.applying.plan import plan
from roosync_agent.applying.rollback import roll_back
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, plain
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.secrets import find_secrets
from roosync_protocol.wipe import degraded

ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
NOW = datetime(2026, 1, 16, tzinfo=UTC)
DOOR = RealDoor()
SETTINGS = plain("roo.settings", "settings.json", container=("settings",))


@pytest.fixture
def lay(real, tmp_path):
    """Puts a real file at a place of the home; returns the path."""

    def put(name, place):
        path = tmp_path / "ana" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(real / name, path)
        return path

    return put


def look(tmp_path, specs=TABLE):
    return collect(DOOR, layout(DOOR, tmp_path / "ana", {}, "posix"), specs)


MODES = {
    "modes/custom_modes.yaml": 10,
    "modes/simple-complex.roomodes": 10,
    "modes/standard-modes.json": 26,
}


@pytest.mark.parametrize(("name", "count"), MODES.items())
def test_modes_are_collected_in_either_format(lay, tmp_path, name, count):
    lay(name, ROO + "custom_modes.yaml")
    found = look(tmp_path)
    assert found.skipped == ()
    assert len(found.entities) == count
    assert not any(find_secrets(entity.value) for entity in found.entities.values())


def test_a_file_that_is_not_valid_stops_nothing(lay, tmp_path, real):
    lay("modes/n2-standard-modes.json", ROO + "custom_modes.yaml")
    lay("mcp/dot-mcp.json.example", ROO + "mcp_settings.json")
    for file in sorted((real / "rules").iterdir()):
        lay(f"rules/{file.name}", f".roo/rules/{file.name}")
    found = look(tmp_path)
    [skipped] = found.skipped
    assert skipped.path.endswith("custom_modes.yaml")
    assert "line " in skipped.reason
    assert set(found.skipped_targets) == {"roo.modes"}
    assert sum(key.startswith("roo.mcp/") for key in found.entities) == 5
    assert sum(key.startswith("roo.rules/") for key in found.entities) == 4
    assert str(found.entities["roo.rules/rules/00-securite.md"].value).startswith("# Regles de Securite\n")


def test_the_degraded_capture_is_seen_as_what_it_is(lay, tmp_path):
    path = lay("settings/myia-po-2023-settings-baseline.json", "settings.json")
    before = look(tmp_path, [SETTINGS])
    assert len(before.entities) == 79
    lay("settings/myia-po-2025-settings-baseline.json", "settings.json")
    after = look(tmp_path, [SETTINGS])
    assert set(degraded(before.entities, before.sizes, after.entities, after.sizes)) == {"roo.settings"}
    path.write_bytes(b"")
    emptied = look(tmp_path, [SETTINGS])
    assert set(degraded(before.entities, before.sizes, emptied.entities, emptied.sizes)) == {"roo.settings"}


EDITS = {
    "YAML modes": (
        "modes/custom_modes.yaml",
        ROO + "custom_modes.yaml",
        "roo.modes/code-complex",
        lambda value: value | {"description": "Autre chose : « simple »"},
        (1, 1),
    ),
    "a YAML mode goes": ("modes/custom_modes.yaml", ROO + "custom_modes.yaml", "roo.modes/code-complex", None, None),
    "a group of a mode": (
        "modes/custom_modes.yaml",
        ROO + "custom_modes.yaml",
        "roo.modes/code-simple",
        lambda value: value | {"groups": [*value["groups"], "command"]},
        (0, 1),
    ),
    "an MCP server": (
        "mcp/dot-mcp.json.example",
        ROO + "mcp_settings.json",
        "roo.mcp/playwright",
        lambda value: value | {"disabled": False},
        (1, 1),
    ),
    "a setting": (
        "settings/myia-ai-01-settings-baseline.json",
        "settings.json",
        "roo.settings/autoCondenseContextPercent",
        lambda value: 42,
        (1, 1),
    ),
    "a rule": (
        "rules/00-securite.md",
        ".roo/rules/00-securite.md",
        "roo.rules/rules/00-securite.md",
        lambda value: value + "- Une règle de plus.\n",
        (0, 1),
    ),
}


@pytest.mark.parametrize(("name", "place", "key", "change", "lines"), EDITS.values(), ids=EDITS)
def test_a_real_file_is_edited_by_a_line_and_put_back_byte_for_byte(lay, tmp_path, name, place, key, change, lines):
    path = lay(name, place)
    original = path.read_bytes()
    specs = [*TABLE, SETTINGS]
    found = look(tmp_path, specs)
    before = found.entities[key]
    wanted = None if change is None else Entity(key=key, kind=before.kind, value=change(before.value))
    made = plan(DOOR, found, {key: wanted})
    assert not made.refusals
    outcome = execute(made, DOOR, tmp_path / "state", label="d-1", now=NOW, collect_again=lambda: look(tmp_path, specs))
    assert outcome.status == "applied", outcome.log
    diff = list(difflib.ndiff(original.decode().splitlines(), path.read_bytes().decode().splitlines()))
    gone, new = ([line for line in diff if line.startswith(sign)] for sign in "-+")
    if lines is None:
        assert not new
    else:
        assert (len(gone), len(new)) == lines
    back = roll_back(
        outcome.snapshot,
        DOOR,
        tmp_path / "state",
        look(tmp_path, specs),
        now=NOW,
        collect_again=lambda: look(tmp_path, specs),
    )
    assert back.status == "applied", back.log
    assert path.read_bytes() == original


def test_nothing_is_written_when_everything_is_wanted_as_it_is(lay, tmp_path):
    lay("modes/custom_modes.yaml", ROO + "custom_modes.yaml")
    lay("mcp/dot-mcp.json.example", ROO + "mcp_settings.json")
    lay("settings/myia-po-2023-settings-baseline.json", "settings.json")
    found = look(tmp_path, [*TABLE, SETTINGS])
    assert len(found.entities) == 10 + 5 + 79
    made = plan(DOOR, found, found.entities)
    assert (made.changes, made.refusals) == ((), {})


def test_planted_secrets_do_not_leave_a_real_file(lay, tmp_path, real):
    servers = json.loads((real / "mcp/dot-mcp.json.example").read_bytes())["mcpServers"]
    secrets = []
    for number, server in enumerate(servers.values()):
        secrets += [f"ghp_FAKE{number}{'Zq7x' * 8}", f"sk-FAKE{number}{'Wv3k' * 8}"]
        server.setdefault("env", {})["SERVICE_TOKEN"] = secrets[-2]
        server["args"] = [*server.get("args", []), "--api-key", secrets[-1]]
    path = tmp_path / "ana" / ROO / "mcp_settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mcpServers": servers}))
    found = look(tmp_path)
    assert len(found.entities) == len(servers)
    told = repr(found) + repr([content.entities for content in found.contents()])
    assert [secret for secret in secrets if secret in told] == []
    assert sorted(found.secrets.values()) == sorted(secrets)
    assert all(entity.kind is Kind.MCP_SERVER for entity in found.entities.values())


EVERY = {
    "YAML modes": ("modes/custom_modes.yaml", ROO + "custom_modes.yaml"),
    "JSON modes": ("modes/standard-modes.json", ROO + "custom_modes.yaml"),
    "one-line modes": ("modes/simple-complex.roomodes", ROO + "custom_modes.yaml"),
    "servers": ("mcp/dot-mcp.json.example", ROO + "mcp_settings.json"),
    "settings": ("settings/myia-ai-01-settings-baseline.json", "settings.json"),
}


@pytest.mark.parametrize(("name", "place"), EVERY.values(), ids=EVERY)
def test_entities_are_changed_and_removed_in_their_own_lines(lay, tmp_path, name, place):
    """One after the other: every other entity, and every other line, stays."""
    path = lay(name, place)
    original = path.read_bytes().decode()
    found = look(tmp_path, [*TABLE, SETTINGS])
    assert found.entities
    step = max(1, len(found.entities) // 13)
    for key, entity in list(found.entities.items())[::step]:
        changed = entity.value | {"timeout": 7} if isinstance(entity.value, dict) else 7
        for wanted in (changed, None):
            made = plan(DOOR, found, {key: None if wanted is None else Entity(key=key, kind=entity.kind, value=wanted)})
            assert not made.refusals
            [change] = made.changes
            new = change.after.decode()
            removed, added = changed_lines(original, new)
            assert removed <= (1 + whole(entity) if wanted is None else 2 + whole(entity)), key
            assert added <= (1 if wanted is None else 3), (key, added)
            path.write_bytes(change.after)
            after = look(tmp_path, [*TABLE, SETTINGS])
            assert {k: e for k, e in after.entities.items() if k != key} == {
                k: e for k, e in found.entities.items() if k != key
            }
            assert (key in after.entities) is (wanted is not None)
            path.write_bytes(original.encode())


def changed_lines(old, new):
    removed = added = 0
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            removed, added = removed + i2 - i1, added + j2 - j1
    return removed, added


def whole(entity):
    """At most so many lines an entity takes, however it is laid out."""
    return json.dumps(entity.value, indent=1).count("\n") + json.dumps(entity.value).count("\\n") + 2
