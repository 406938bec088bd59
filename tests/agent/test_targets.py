"""Where each target is on each system, whatever the process's own home is; and how a person names them."""

from pathlib import Path

import pytest

from roosync_agent.collecting.places import layout, system_of
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate, plain, select

DOOR = RealDoor()
USER = {
    "posix": ".config/Code/User",
    "windows": "AppData/Roaming/Code/User",
    "macos": "Library/Application Support/Code/User",
}
MODES = "globalStorage/rooveterinaryinc.roo-cline/settings/custom_modes.yaml"


def spec(name):
    [found] = [spec for spec in TABLE if spec.name == name]
    return found


@pytest.mark.parametrize(("system", "user"), USER.items())
def test_the_editors_folder_is_found_on_each_system(tmp_path, system, user):
    (tmp_path / user / MODES).parent.mkdir(parents=True)
    [target] = locate(spec("roo.modes"), layout(DOOR, tmp_path, {}, system), DOOR)
    assert (target.name, target.present, target.file) == ("roo.modes", True, tmp_path / user / MODES)


@pytest.mark.parametrize(
    ("editors", "names"),
    {
        (): [("roo.modes", False)],
        ("VSCodium",): [("roo.modes", True)],
        ("Code - Insiders", "Code"): [("roo.modes", True), ("roo.modes@insiders", True)],
        ("Windsurf", "Cursor", "VSCodium"): [
            ("roo.modes", True),
            ("roo.modes@cursor", True),
            ("roo.modes@windsurf", True),
        ],
    }.items(),
)
def test_the_first_editor_with_the_assistant_has_the_plain_name(tmp_path, editors, names):
    (tmp_path / ".config/Code/User").mkdir(parents=True)  # an editor alone is no assistant
    for editor in editors:
        (tmp_path / ".config" / editor / "User" / MODES).parent.mkdir(parents=True)
    found = locate(spec("roo.modes"), layout(DOOR, tmp_path, {}, "posix"), DOOR)
    assert [(target.name, target.present) for target in found] == names


def test_a_remote_server_counts_as_an_editor(tmp_path):
    (tmp_path / ".vscode-server/data/User" / MODES).parent.mkdir(parents=True)
    here = layout(DOOR, tmp_path, {}, "posix")
    [target] = locate(spec("roo.modes"), here, DOOR)
    assert target.present
    assert here.places.vscode_user == str(tmp_path / ".vscode-server/data/User")


RULES = {
    "nothing": ((), set()),
    "Roo Code, and no rule yet": ((".config/VSCodium/User/" + MODES,), {"roo.rules"}),
    "rules, and no editor": ((".roo/rules",), {"roo.rules"}),
    "Zoo Code reads ~/.roo until there is a ~/.zoo": (
        (".config/Code/User/globalStorage/zoocodeorganization.zoo-code",),
        set(),
    ),
    "both": ((".roo", ".zoo"), {"roo.rules", "zoo.rules"}),
}


@pytest.mark.parametrize(("folders", "present"), RULES.values(), ids=RULES)
def test_rules_are_there_where_their_assistant_would_read_them(tmp_path, folders, present):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    here = layout(DOOR, tmp_path, {}, "posix")
    found = [target for spec in select(["rules"]) for target in locate(spec, here, DOOR)]
    assert {target.name for target in found if target.present} == present


VARIABLES = {
    "another home's": ({"HOME": "/root", "XDG_CONFIG_HOME": "/root/cfg"}, ".config"),
    "one's own, elsewhere": ({"HOME": "{home}", "XDG_CONFIG_HOME": "/srv/cfg"}, "/srv/cfg"),
    "inside the given home": ({"HOME": "/root", "XDG_CONFIG_HOME": "{home}/cfg"}, "cfg"),
    "out of it by dots": ({"HOME": "/root", "XDG_CONFIG_HOME": "{home}/../cfg"}, ".config"),
    "no absolute path": ({"HOME": "{home}", "XDG_CONFIG_HOME": "cfg"}, ".config"),
    "empty": ({"HOME": "{home}", "XDG_CONFIG_HOME": ""}, ".config"),
    "none at all": ({}, ".config"),
}


@pytest.mark.parametrize(("environ", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_variables_of_another_home_are_not_believed(tmp_path, environ, expected):
    given = {name: value.replace("{home}", str(tmp_path)) for name, value in environ.items()}
    assert layout(DOOR, tmp_path, given, "posix").settings == tmp_path / expected


def test_a_machine_may_play_windows_on_another_system(tmp_path):
    home = tmp_path / "ana"
    home.mkdir()
    here = layout(DOOR, home, {"PATH": "/usr/bin"}, "windows")
    assert here.base == home
    assert here.places.home == "C:\\Users\\ana"
    assert here.places.vscode_user == "C:\\Users\\ana\\AppData\\Roaming\\Code\\User"
    assert here.places.python == ""  # what this Linux has means nothing there
    assert here.name_of(home / ".roo" / "rules" / "a.md") == "${home}/.roo/rules/a.md"
    assert layout(DOOR, home, {}, "windows", spelled_home="D:\\ana").places.home == "D:\\ana"


def test_file_names_are_shown_without_this_machine_in_them(tmp_path):
    here = layout(DOOR, tmp_path, {}, "posix")
    assert here.name_of(tmp_path / ".config/Code/User" / MODES) == "${vscode_user}/" + MODES
    assert here.name_of(tmp_path / ".claude.json") == "${home}/.claude.json"
    assert here.name_of(Path("/srv/secret-project/x.json")) == "outside/x.json"


@pytest.mark.parametrize(("platform", "system"), [("linux", "posix"), ("darwin", "macos"), ("win32", "windows")])
def test_systems_by_pythons_names(platform, system):
    assert system_of(platform) == system


SELECTIONS = {
    ("modes",): {"roo.modes", "roo.project-modes", "zoo.modes"},
    ("mcp",): {spec.name for spec in TABLE if "mcp" in spec.name.split(".")[1]},
    ("profiles",): {"roo.profiles", "zoo.profiles"},
    ("cursor",): {"cursor.mcp", "cursor.rules", "cursor.project-mcp", "cursor.project-rules"},
    ("roo.rules", "claude.memory", "roo.rules"): {"roo.rules", "claude.memory"},
    (): {spec.name for spec in TABLE},
}


@pytest.mark.parametrize(("names", "expected"), SELECTIONS.items())
def test_a_person_names_targets_assistants_and_groups(names, expected):
    assert {spec.name for spec in select(names)} == expected


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"'roo.mpc' is no target; did you mean roo.mcp"):
        select(["modes", "roo.mpc"])
    with pytest.raises(ValueError, match="known are"):
        select(["xyzzy"])


OWNED = {
    ("roo.rules", "rules/00-security.md"): True,
    ("roo.rules", "rules-code/deep/x.txt"): True,
    ("roo.rules", "commands/deploy.md"): True,
    ("roo.rules", "skills/pdf/run.py"): True,
    ("roo.rules", "rules"): False,
    ("roo.rules", "mcp.json"): False,
    ("roo.rules", "other/rules/x.md"): False,
    ("roo.rules", "rules/.DS_Store"): False,
    ("roo.rules", "rules/x.md~"): False,
    ("roo.rules", "rules/.x.md.roosync-ab12.tmp"): False,
    ("roo.rules", "skills/pdf/node_modules/x.js"): False,
    ("claude.memory", "CLAUDE.md"): True,
    ("claude.memory", "settings.json"): False,
    ("claude.memory", "projects/x/CLAUDE.md"): False,
    ("claude.memory", "skills/pdf/SKILL.md"): True,
    ("claude.settings", "permissions"): True,
    ("claude.settings", "autoMode"): True,
    ("claude.settings", "worktree"): True,
    ("claude.settings", "skipDangerousModePermissionPrompt"): False,
    ("claude.settings", "theme"): False,
    ("claude.settings", "oauthAccount"): False,
    ("claude.settings", "feedbackSurveyState"): False,
    ("vscode.settings", "roo-cline.allowedCommands"): True,
    ("vscode.settings", "chat.mcp.access"): True,
    ("vscode.settings", "editor.fontSize"): False,
    ("vscode.settings", "mcp"): False,
    ("codex.config", "model_providers"): True,
    ("codex.config", "hooks.PreToolUse"): True,
    ("codex.config", "hooks.state"): False,
    ("codex.config", "hooks"): False,
    ("codex.config", "plugins"): True,
    ("codex.config", "marketplaces"): False,
    ("gemini.settings", "general.previewFeatures"): True,
    ("opencode.config", "tool_output"): True,
    ("opencode.config", "autoshare"): True,
    ("codex.config", "projects"): False,
    ("codex.config", "mcp_servers"): False,
    ("codex.config", "cli_auth_credentials_store"): False,
    ("codex.memory", "auth.json"): False,
    ("gemini.settings", "security.folderTrust"): True,
    ("gemini.settings", "security.auth"): False,
    ("gemini.settings", "security"): False,
    ("gemini.settings", "mcpServers"): False,
    ("opencode.config", "keybinds"): False,
    ("zed.settings", "agent"): True,
    ("zed.settings", "vim_mode"): False,
    ("continue.config", "models.fast"): True,
    ("continue.config", "mcpServers"): False,
    ("windsurf.memory", "global_rules.md"): True,
    ("windsurf.memory", "other.pb"): False,
    ("cursor.rules", "rules/a.mdc"): True,
    ("cursor.rules", "extensions/x.md"): False,
    ("claude.project-agents", "settings.local.json"): False,
}


@pytest.mark.parametrize(("case", "owned"), OWNED.items())
def test_only_what_is_declared_is_ours(case, owned):
    assert spec(case[0]).owns(case[1]) is owned


def test_every_declaration_is_a_tree_or_a_file_with_parts():
    assert len({spec.name for spec in TABLE}) == len(TABLE)
    for one in (*TABLE, plain("settings.roo", ".x/settings.json", container=("settings",))):
        assert bool(one.tree) != bool(one.file), one.name
        assert one.name.count(".") == 1
        assert one.parts
        assert not any(part.identity and not part.container for part in one.parts)


PAGE = (Path(__file__).parents[2] / "docs/targets.md").read_text("utf-8")


@pytest.mark.parametrize("one", TABLE, ids=lambda one: one.name)
def test_the_page_says_where_each_target_is(one):
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{one.name}` |")]
    place = f"{one.folder}/{one.file}".rstrip("/").replace("{home}", "~")
    assert f"`{place}`" in row or (one.setting and f"`{one.setting}`" in row)
    assert all(f"`{pattern}`" in row for pattern in one.tree) or "the same" in row
    assert one.tree or {"sniff": "YAML or JSON"}.get(one.format, one.format) in [
        cell.strip() for cell in row.split("|")
    ]
