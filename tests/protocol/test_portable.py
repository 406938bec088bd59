"""Paths and commands: one meaning in several spellings, and what must never be taken for a path."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.portable import Places, UnknownTokenError, path_portable, settled, to_local, to_portable
from roosync_protocol.servers import common_form

WINDOWS = Places(
    os="windows",
    home=r"C:\Users\Ana Doe",
    appdata=r"C:\Users\Ana Doe\AppData\Roaming",
    vscode_user=r"C:\Users\Ana Doe\AppData\Roaming\Code\User",
    python=r"C:\Python312\python.exe",
    node=r"C:\Program Files\nodejs\node.exe",
    workspaces={"roo": r"D:\dev\roo"},
    custom={"models": r"E:\models"},
)
LINUX = Places(
    os="posix",
    home="/home/ana",
    appdata="/home/ana/.config",
    vscode_user="/home/ana/.config/Code/User",
    python="/usr/bin/python3",
    node="/usr/bin/node",
    workspaces={"roo": "/home/ana/dev/roo"},
    custom={"models": "/srv/models"},
)
MAC = Places(os="macos", home="/Users/ana", appdata="/Users/ana/Library/Application Support")
ROOT = Places(os="posix", home="/root")


def entity(value, kind=Kind.MCP_SERVER):
    return Entity(key="roo.mcp/x", kind=kind, value=value)


def portable(text, places):
    return to_portable(entity({"args": [text]}), places).value["args"][0]


def local(text, places):
    return to_local(entity({"args": [text]}), places).value["args"][0]


SHORTENED = {  # what stands in a file -> what travels
    "a path": (WINDOWS, r"C:\Users\Ana Doe\mcp\a.js", "${home}/mcp/a.js"),
    "forward slashes": (WINDOWS, "C:/Users/Ana Doe/mcp/a.js", "${home}/mcp/a.js"),
    "another case": (WINDOWS, r"c:\users\ana doe\MCP\a.js", "${home}/MCP/a.js"),
    "git bash": (WINDOWS, "/c/Users/Ana Doe/a.js", "${home}/a.js"),
    "wsl": (WINDOWS, "/mnt/c/Users/Ana Doe/a.js", "${home}/a.js"),
    "tilde": (WINDOWS, r"~\a.js", "${home}/a.js"),
    "profile variable": (WINDOWS, r"%USERPROFILE%\a.js", "${home}/a.js"),
    "appdata variable": (WINDOWS, r"%APPDATA%\npm\x.js", "${appdata}/npm/x.js"),
    "longest place first": (WINDOWS, r"C:\Users\Ana Doe\AppData\Roaming\Code\User\mcp.json", "${vscode_user}/mcp.json"),
    "the place itself": (WINDOWS, r"C:\Users\Ana Doe", "${home}"),
    "interpreter": (WINDOWS, r"C:\Python312\python.exe", "${python}"),
    "another drive": (WINDOWS, r"D:\dev\roo\mcps\s.js", "${workspace:roo}/mcps/s.js"),
    "a user's own place": (WINDOWS, r"E:\models\qwen", "${place:models}/qwen"),
    "behind a switch": (WINDOWS, r"--config=C:\Users\Ana Doe\c.json", "--config=${home}/c.json"),
    "a list": (WINDOWS, r"C:\Users\Ana Doe\a;C:\b;D:\dev\roo", r"${home}/a;C:\b;${workspace:roo}"),
    "a mount": (WINDOWS, r"C:\Users\Ana Doe\data:/data", "${home}/data:/data"),
    "a URI": (WINDOWS, "file:///C:/Users/Ana%20Doe/a%20b.js", "file://${home}/a b.js"),
    "quoted": (WINDOWS, r'"C:\Users\Ana Doe\x.exe" -c y', '"${home}/x.exe" -c y'),
    "posix": (LINUX, "/home/ana/mcp/a.js", "${home}/mcp/a.js"),
    "posix workspace in home": (LINUX, "/home/ana/dev/roo/a.js", "${workspace:roo}/a.js"),
    "posix workspace from tilde": (LINUX, "~/dev/roo/a.js", "${workspace:roo}/a.js"),
    "posix workspace from variable": (LINUX, "$HOME/dev/roo/a.js", "${workspace:roo}/a.js"),
    "the editor from tilde": (LINUX, "~/.config/Code/User/a.js", "${vscode_user}/a.js"),
    "the settings of posix": (LINUX, "/home/ana/.config/tool/a", "${home}/.config/tool/a"),
    "the settings of posix from tilde": (LINUX, "~/.config/tool/a", "${home}/.config/tool/a"),
    "the settings of macOS from tilde": (MAC, "~/Library/Application Support/tool/a", "${appdata}/tool/a"),
    "a folder of macOS as on posix": (MAC, "~/.config/tool/a", "${home}/.config/tool/a"),
    "the settings of windows from tilde": (WINDOWS, r"~\AppData\roaming\npm\x.js", "${appdata}/npm/x.js"),
    "the settings of windows from variable": (WINDOWS, r"%USERPROFILE%\AppData\Roaming\x", "${appdata}/x"),
    "posix variable": (LINUX, "$HOME/a.js", "${home}/a.js"),
    "posix URI": (LINUX, "file:///home/ana/a.js", "file://${home}/a.js"),
    "posix mount": (LINUX, "type=bind,src=/home/ana/x,dst=/x", "type=bind,src=${home}/x,dst=/x"),
    "posix list": (LINUX, "/home/ana/bin:/usr/bin:/home/ana/b", "${home}/bin:/usr/bin:${home}/b"),
}


@pytest.mark.parametrize(("places", "text", "public"), SHORTENED.values(), ids=SHORTENED)
def test_a_path_in_a_place_gets_its_token(places, text, public):
    assert portable(text, places) == public
    assert portable(local(public, places), places) == public  # and is collected again as it was


UNTOUCHED = {
    "a switch of cmd": (ROOT, "/c"),
    "a switch like the home": (ROOT, "/root cause"),
    "a longer name": (ROOT, "/rooted/x"),
    "a sentence": (ROOT, "/think step by step"),
    "prose with a path": (LINUX, "look into /home/ana/x first"),
    "another's home": (LINUX, "/home/anabel/x"),
    "a path inside a path": (LINUX, "/mnt/home/ana/x"),
    "a path on another host": (LINUX, "deploy@host:/home/ana/x"),
    "a URL": (LINUX, "https://example.com/home/ana/x"),
    "a package": (LINUX, "@playwright/mcp@latest"),
    "a reference": (LINUX, "${env:HOME}/x"),
    "the editor's variable": (LINUX, "${workspaceFolder}/x"),
    "a permission with the tool's own tilde": (LINUX, "Read(~/.ssh/**)"),
    "lines": (LINUX, "/home/ana/x\n/home/ana/y"),
    "a user name": (LINUX, "~bob/x"),
}


@pytest.mark.parametrize(("places", "text"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_no_path_of_this_machine_stays(places, text):
    assert portable(text, places) == text
    assert local(text, places) == text


ELSEWHERE = {
    "posix to windows": ("${home}/mcp/a.js", WINDOWS, r"C:\Users\Ana Doe\mcp\a.js"),
    "windows to posix": ("${workspace:roo}/a.js", LINUX, "/home/ana/dev/roo/a.js"),
    "a URI on windows": ("file://${home}/a b.js", WINDOWS, "file:///C:/Users/Ana%20Doe/a%20b.js"),
    "a URI on posix": ("file://${home}/a b.js", LINUX, "file:///home/ana/a%20b.js"),
    "only the path is turned": ("--x=${home}/a,/b=c/d", WINDOWS, r"--x=C:\Users\Ana Doe\a,/b=c/d"),
    "interpreter": ("${python}", LINUX, "/usr/bin/python3"),
}


@pytest.mark.parametrize(("public", "places", "text"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_token_becomes_the_place_of_another_machine(public, places, text):
    assert local(public, places) == text


def test_a_place_that_is_missing_is_named():
    value = {"command": "${workspace:other}/a", "args": ["${place:x}/b", "${env:X}", "$${node}"]}
    with pytest.raises(UnknownTokenError) as caught:
        to_local(entity(value), ROOT)
    assert caught.value.names == ["workspace:other", "place:x"]


def test_a_literal_token_of_the_user_is_kept():
    for text in ("${home}/x", "$${home}", "a ${workspace:y} b", "${python}"):
        public = to_portable(entity(text, Kind.TEXT), LINUX)
        assert public.value != text
        assert to_local(public, LINUX).value == text


def test_references_to_secrets_are_not_touched():
    secret = {"$secret": "roo.mcp//home/ana/x"}
    value = {"env": {"A": secret, "B": {"$parts": ["/home/ana/x?", secret, "/home/ana"]}}}
    public = to_portable(entity(value), LINUX).value
    assert public == {"env": {"A": secret, "B": {"$parts": ["${home}/x?", secret, "/home/ana"]}}}
    assert to_local(entity(public), LINUX).value == value


def test_prose_of_a_mode_is_not_read_for_paths():
    mode = {"slug": "a", "roleDefinition": "/home/ana/x", "groups": [["edit", {"fileRegex": "/home/ana/.*"}]]}
    assert to_portable(entity(mode, Kind.MODE), LINUX).value == mode


COMMANDS = {  # as Windows has it -> the one public spelling
    "npx": (["cmd", "/c", "npx", "-y", "x"], ["npx", "-y", "x"]),
    "cmd.exe and capitals": (["C:\\Windows\\System32\\cmd.exe", "/C", "npx.cmd", "x"], ["npx", "x"]),
    "a program": (["cmd", "/c", "node", "a.js"], ["node", "a.js"]),
    "shim without cmd": (["npx.cmd", "-y", "x"], ["npx", "-y", "x"]),
    "in one string": (["cmd /c npx -y x"], ["npx -y x"]),
}


@pytest.mark.parametrize(("command", "public"), COMMANDS.values(), ids=COMMANDS)
def test_one_server_in_two_spellings(command, public):
    arguments = {"args": command[1:]} if command[1:] else {}
    value = {"command": command[0], **arguments, "env": {"A": "b"}}
    found = to_portable(entity(value), WINDOWS).value
    assert [found["command"], *found.get("args", [])] == public
    assert list(found) == list(value)
    again = to_portable(to_local(entity(found), WINDOWS), WINDOWS)
    assert again.value == found
    assert to_local(entity(found), LINUX).value == found


@pytest.mark.parametrize("rest", [["npx", "a", "&&", "b"], ["echo", "x"], ["npx", "%TOKEN%"], []])
def test_a_shell_that_is_needed_stays(rest):
    value = {"command": "cmd", "args": ["/c", *rest]}
    assert to_portable(entity(value), WINDOWS).value == value


def test_windows_starts_scripts_through_cmd():
    assert to_local(entity({"command": "npx", "args": ["-y", "x"]}), WINDOWS).value == {
        "command": "cmd",
        "args": ["/c", "npx", "-y", "x"],
    }
    assert to_local(entity({"command": "uvx", "args": ["x"]}), WINDOWS).value == {"command": "uvx", "args": ["x"]}
    assert to_local(entity({"command": "npx"}), WINDOWS).value == {"command": "cmd", "args": ["/c", "npx"]}


def test_what_is_collected_after_it_was_applied():
    public = entity({"args": ["${home}/dev/roo/a"]})  # from a machine that has no such workspace
    assert settled(public, LINUX).value == {"args": ["${workspace:roo}/a"]}
    assert settled(settled(public, LINUX), LINUX) == settled(public, LINUX)


def test_a_name_for_people():
    assert path_portable(r"C:\Users\Ana Doe\.roo\rules\a.md", WINDOWS) == "${home}/.roo/rules/a.md"
    assert path_portable(r"F:\x\y", WINDOWS) == "F:/x/y"
    assert path_portable("/etc/x", LINUX) == "/etc/x"


PIECES = st.sampled_from(
    [
        "/home/ana",
        "/home/ana/dev/roo",
        "/usr/bin/python3",
        "~",
        "$HOME",
        "/",
        "\\",
        ":",
        "=",
        ",",
        ";",
        " ",
        "$",
        "${",
        "}",
        "${home}",
        "$${node}",
        "${workspace:roo}",
        "${env:X}",
        "file://",
        "a",
        "b.js",
        "-x",
        "%20",
        "\n",
        '"',
        "(",
        ")",
        "C:\\Users\\Ana Doe",
        "c:/users/ana doe",
        "E:\\models",
        "é",
        "npx",
        "cmd /c npx",
        "&",
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map("".join)
SERVERS = st.fixed_dictionaries(
    {"command": st.sampled_from(["cmd", "npx", "node", "npx -y x"]) | TEXTS, "args": st.lists(TEXTS, max_size=4)},
    optional={"env": st.dictionaries(st.text(max_size=3), TEXTS, max_size=2)},
)


@settings(max_examples=400, deadline=None)
@given(SERVERS, st.sampled_from([LINUX, WINDOWS, ROOT]))
def test_the_public_form_is_stable_on_its_machine(value, places):
    public = to_portable(entity(common_form(value)), places)
    assert to_portable(to_local(public, places), places) == public


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30) | TEXTS)
def test_prose_comes_back_exactly(text):
    for places in (LINUX, WINDOWS):
        assert to_local(to_portable(entity(text, Kind.TEXT), places), places).value == text


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_on_posix_a_path_comes_back_exactly_when_it_was_spelled_out(text):
    if any(other in text for other in ("~", "$HOME", "file:")):
        return  # these come back as the absolute path
    assert local(portable(text, LINUX), LINUX) == text
