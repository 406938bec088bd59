"""Where every row of the table is on each system, with and without the variables that move folders."""

import re

import pytest

from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.places import layout
from roosync_agent.collecting.watch import watched
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate

DOOR = RealDoor()
SYSTEMS = ("windows", "macos", "posix")
USER = {
    "windows": "AppData/Roaming/Code/User",
    "macos": "Library/Application Support/Code/User",
    "posix": ".config/Code/User",
}
ZED = {"windows": "AppData/Roaming/Zed", "macos": ".config/zed", "posix": ".config/zed"}
STORAGE = "{user}/globalStorage/"
AT = {  # below the home folder; {user} and {zed} differ by system, {w} is a project
    "roo.modes": STORAGE + "rooveterinaryinc.roo-cline/settings/custom_modes.yaml",
    "roo.mcp": STORAGE + "rooveterinaryinc.roo-cline/settings/mcp_settings.json",
    "roo.rules": ".roo",
    "roo.project-modes": "{w}/.roomodes",
    "roo.project-mcp": "{w}/.roo/mcp.json",
    "roo.project-rules": "{w}/.roo",
    "zoo.modes": STORAGE + "zoocodeorganization.zoo-code/settings/custom_modes.yaml",
    "zoo.mcp": STORAGE + "zoocodeorganization.zoo-code/settings/mcp_settings.json",
    "zoo.rules": ".zoo",
    "claude.settings": ".claude/settings.json",
    "claude.mcp": ".claude.json",
    "claude.memory": ".claude",
    "claude.project-settings": "{w}/.claude/settings.json",
    "claude.project-mcp": "{w}/.mcp.json",
    "claude.project-memory": "{w}",
    "claude.project-agents": "{w}/.claude",
    "vscode.settings": "{user}/settings.json",
    "vscode.mcp": "{user}/mcp.json",
    "vscode.mcp-inputs": "{user}/mcp.json",
    "vscode.project-mcp": "{w}/.vscode/mcp.json",
    "vscode.project-mcp-inputs": "{w}/.vscode/mcp.json",
    "cline.mcp": STORAGE + "saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
    "cline.mcp-shared": ".cline/data/settings/cline_mcp_settings.json",
    "cursor.mcp": ".cursor/mcp.json",
    "cursor.rules": ".cursor",
    "cursor.project-mcp": "{w}/.cursor/mcp.json",
    "cursor.project-rules": "{w}/.cursor",
    "codex.config": ".codex/config.toml",
    "codex.mcp": ".codex/config.toml",
    "codex.memory": ".codex",
    "codex.project-mcp": "{w}/.codex/config.toml",
    "codex.project-memory": "{w}",
    "gemini.settings": ".gemini/settings.json",
    "gemini.mcp": ".gemini/settings.json",
    "gemini.memory": ".gemini",
    "gemini.project-mcp": "{w}/.gemini/settings.json",
    "gemini.project-memory": "{w}",
    "opencode.config": ".config/opencode/opencode.json",
    "opencode.mcp": ".config/opencode/opencode.json",
    "opencode.memory": ".config/opencode",
    "windsurf.mcp": ".codeium/windsurf/mcp_config.json",
    "windsurf.memory": ".codeium/windsurf/memories",
    "windsurf.project-rules": "{w}/.windsurf",
    "zed.settings": "{zed}/settings.json",
    "zed.mcp": "{zed}/settings.json",
    "zed.project-mcp": "{w}/.zed/settings.json",
    "continue.config": ".continue/config.yaml",
    "continue.mcp": ".continue/config.yaml",
    "continue.rules": ".continue",
}


def spec(name):
    [found] = [spec for spec in TABLE if spec.name == name]
    return found


def found(name, here, door=DOOR):
    return [(target.name, target.file, target.present) for target in locate(spec(name), here, door)]


def test_every_row_is_here():
    assert {one.name for one in TABLE if not one.setting} == set(AT)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_row_is_where_its_assistant_has_it(tmp_path, system):
    here = layout(DOOR, tmp_path, {}, system, workspaces={"shop": "~/code/shop"})
    paths = {name: tmp_path / at.format(user=USER[system], zed=ZED[system], w="code/shop") for name, at in AT.items()}
    shown = {name: f"{name}@shop" if "{w}" in at else name for name, at in AT.items()}
    for name, path in paths.items():
        assert found(name, here) == [(shown[name], path, False)], name
    for name, path in paths.items():
        folder = tmp_path / ".claude" if name == "claude.mcp" else path.parent if spec(name).file else path
        (folder.parent if folder.name == "settings" else folder).mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        assert found(name, here) == [(shown[name], path, True)], name


VARIABLES = [
    ("posix", "XDG_CONFIG_HOME", "roo.mcp", "{moved}/Code/User"),
    ("posix", "XDG_CONFIG_HOME", "zed.mcp", "{moved}/zed/settings.json"),
    ("posix", "XDG_CONFIG_HOME", "opencode.mcp", "{moved}/opencode/opencode.json"),
    ("macos", "XDG_CONFIG_HOME", "opencode.mcp", "{moved}/opencode/opencode.json"),
    ("macos", "XDG_CONFIG_HOME", "zed.mcp", "{home}/.config/zed/settings.json"),
    ("macos", "XDG_CONFIG_HOME", "vscode.mcp", "{home}/Library/Application Support/Code/User/mcp.json"),
    ("windows", "XDG_CONFIG_HOME", "opencode.config", "{moved}/opencode/opencode.json"),
    ("windows", "APPDATA", "vscode.mcp", "{moved}/Code/User/mcp.json"),
    ("windows", "APPDATA", "zed.settings", "{moved}/Zed/settings.json"),
    ("posix", "CODEX_HOME", "codex.config", "{moved}/config.toml"),
    ("posix", "CODEX_HOME", "codex.mcp", "{moved}/config.toml"),
    ("posix", "CLAUDE_CONFIG_DIR", "claude.settings", "{moved}/settings.json"),
    ("macos", "CLAUDE_CONFIG_DIR", "claude.mcp", "{moved}/.claude.json"),
    ("windows", "CLAUDE_CONFIG_DIR", "claude.memory", "{moved}"),
    ("posix", "GEMINI_CLI_HOME", "gemini.mcp", "{moved}/.gemini/settings.json"),
    ("posix", "CLINE_DIR", "cline.mcp-shared", "{moved}/data/settings/cline_mcp_settings.json"),
    ("posix", "CONTINUE_GLOBAL_DIR", "continue.mcp", "{moved}/config.yaml"),
    ("posix", "OPENCODE_CONFIG", "opencode.mcp", "{home}/.config/opencode/opencode.json"),  # it adds a file
]


@pytest.mark.parametrize(("system", "variable", "name", "at"), VARIABLES)
@pytest.mark.parametrize("whose", ["own", "another's"])
def test_a_variable_moves_what_its_assistant_says(tmp_path, system, variable, name, at, whose):
    """Of another home it is not believed: there it says where another person's files are."""
    home, moved = tmp_path / "ana", tmp_path / "moved"
    home.mkdir()
    moved.mkdir()
    own = home if whose == "own" else tmp_path / "ben"
    here = layout(DOOR, home, {"HOME": str(own), variable: str(moved)}, system)
    [(_, path, _)] = found(name, here)
    unmoved = found(name, layout(DOOR, home, {}, system))[0][1]
    assert str(path).startswith(at.format(home=home, moved=moved)) if whose == "own" else path == unmoved


FAMILY = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
SEVERAL = {
    "vscode.settings": ["vscode.settings", *(f"vscode.settings@{one}" for one in FAMILY[1:])],
    "vscode.mcp": ["vscode.mcp", "vscode.mcp@Code - Insiders", "vscode.mcp@VSCodium", "vscode.mcp@server"],
    "cline.mcp": ["cline.mcp", *(f"cline.mcp@{one}" for one in (*FAMILY[1:], "server"))],
}
SHORT = {"Code - Insiders": "insiders", "VSCodium": "vscodium", "Cursor": "cursor", "Windsurf": "windsurf"}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_editors_have_a_target_each_where_they_read_such_a_file(tmp_path, name):
    users = [tmp_path / ".config" / one / "User" for one in FAMILY] + [tmp_path / ".vscode-server/data/User"]
    for user in users:
        (user / "globalStorage/saoudrizwan.claude-dev").mkdir(parents=True)
    wanted = [re.sub("@(.*)", lambda found: "@" + SHORT.get(found[1], found[1]), one) for one in SEVERAL[name]]
    assert [target.name for target in locate(spec(name), layout(DOOR, tmp_path, {}, "posix"), DOOR)] == wanted


def test_opencode_has_one_of_two_names(tmp_path):
    here = layout(DOOR, tmp_path, {}, "posix")
    folder = tmp_path / ".config/opencode"
    folder.mkdir(parents=True)
    for there, wanted in [
        ((), "opencode.json"),
        (("opencode.json",), "opencode.json"),
        (("opencode.jsonc",), "opencode.jsonc"),
        (("opencode.json", "opencode.jsonc"), "opencode.jsonc"),  # both are read, and this one counts more
    ]:
        for name in there:
            (folder / name).write_text("{}")
        assert found("opencode.mcp", here) == [("opencode.mcp", folder / wanted, True)]
        seen = watched(DOOR, here, TABLE)
        assert seen.concerns(folder / wanted)
        assert seen.concerns(folder / "opencode.jsonc")  # once it is there, it is the file
        for name in there:
            (folder / name).unlink()


PROJECT = {
    ".roomodes": '{"customModes": [{"slug": "a", "name": "A"}]}',
    ".roo/mcp.json": '{"mcpServers": {"m": {"command": "x"}}}',
    ".roo/rules-code/a.md": "# A",
    ".mcp.json": '{"mcpServers": {"m": {"command": "x"}}}',
    ".claude/settings.json": '{"model": "opus"}',
    ".claude/settings.local.json": '{"model": "mine"}',
    ".claude/agents/a.md": "# A",
    "CLAUDE.md": "# C",
    "src/CLAUDE.md": "# nested, and not ours",
    ".vscode/mcp.json": '{"inputs": [{"id": "k", "type": "promptString"}], "servers": {"m": {"command": "x"}}}',
    ".vscode/settings.json": '{"chat.agent.enabled": true}',
    ".cursor/mcp.json": '{"mcpServers": {"m": {"command": "x"}}}',
    ".cursor/rules/a.mdc": "# A",
    "AGENTS.md": "# A",
}
OWNED = {
    "roo.project-modes@shop/a",
    "roo.project-mcp@shop/m",
    "roo.project-rules@shop/rules-code/a.md",
    "claude.project-mcp@shop/m",
    "claude.project-settings@shop/model",
    "claude.project-agents@shop/agents/a.md",
    "claude.project-memory@shop/CLAUDE.md",
    "vscode.project-mcp@shop/m",
    "vscode.project-mcp-inputs@shop/k",
    "cursor.project-mcp@shop/m",
    "cursor.project-rules@shop/rules/a.mdc",
    "codex.project-memory@shop/AGENTS.md",
}


@pytest.fixture
def shop(tmp_path):
    for name, text in PROJECT.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "ana").mkdir()
    return layout(DOOR, tmp_path / "ana", {}, "posix", workspaces={"shop": f"{tmp_path}/shop", "gone": "/nowhere"})


def test_a_projects_files_are_found_and_one_that_is_missing_is_absent(shop):
    seen = collect(DOOR, shop, TABLE)
    assert set(seen.entities) == OWNED
    assert not seen.skipped
    assert not any("@gone" in name for name in seen.present)


def test_a_projects_files_are_watched(shop, tmp_path):
    seen = watched(DOOR, shop, TABLE)
    root = tmp_path / "shop"
    for name in PROJECT:
        ours = name not in ("src/CLAUDE.md", ".claude/settings.local.json", ".vscode/settings.json")
        assert seen.concerns(root / name) is ours, name
    for name in (one for one in PROJECT if not one.startswith("src/")):
        path = root / name
        assert path.parent in seen.flat or any(path.is_relative_to(deep) for deep in seen.deep), name


@pytest.mark.parametrize("link", [".roo/rules-code/b.md", ".roo/commands"])
def test_what_lies_beside_the_texts_is_no_text(shop, tmp_path, link):
    """A link in a cloned repository, or a skill, would publish servers with their secrets as prose, and be written."""
    root = tmp_path / "shop/.roo"
    (root / "mcp.json").write_text('{"mcpServers": {"db": {"command": "x", "env": {"ID": "k3PqX9vTz2LmN8wR"}}}}')
    (tmp_path / "shop" / link).unlink(missing_ok=True)
    (tmp_path / "shop" / link).symlink_to(root / "mcp.json" if link.endswith(".md") else root)
    seen = collect(DOOR, shop, TABLE)
    assert "k3PqX9vTz2LmN8wR" not in repr(seen.entities)
    assert any("a link to a file of another kind" in one.reason for one in seen.skipped)


@pytest.mark.parametrize(
    ("link", "target"),
    [(".roo/rules-code/b.md", "secret/b.md"), (".cursor/rules", "secret"), ("CLAUDE.md", "secret/b.md")],
)
def test_nothing_in_a_project_is_followed_out_of_it(shop, tmp_path, link, target):
    """A project comes from others: a link in it may point at anything of this person."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/b.md").write_text("# mine")
    path = tmp_path / "shop" / link
    if path.is_dir():
        (path / "a.mdc").unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / target)
    seen = collect(DOOR, shop, TABLE)
    assert "# mine" not in [one.value for one in seen.entities.values()]
    assert ["it is a link out of its project" in one.reason for one in seen.skipped] == [True]
