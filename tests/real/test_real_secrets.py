"""Real files: what is public in them stays, what is planted among them does not get out."""

import json

import pytest
import yaml
from msgspec.structs import replace

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.portable import Places, to_local, to_portable
from roosync_protocol.risk import Risk, assess
from roosync_protocol.secrets import find_secrets, hide, reveal
from roosync_protocol.servers import common_form

WINDOWS = Places(os="windows", home=r"C:\Users\jsboi", workspaces={"roo": r"c:\dev\roo-extensions"})


def entities(real):
    for path in sorted((real / "settings").glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        for name, value in content.get("settings", content).items():
            yield Entity(key=f"roo.profiles/{name}", kind=Kind.SETTING, value=value)
    for server in json.loads((real / "mcp/servers.json").read_text("utf-8"))["servers"]:
        yield Entity(key=f"roo.mcp/{server['name']}", kind=Kind.MCP_SERVER, value=server)
    for name, server in json.loads((real / "mcp/dot-mcp.json.example").read_text("utf-8"))["mcpServers"].items():
        yield Entity(key=f"claude.mcp/{name}", kind=Kind.MCP_SERVER, value=server)
    for mode in yaml.safe_load((real / "modes/custom_modes.yaml").read_text("utf-8"))["customModes"]:
        yield Entity(key=f"roo.modes/{mode['slug']}", kind=Kind.MODE, value=mode)
    for path in sorted((real / "rules").glob("*.md")):
        yield Entity(key=f"roo.rules/rules/{path.name}", kind=Kind.TEXT, value=path.read_text("utf-8"))


def test_nothing_of_the_real_files_is_taken_for_a_secret(real):
    checked = 0
    for entity in entities(real):
        assert hide(entity) == (entity, {}), entity.key
        assert not find_secrets(entity.value), entity.key
        checked += 1
    assert checked > 150


def test_secrets_planted_in_real_servers_are_hidden(real):
    for entity in entities(real):
        if entity.kind is not Kind.MCP_SERVER:
            continue
        planted = {
            **entity.value,
            "env": {**entity.value.get("env", {}), "PLANTED_TOKEN": "hunterzwei"},
            "args": [*entity.value.get("args", []), "--api-key", "hunterdrei"],
        }
        public, secrets = hide(Entity(key=entity.key, kind=entity.kind, value=planted))
        shown = json.dumps(public.value)
        assert "hunterzwei" not in shown
        assert "hunterdrei" not in shown
        assert set(secrets.values()) == {"hunterzwei", "hunterdrei"}
        assert reveal(public, secrets).value == planted


def test_paths_of_real_files_settle(real):
    tokens = 0
    for entity in entities(real):
        if entity.kind is Kind.MCP_SERVER:  # as it is collected
            entity = replace(entity, value=common_form(entity.value))
        public = to_portable(entity, WINDOWS)
        assert to_portable(to_local(public, WINDOWS), WINDOWS) == public
        tokens += json.dumps(public.value).count("${home}") + json.dumps(public.value).count("${workspace:roo}")
        if entity.kind in (Kind.MODE, Kind.TEXT):
            assert public == entity
    assert tokens > 5


@pytest.mark.parametrize(("one", "other"), [("ai-01", "po-2023"), ("po-2023", "ai-01")])
def test_the_settings_of_two_machines_are_all_known_to_the_rules(real, one, other):
    first, second = (
        json.loads((real / f"settings/myia-{name}-settings-baseline.json").read_text("utf-8"))["settings"]
        for name in (one, other)
    )
    unknown = {}
    for name in sorted(first.keys() | second.keys()):
        found = assess(f"roo.profiles/{name}", Kind.SETTING, first.get(name), second.get(name))
        if any("no rule knows" in reason for reason in found.reasons):
            unknown[name] = found.reasons
    assert not unknown


def test_a_docker_socket_is_critical(real):
    servers = json.loads((real / "mcp/servers.json").read_text("utf-8"))["servers"]
    docker = next(server for server in servers if server["name"] == "docker")
    assert assess("roo.mcp/docker", Kind.MCP_SERVER, None, docker).risk is Risk.CRITICAL
