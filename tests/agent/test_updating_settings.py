"""The recipe in the settings file: what is wrong is told with its place, before any campaign comes."""

import pytest

from roosync_agent.settings import SettingsError, UpdateSettings, load


def read(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(text)
    return load({"ROOSYNC_STATE": str(folder), "ROOSYNC_HOME": "/home/ana"}).update


def test_without_a_section_there_is_no_recipe(tmp_path):
    assert read(tmp_path / "state", "") == UpdateSettings()


def test_all_of_it_is_read(tmp_path):
    found = read(
        tmp_path / "state",
        """
[update]
recipe = "git"
source = "../source"
build = [["make", "all"], ["{python}", "-V"]]
start = ["{release}/run"]
environment = { PYTHONPATH = "{release}" }
supervisor = "service"
step_timeout = 5.0
""",
    )
    assert found.build == (("make", "all"), ("{python}", "-V"))
    assert (found.start, found.environment) == (("{release}/run",), {"PYTHONPATH": "{release}"})
    assert (found.supervisor, found.step_timeout, found.health_timeout) == ("service", 5.0, 60.0)
    assert found.source.startswith(str(tmp_path))


SOURCES = {  # as written -> as used, without the settings file's folder
    "https://example.org/x.git": "https://example.org/x.git",
    "git@example.org:x.git": "git@example.org:x.git",
    "/srv/x": "/srv/x",
    "x": "{state}/x",
    "./a:b": "{state}/a:b",
}


@pytest.mark.parametrize(("given", "used"), SOURCES.items())
def test_a_source_that_is_a_path_begins_at_the_file(tmp_path, given, used):
    state = tmp_path / "state"
    found = read(state, f'[update]\nrecipe = "git"\nsource = "{given}"')
    assert found.source == used.replace("{state}", str(state))


WRONG = {
    "no source": ('recipe = "git"', "needs source"),
    "a source that is an option": ('recipe = "git"\nsource = "--upload-pack=x"', "update.source"),
    "no start": ('recipe = "custom"\nbuild = [["x"]]', "needs start"),
    "an unknown recipe": ('recipe = "curl"', "update.recipe"),
    "a command as a text": ('recipe = "git"\nsource = "x"\nbuild = ["make all"]', "update.build.0"),
    "an empty command": ('recipe = "git"\nsource = "x"\nbuild = [[]]', "update.build.0"),
    "a tag that is an option": ('recipe = "git"\nsource = "x"\ntag = "-v"', "update.tag"),
    "a package that is an option": ('recipe = "uv"\npackage = "--index-url=x"', "update.package"),
    "no time at all": ('recipe = "uv"\nstep_timeout = 0.0', "update.step_timeout"),
    "an unknown key": ("command = 'x'", "update.command"),
    "a variable that is none": ('environment = { "A=B" = "x" }', "update.environment"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path, text, says):
    with pytest.raises(SettingsError, match=says):
        read(tmp_path / "state", f"[update]\n{text}\n")
