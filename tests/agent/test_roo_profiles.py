"""Roo's settings and profiles: found where the setting says, known by name, written with the ids of this machine."""

import json
from typing import Any

import pytest

USER = ".config/Code/User/"
STORAGE = USER + "globalStorage/rooveterinaryinc.roo-cline/settings/"
KEY = "sk-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake"
EXPORT: dict[str, Any] = {
    "providerProfiles": {
        "currentApiConfigName": "fast",
        "apiConfigs": {
            "fast": {"id": "aaa111aaa11", "apiProvider": "openai", "openAiApiKey": KEY, "openAiModelId": "m-1"},
            "deep": {"id": "bbb222bbb22", "apiProvider": "openai", "openAiModelId": "m-2"},
        },
        "modeApiConfigs": {"code": "bbb222bbb22"},
        "migrations": {"rateLimitSecondsMigrated": True},
    },
    "globalSettings": {
        "allowedCommands": ["git status"],
        "profileThresholds": {"aaa111aaa11": 60},
        "condensingApiConfigId": "bbb222bbb22",
        "customModes": [{"slug": "x"}],
        "taskHistory": [],
        "lastShownAnnouncementId": "x",
    },
}
OWN = {
    "roo.profiles/allowedCommands",
    "roo.profiles/apiConfigs.deep",
    "roo.profiles/apiConfigs.fast",
    "roo.profiles/condensingApiConfigId",
    "roo.profiles/currentApiConfigName",
    "roo.profiles/profileThresholds",
    "roo.profiles/providerProfiles.modeApiConfigs",
}


def lay(home: Any, value: Any = EXPORT, path: str = "roo.json", named: str = "~/roo.json") -> None:
    home.write(STORAGE + "mcp_settings.json", "{}")
    home.write(
        USER + "settings.json", f'{{\n  // mine\n  "roo-cline.autoImportSettingsPath": {json.dumps(named)},\n}}\n'
    )
    home.write(path, json.dumps(value, indent=2))


def test_what_a_person_chose_is_managed_and_no_state(home: Any) -> None:
    lay(home)
    found = home.collect()
    values = {key: entity.value for key, entity in found.entities.items() if key.startswith("roo.profiles/")}
    assert values.keys() == OWN
    assert "id" not in values["roo.profiles/apiConfigs.deep"]
    assert values["roo.profiles/apiConfigs.fast"]["openAiApiKey"] == {
        "$secret": "roo.profiles/apiConfigs.fast/openAiApiKey"
    }
    public = json.dumps(values)
    assert "aaa111aaa11" not in public
    assert "bbb222bbb22" not in public
    assert KEY not in public


@pytest.mark.parametrize("named", ["roo.json", "~/roo.json", "{home}/roo.json", "./roo.json"])
def test_the_setting_is_read_as_the_assistant_reads_it(home: Any, named: str) -> None:
    lay(home, named=named.replace("{home}", str(home.base)))
    assert home.collect().entities.keys() >= OWN


@pytest.mark.parametrize("named", ["/etc/passwd", "../roo.json", "~/../x.json", "C:\\x.json", "\0", ""])
def test_a_file_elsewhere_is_never_followed(home: Any, named: str) -> None:
    lay(home, named=named)
    found = home.collect()
    assert not [key for key in found.entities if key.startswith("roo.profiles/")]


OTHERS: dict[str, tuple[str, str | None]] = {  # a file that is there, or is not -> what is in it
    "another assistant's file": (".claude.json", '{"mcpServers": {}}'),
    "a file of ours": (".local/share/roosync/keyring.json", '{"a": {"service": "x", "user": "y"}}'),
    "what a shell reads": (".bash_profile", None),
    "a hook": ("shop/.git/hooks/post-checkout", None),
    "instructions": (".claude/CLAUDE.md", None),
    "a device": ("nul.json", None),
    "an alternate stream": ("roo.json:x.json", None),
    "what a link leads to outside": ("out/x.json", None),
    "a link to another kind of file": ("link.json", None),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_file_that_is_something_else_is_never_written(home: Any, tmp_path: Any, case: str) -> None:
    """A string in JSON is a command to a shell (`"$(...)"`): whoever names .bash_profile here must not be obeyed."""
    name, text = OTHERS[case]
    lay(home, named=f"~/{name}")
    (tmp_path / "elsewhere").mkdir()
    (home.base / "out").symlink_to(tmp_path / "elsewhere")
    (home.base / "link.json").symlink_to(home.base / ".bash_profile")
    if text is not None:
        home.write(name, text)
    made = home.plan(("roo.profiles/language", "$(touch /tmp/x)"))
    assert not made.changes
    assert "left alone" in made.refusals["roo.profiles/language"]
    assert not home.collect().entities.keys() & OWN


def test_a_settings_file_that_is_not_there_yet_is_made(home: Any) -> None:
    lay(home, named="~/new/roo.json")
    assert home.apply(("roo.profiles/language", "de")).status == "applied"
    assert json.loads(home.read("new/roo.json")) == {"globalSettings": {"language": "de"}}


def test_without_the_setting_the_export_in_the_documents_is_read(home: Any) -> None:
    lay(home, path="Documents/roo-code-settings.json", named="")
    assert home.collect().entities.keys() >= OWN


def test_the_values_of_another_machine_are_written_with_the_ids_of_this_one(home: Any) -> None:
    lay(home)
    theirs = home.collect().entities
    mine = json.loads(json.dumps(EXPORT).replace("aaa111aaa11", "zzz999zzz99").replace("bbb222bbb22", "yyy888yyy88"))
    del mine["globalSettings"]["profileThresholds"]
    mine["globalSettings"]["condensingApiConfigId"] = "zzz999zzz99"
    del mine["providerProfiles"]["apiConfigs"]["deep"]
    lay(home, mine)
    wanted = {key: entity.value for key, entity in theirs.items() if key in OWN}
    done = home.apply(*wanted.items())
    assert done.status == "applied", done
    written = json.loads(home.read("roo.json"))
    configs = written["providerProfiles"]["apiConfigs"]
    assert configs["fast"] == mine["providerProfiles"]["apiConfigs"]["fast"], "its id and its key stay"
    new = configs["deep"]["id"]
    assert new not in ("bbb222bbb22", "")
    assert written["globalSettings"]["profileThresholds"] == {"zzz999zzz99": 60}
    assert written["globalSettings"]["condensingApiConfigId"] == new
    assert written["providerProfiles"]["modeApiConfigs"] == {"code": new}
    assert written["globalSettings"]["customModes"] == [{"slug": "x"}]
    again = home.collect().entities
    assert {key: again[key].value for key in OWN} == wanted


def test_the_captured_form_is_read_too(home: Any) -> None:
    meta = [{"id": "aaa111aaa11", "name": "fast", "apiProvider": "openai"}]
    settings = {"listApiConfigMeta": meta, "profileThresholds": {"aaa111aaa11": 5}, "customModes": [], "mode": "code"}
    lay(home, {"metadata": {}, "settings": settings})
    values = {key.split("/")[1]: e.value for key, e in home.collect().entities.items() if "profiles/" in key}
    assert values.keys() == {"listApiConfigMeta", "profileThresholds"}
    assert "aaa111aaa11" not in json.dumps(values)
