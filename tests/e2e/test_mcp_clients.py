"""Other people's MCP clients on a real machine: both TypeScript SDKs and the inspector, over a pipe and over HTTP."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1] / "clients"
FOLDER = os.environ.get("ROOSYNC_TEST_CLIENTS", "")
COMMAND = [sys.executable, "-m", "roosync_agent", "mcp"]
WATCHED = "roosync://dashboard"


@pytest.fixture(scope="module")
def npm():
    """The folder in which the clients are installed."""
    if not (Path(FOLDER) / "node_modules" / "@modelcontextprotocol").is_dir() or not FOLDER:
        if os.environ.get("ROOSYNC_REQUIRE_CLIENTS"):
            pytest.fail(f"MCP clients are required and not in {FOLDER or 'ROOSYNC_TEST_CLIENTS'}")
        pytest.skip(
            "no MCP clients: ROOSYNC_TEST_CLIENTS names a folder in which tests/clients/package.json is installed"
        )
    return Path(FOLDER)


@pytest.fixture(scope="module")
def site(pair):
    return pair.sites["alpha"]


@pytest.fixture(scope="module")
def served(site, waiting):
    """`roosync mcp --http` on this machine: address and token."""
    log = site.base / "http.log"
    with log.open("wb") as file:
        process = subprocess.Popen([*COMMAND, "--http", "--port", "0"], env=site.env, stdout=file, stderr=file)
    address = waiting("an address", lambda: re.search(r"http://127\.0\.0\.1:[0-9]+/mcp", log.read_text()))
    yield address[0], (site.state / "mcp-token").read_text().strip()
    process.terminate()
    assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("way", ["pipe", "http"])
@pytest.mark.parametrize("sdk", ["sdk", "client"], ids=["handshake", "2026"])
def test_a_typescript_client_reads_and_is_told(npm, site, homes, request, sdk, way):
    asked = {"sdk": sdk, "watch": WATCHED}
    if way == "pipe":
        asked |= {"command": COMMAND, "env": site.env}
    else:
        asked |= dict(zip(("url", "token"), request.getfixturevalue("served"), strict=True))
    node = subprocess.Popen(
        ["node", str(HERE / "mcp.mjs")],
        env=os.environ | {"ROOSYNC_TEST_CLIENTS": str(npm)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    rule = f".roo/rules/{sdk}-{way}.md"
    try:
        node.stdin.write(json.dumps(asked) + "\n")
        node.stdin.flush()
        told = json.loads(node.stdout.readline())
        assert "error" not in told, told["error"]
        assert {"roosync_get_status", "roosync_approve_decision", "roosync_read_inbox"} <= set(told["ready"])
        assert told["schemas"]
        assert told["wrong"]
        assert told["refused"]
        assert told["status"]["next"] is not None
        assert WATCHED in told["resources"]
        assert json.loads(told["text"])["overview"]["fleet"] == "e2e"
        assert "d-1" in told["prompt"]
        before = (site.path(homes.rule)).read_text()
        site.write(homes.rule, before + f"\n- {sdk} {way}\n")  # a drift: a decision waits for a person
        told = json.loads(node.stdout.readline())
        assert set(told["updated"]) == {WATCHED, "list"}, (told, rule)
        assert node.wait(20) == 0
    finally:
        node.kill()
        site.write(homes.rule, before)
        site.until_synced()


def inspector(npm, *words):
    done = subprocess.run(
        [str(npm / "node_modules/.bin/mcp-inspector"), "--cli", *words],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"HOME": str(npm)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("way", ["pipe", "http"])
def test_the_inspector_lists_calls_and_reads(npm, site, request, tmp_path, way):
    if way == "pipe":
        start = tmp_path / "start"  # one word: the inspector takes options of a server for its own
        start.write_text(f"#!/bin/sh\nexec {shlex.join(COMMAND)}\n")
        start.chmod(0o700)
        names = ("ROOSYNC_STATE", "ROOSYNC_HOME")  # of our environment it hands on little else
        target = [*(part for name in names for part in ("-e", f"{name}={site.env[name]}")), str(start)]
    else:
        address, token = request.getfixturevalue("served")
        target = [address, "--transport", "http", "--header", f"Authorization: Bearer {token}"]
    code, out, err = inspector(npm, *target, "--method", "tools/list", "--strict")
    assert code == 0, err
    assert {"roosync_get_status", "roosync_list_diffs"} <= {tool["name"] for tool in json.loads(out)["tools"]}
    code, out, err = inspector(npm, *target, "--method", "tools/call", "--tool-name", "roosync_get_status")
    assert code == 0, err
    assert not json.loads(out).get("isError")
    code, out, err = inspector(npm, *target, "--method", "resources/read", "--uri", "roosync://dashboard")
    assert code == 0, err
    assert json.loads(json.loads(out)["contents"][0]["text"])["machines"].keys() == {"alpha", "beta"}
    code, out, err = inspector(npm, *target, "--method", "prompts/list")
    assert "explain_decision" in out, err
