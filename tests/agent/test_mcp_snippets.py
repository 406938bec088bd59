"""What `roosync mcp config` prints for each assistant is what roosync itself reads from that assistant's file."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from roosync_agent.cli.mcp import mcp
from roosync_agent.mcp_server import snippets
from roosync_agent.targets import TABLE, locate
from roosync_protocol.entity import Kind

SERVER = {"command": "/opt/roosync", "args": ["mcp"], "env": {"ROOSYNC_STATE": "/srv/état/s"}}
REMOTE = snippets.remote("http://127.0.0.1:7317/mcp")
READS = {"json": json.loads, "jsonc": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}
HOLDERS = [s for s in TABLE if s.kind is Kind.MCP_SERVER and "{workspace}" not in s.folder]


@pytest.fixture
def settings(home, monkeypatch):
    from roosync_agent.settings import load

    for name, value in (("STATE", home.state), ("HOME", home.base)):
        monkeypatch.setenv(f"ROOSYNC_{name}", str(value))
    (home.base / ".claude").mkdir()
    for spec in HOLDERS:  # every assistant is here
        for target in locate(spec, home.layout(), home.door):
            target.file.parent.mkdir(parents=True, exist_ok=True)
    return load()


def test_every_assistant_that_is_managed_can_be_told(settings):
    assert {one.target for one in snippets.snippets(settings, SERVER)} == {spec.name for spec in HOLDERS}
    assert snippets.assistants() == sorted({spec.name.split(".")[0] for spec in HOLDERS})


@pytest.mark.parametrize("value", [SERVER, REMOTE], ids=["pipe", "http"])
def test_what_is_printed_is_read_back(home, settings, value):
    for one in snippets.snippets(settings, value):
        Path(one.file).write_text(one.text, "utf-8")
        assert READS[one.format](one.text)
    read = home.collect().entities
    for spec in HOLDERS:
        found = read[f"{spec.name}/roosync"].value
        if value is SERVER:
            assert (found["command"], found["args"]) == (SERVER["command"], ["mcp"]), spec.name
        else:
            assert found["url"] == REMOTE["url"], spec.name
            told = json.dumps(found["headers"])
            assert "ROOSYNC_MCP_TOKEN" in told or spec.name == "zed.mcp", (spec.name, told)


@pytest.mark.parametrize("spec", HOLDERS, ids=[spec.name for spec in HOLDERS])
def test_the_command_puts_it_beside_what_the_file_has(home, settings, spec):
    """The line is run as it is printed, on a file that has a server already, and twice: the second changes nothing."""
    there = {"command": "npx", "args": ["other"]}
    before = next(one for one in snippets.snippets(settings, there, spec.name))
    text = before.text.replace("roosync", "other-one")
    Path(before.file).write_text(text, "utf-8")
    for round_ in (1, 2):
        (one,) = snippets.snippets(settings, SERVER, spec.name)
        assert one.there == (round_ == 2)
        words = shlex.split(one.edit)
        assert words[:2] == ["roosync", "edit"]
        done = subprocess.run(
            [sys.executable, "-m", "roosync_agent", *words[1:], "--yes"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout
        assert ("Nothing to change" in done.stdout) == (round_ == 2), done.stdout
    read = home.collect().entities
    assert {f"{spec.name}/other-one", f"{spec.name}/roosync"} <= read.keys()


def test_only_those_found_here_without_a_name_and_a_suggestion_for_a_wrong_one(settings, home):
    shutil.rmtree(home.base / ".cursor")
    assert "cursor" not in {one.assistant for one in snippets.snippets(settings, SERVER)}
    (one,) = snippets.snippets(settings, SERVER, "cursor")
    assert not one.here
    run = CliRunner().invoke(mcp, ["config", "gemni"])
    assert "did you mean gemini" in str(run.exception)


def test_the_command_names_an_absolute_program_and_the_folder_of_the_machine(settings):
    run = CliRunner().invoke(mcp, ["config", "claude", "--json"])
    (one,) = json.loads(run.output)
    held = json.loads(one["text"])["mcpServers"]["roosync"]
    assert held["command"].startswith("/")
    assert held["env"] == {"ROOSYNC_STATE": str(settings.state), "ROOSYNC_HOME": str(settings.home)}
    assert one["add"].startswith("claude mcp add --scope user --env ROOSYNC_STATE=")
    assert "Bearer ${ROOSYNC_MCP_TOKEN}" in CliRunner().invoke(mcp, ["config", "claude", "--http"]).output


async def test_what_is_printed_starts_the_server_in_a_bare_environment(settings):
    (one,) = snippets.snippets(settings, snippets.server(snippets.own_command(), os.environ), "claude")
    held = json.loads(one.text)["mcpServers"]["roosync"]
    bare = {"HOME": str(settings.home)}  # an assistant hands on little more
    command = StdioServerParameters(command=held["command"], args=held["args"], env=bare | held["env"])
    async with Client(stdio_client(command)) as client:
        assert client.server_info.name == "roosync"
        answer = await client.call_tool("roosync_list_targets", {})
        assert not answer.is_error, answer.content
        assert str(settings.state) in (await client.call_tool("roosync_get_status", {})).content[0].text
