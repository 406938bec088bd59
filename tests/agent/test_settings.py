"""Settings from a file and from the environment: who wins, and what is said when one can not be meant."""

import os
from pathlib import Path

import pytest

from roosync_agent.settings import SettingsError, load


@pytest.fixture
def env(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "home").mkdir()
    return {"ROOSYNC_STATE": str(tmp_path / "state"), "ROOSYNC_HOME": str(tmp_path / "home")}


def config(env, text):
    path = Path(env["ROOSYNC_STATE"]) / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_a_file_the_environment_is_all(env, tmp_path):
    found = load(env | {"ROOSYNC_FLEET": "home", "ROOSYNC_MACHINE": "ana", "ROOSYNC_NATS": "nats://x"})
    assert (found.state, found.home) == (tmp_path / "state", tmp_path / "home")
    assert (found.fleet, found.machine, found.nats) == ("home", "ana", "nats://x")
    assert (found.targets, found.check, found.check_timeout) == ((), (), 20.0)
    assert found.export_folder == tmp_path / "state" / "exports"


WHOLE = """\ufefffleet = "home"
machine = "ana"
targets = ["mcp", "roo.modes"]
public_names = ["HOUSE"]
exports = "views"
passphrase_file = "/run/secret"

[apply]
check = ["my-check", "--fast"]
check_timeout = 3

[this_machine]
os = "windows"
home_as = "C:\\\\Users\\\\ana"
labels = { room = "blue" }
workspaces = { acme = "/srv/acme" }
"""


def test_all_of_a_file(env, tmp_path):
    config(env, WHOLE)
    found = load(env)
    assert (found.fleet, found.machine) == ("home", "ana")
    assert found.targets == ("mcp", "roo.modes")
    assert found.public_names == {"HOUSE"}
    assert found.exports == tmp_path / "state" / "views"
    assert found.passphrase_file == Path("/run/secret")
    assert (found.check, found.check_timeout) == (("my-check", "--fast"), 3.0)
    assert (found.os, found.home_as) == ("windows", "C:\\Users\\ana")
    assert (found.labels, found.workspaces) == ({"room": "blue"}, {"acme": "/srv/acme"})


def test_the_environment_wins(env, tmp_path):
    config(env, 'fleet = "home"\nmachine = "ana"\nnats = "nats://file"\nhome = "/elsewhere"\npassphrase_file = "a"\n')
    found = load(env | {"ROOSYNC_MACHINE": "ben", "ROOSYNC_NATS": "nats://env", "ROOSYNC_PASSPHRASE_FILE": "/b"})
    assert (found.fleet, found.machine, found.nats) == ("home", "ben", "nats://env")
    assert found.home == tmp_path / "home"
    assert found.passphrase_file == Path("/b")
    del env["ROOSYNC_HOME"]
    assert load(env).home == Path("/elsewhere")


def test_a_relative_path_starts_at_the_file(env, tmp_path, monkeypatch):
    config(env, 'home = "../home"\n')
    del env["ROOSYNC_HOME"]
    monkeypatch.chdir("/")
    assert load(env).home == tmp_path / "home"


WRONG = {
    "an unknown key": ('flet = "x"', "flet: Extra inputs"),
    "an unknown key of a section": ("[apply]\nchek = []", "apply.chek: Extra inputs"),
    "an unknown section": ("[aply]\n", "aply: Extra inputs"),
    "a wrong type": ("machine = 7", "machine: Input should be a valid string"),
    "a number as text": ('[apply]\ncheck_timeout = "20"', "apply.check_timeout: Input should be a valid number"),
    "a time that is none": ("[apply]\ncheck_timeout = 0", "apply.check_timeout: Input should be greater than 0"),
    "a command as one text": ('[apply]\ncheck = "my-check"', "apply.check: Input should be a valid list"),
    "a port that is none": ("[broker]\nport = 70000", "broker.port: Input should be less"),
    "a project with a space": ('[this_machine]\nworkspaces = { "my shop" = "/x" }', "this_machine.workspaces.my shop"),
    "an unknown system": ('[this_machine]\nos = "beos"', "this_machine.os: Input should be"),
    "an unknown target": ('targets = ["roo.mpc"]', "targets: 'roo.mpc' is no target; did you mean roo.mcp"),
    "a machine that is no token": ('machine = "a b"', "from ROOSYNC_MACHINE"),
    "no TOML": ("fleet = ", "can not be read as TOML"),
    "one key twice": ('fleet = "a"\nfleet = "b"', "can not be read as TOML"),
    "no UTF-8": (b"\xff", "can not be read as TOML"),
    "huge": (b"#" * 300_000, "has 300000 bytes"),
    "somebody unknown": ('exports = "~nobody-known/x"', "exports: "),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_meant_is_named_with_its_file(env, text, reason):
    path = config(env, text)
    with pytest.raises(SettingsError) as caught:
        load(env)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)


GIVEN = {
    "an empty state": ({"ROOSYNC_STATE": " "}, "ROOSYNC_STATE is set and empty"),
    "an empty home": ({"ROOSYNC_HOME": ""}, "ROOSYNC_HOME is set and empty"),
    "no such file": ({"ROOSYNC_CONFIG": "/nowhere/config.toml"}, "there is no such file"),
    "a folder as file": ({"ROOSYNC_CONFIG": "/"}, "can not be read"),
    "no token": ({"ROOSYNC_MACHINE": "ana.laptop"}, "ROOSYNC_MACHINE"),
    "a wildcard": ({"ROOSYNC_FLEET": ">"}, "ROOSYNC_FLEET"),
    "somebody unknown": ({"ROOSYNC_HOME": "~nobody-known"}, "ROOSYNC_HOME"),
}


@pytest.mark.parametrize(("given", "reason"), GIVEN.values(), ids=GIVEN)
def test_a_variable_that_can_not_be_meant_is_named(env, given, reason):
    with pytest.raises(SettingsError, match=reason):
        load(env | given)


ABOVE = {"the home itself": "home", "above it": ".", "by dots": "home/x/../..", "by a link": "link"}


@pytest.mark.parametrize("state", ABOVE.values(), ids=ABOVE)
def test_the_state_never_holds_the_managed_home(env, tmp_path, state):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="holds the managed home"):
        load(env | {"ROOSYNC_STATE": str(tmp_path / state)})


def test_a_file_elsewhere_may_be_named(env, tmp_path):
    (tmp_path / "mine.toml").write_text('machine = "ana"\n')
    assert load(env | {"ROOSYNC_CONFIG": str(tmp_path / "mine.toml")}).machine == "ana"


def test_a_folder_of_somebody_else_is_told_as_that(env, monkeypatch):
    def refused(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refused)
    with pytest.raises(SettingsError, match=r"config.toml can not be looked at: .* denied; run this as the user"):
        load(env)


@pytest.mark.skipif(os.name == "nt", reason="HOME says nothing there")
def test_a_user_that_the_system_does_not_know_is_told_what_to_set(monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(SettingsError, match="no home folder of this user: set HOME, or ROOSYNC_STATE"):
        load({})


@pytest.mark.skipif(os.name == "nt", reason="HOME says nothing there")
@pytest.mark.parametrize("home", ["", "rel", "./x"])
def test_a_home_that_depends_on_where_one_stands_is_none(tmp_path, home):
    for given in ({}, {"ROOSYNC_STATE": str(tmp_path)}):
        with pytest.raises(SettingsError, match=r"HOME is .*no whole path"):
            load({"HOME": home, **given})
    assert load({"HOME": home, "ROOSYNC_STATE": str(tmp_path / "s"), "ROOSYNC_HOME": str(tmp_path / "h")})


def test_the_usual_state_folder_is_that_of_the_environment_that_is_asked_about(tmp_path):
    """The doctor asks for other processes' folders: their home is not ours."""
    from roosync_agent.running.where import state_folder

    theirs = state_folder({"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)})
    assert theirs.is_relative_to(tmp_path)
