"""A secret comes from the file, from the same server in another assistant here, or from the keyring: nowhere else."""

import json
from typing import Any

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from roosync_agent.collecting.places import layout
from roosync_agent.keyring_store import KeyringError, KeyringStore, Reference

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"
SERVER = {"command": "npx", "args": ["-y", "git@1"], "env": {"GITHUB_TOKEN": TOKEN}}
HERE = json.dumps({"mcpServers": {"git": SERVER}})
ADDRESS = "roo.mcp/git/env/GITHUB_TOKEN"
WANTED: dict[str, Any] = {"command": "npx", "args": ["-y", "git@1"], "env": {"GITHUB_TOKEN": {"$secret": ADDRESS}}}


def test_the_same_server_of_another_assistant_gives_its_secret(home: Any) -> None:
    home.write(MCP, '{"mcpServers": {}}\n')
    home.write(".claude.json", HERE)
    made = home.plan(("roo.mcp/git", WANTED))
    [change] = made.changes
    assert TOKEN in change.after.decode()
    assert TOKEN not in "".join(text for _, text in made.shown())


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "another program": ("git", {"command": "curl"}),
    "other arguments": ("git", {"args": ["-y", "git@1", "--to", "https://evil.example"]}),
    "a further variable": ("git", {"env": WANTED["env"] | {"NODE_OPTIONS": "--require /tmp/x.js"}}),
    "a variable with another name": ("git", {"env": {"OTHER_TOKEN": {"$secret": "roo.mcp/git/env/OTHER_TOKEN"}}}),
    "an address": ("git", {"url": "https://evil.example/"}),
    "another folder": ("git", {"cwd": "/tmp"}),
    "a file of variables": ("git", {"envFile": "/tmp/x.env"}),
    "a command for headers": ("git", {"headersHelper": "/tmp/x"}),
    "a proxy": ("git", {"requestOptions": {"proxy": "https://evil.example"}}),
    "a field that nobody knows": ("git", {"onStart": "x"}),
    "another name": ("other", {"env": {"GITHUB_TOKEN": {"$secret": "roo.mcp/other/env/GITHUB_TOKEN"}}}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_not_the_same_server_gets_none(home: Any, case: str) -> None:
    home.write(MCP, '{"mcpServers": {}}\n')
    home.write(".claude.json", HERE)
    name, change = OTHERS[case]
    made = home.plan((f"roo.mcp/{name}", WANTED | change))
    assert made.changes == ()
    assert "has no value for" in made.refusals[f"roo.mcp/{name}"]


def test_an_assistants_own_fields_do_not_matter(home: Any) -> None:
    home.write(MCP, '{"mcpServers": {}}\n')
    home.write(".claude.json", HERE)
    made = home.plan(("roo.mcp/git", WANTED | {"alwaysAllow": ["read"], "timeout": 60, "disabled": True}))
    assert TOKEN in made.changes[0].after.decode()


@pytest.mark.parametrize("asks", ["roo.project-mcp@shop", "roo.mcp"])
def test_nothing_goes_between_a_person_and_a_project(home: Any, asks: str) -> None:
    """Whoever wrote the project's files, or reads them, is somebody else."""
    (home.base / "shop").mkdir()
    home.write("shop/.roo/mcp.json", '{"mcpServers": {}}\n' if asks != "roo.mcp" else HERE)
    home.write(MCP, '{"mcpServers": {}}\n' if asks == "roo.mcp" else HERE)
    home.layout = lambda: layout(home.door, home.base, {}, "posix", workspaces={"shop": str(home.base / "shop")})
    address = f"{asks}/git/env/GITHUB_TOKEN"
    made = home.plan((f"{asks}/git", WANTED | {"env": {"GITHUB_TOKEN": {"$secret": address}}}))
    assert made.changes == ()
    assert "has no value for" in made.refusals[f"{asks}/git"]


class Keys(KeyringBackend):
    """A keyring in memory, by the package's own interface."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("the collection is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked("the collection is locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


@pytest.fixture
def keys() -> Any:
    before, mine = keyring.get_keyring(), Keys()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


def test_the_keyring_gives_what_a_person_keeps_for_the_address(home: Any, keys: Keys, tmp_path: Any) -> None:
    store = KeyringStore(tmp_path / "state")
    home.write(MCP, '{"mcpServers": {}}\n')
    refused = home.plan(("roo.mcp/git", WANTED), stored=store.stored)
    assert ADDRESS in refused.refusals["roo.mcp/git"]
    store.keep(ADDRESS, TOKEN)
    made = home.plan(("roo.mcp/git", WANTED), stored=store.stored)
    assert TOKEN in made.changes[0].after.decode()
    assert TOKEN not in "".join(text for _, text in made.shown())
    assert TOKEN not in (tmp_path / "state" / "keyring.json").read_text("utf-8")


def test_what_the_file_has_wins(home: Any, keys: Keys, tmp_path: Any) -> None:
    store = KeyringStore(tmp_path / "state")
    store.keep(ADDRESS, "another")
    home.write(MCP, HERE)
    made = home.plan(("roo.mcp/git", WANTED | {"disabled": True}), stored=store.stored)
    assert TOKEN in made.changes[0].after.decode()
    assert "another" not in made.changes[0].after.decode()


def test_a_reference_to_what_the_keyring_has_already(keys: Keys, tmp_path: Any) -> None:
    store = KeyringStore(tmp_path / "state")
    keys.set_password("github", "ana", TOKEN)
    store.refer(ADDRESS, Reference("github", "ana"))
    assert store.stored(ADDRESS) == TOKEN
    assert store.forget(ADDRESS)
    assert keys.get_password("github", "ana") == TOKEN, "what was there before us stays"
    with pytest.raises(KeyringError, match="has nothing"):
        store.refer(ADDRESS, Reference("github", "ben"))
    assert not store.forget(ADDRESS)


def test_a_keyring_that_does_not_answer_is_told_and_stops_nothing(keys: Keys, tmp_path: Any) -> None:
    store = KeyringStore(tmp_path / "state")
    store.keep(ADDRESS, TOKEN)
    keys.locked = True
    assert store.stored(ADDRESS) is None
    with pytest.raises(KeyringError, match="locked"):
        store.has(ADDRESS)
    (tmp_path / "state" / "keyring.json").write_text("{", "utf-8")
    assert store.stored(ADDRESS) is None
    with pytest.raises(KeyringError, match="can not be read"):
        store.references()
