"""Real files break in the ways that hurt: held back with a reason, put back byte for byte, or in what is missing."""

import json
import shutil
from datetime import UTC, datetime

import pytest
import yaml

from roosync_agent.collecting.local import Local
from roosync_agent.collecting.reference import BASELINE, Reference
from roosync_agent.operations.files.editing import write
from roosync_agent.operations.files.quarantine import held, prepare_repair
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_agent.targets import TABLE, plain

ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
MODES, MCP, SETTINGS = ROO + "custom_modes.yaml", ROO + "mcp_settings.json", "settings.json"
NOW = datetime(2026, 1, 16, tzinfo=UTC)


@pytest.fixture
def machine(real, tmp_path, monkeypatch):
    """A machine with real files that it believes; `look` is as after a restart."""
    table = (*TABLE, plain("roo.captured", SETTINGS, container=("settings",)))
    monkeypatch.setattr(Local, "specs", lambda self, names=(): table)

    class Machine:
        home, state = tmp_path / "home", tmp_path / "state"
        settings = Settings(state=state, home=home, machine="ana", os="posix", config=state / "config.toml")

        def lay(self, name, place):
            path = self.home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real / name, path)
            return path

        def local(self):
            return Local(self.settings, State(self.state))

        def turn(self):
            local = self.local()
            looked = local.look()
            local.believe(looked)
            return looked

        def repair(self, target, **options):
            prepared = prepare_repair(self.settings, target, **options)
            write(self.settings, prepared, NOW)
            return prepared

    made = Machine()
    State(made.state).prepare()
    return made


def cut(data):
    return data[: len(data) // 2]


GOOD = {
    "YAML modes": ("modes/custom_modes.yaml", MODES, "roo.modes"),
    "JSON modes": ("modes/standard-modes.json", MODES, "roo.modes"),
    "modes in one line": ("modes/simple-complex.roomodes", MODES, "roo.modes"),
    "servers": ("mcp/dot-mcp.json.example", MCP, "roo.mcp"),
    "settings": ("settings/myia-po-2023-settings-baseline.json", SETTINGS, "roo.captured"),
    "a rule": ("rules/01-sddd-escalade.md", ".roo/rules/01-sddd-escalade.md", "roo.rules"),
}
WAYS = {
    "cut in the middle": cut,
    "a little of it": lambda data: data[:30],
    "zero bytes": lambda data: b"",
    "two marks and a half": lambda data: b"\xef\xbb\xbf" * 2 + cut(data),
    "gone": None,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("name", "place", "target"), GOOD.values(), ids=GOOD)
def test_each_real_file_comes_back_byte_for_byte(machine, name, place, target, way):
    path = machine.lay(name, place)
    machine.lay("rules/00-securite.md", ".roo/rules/00-securite.md")
    good = path.read_bytes()
    assert machine.turn().quarantine == {}
    believed = dict(machine.local().base.believed)
    path.unlink()
    if way is not None:
        path.write_bytes(way(good))
    looked = machine.turn()
    if target == "roo.rules" and not looked.quarantine:
        assert way is None or len(path.read_bytes()) * 2 > len(good)  # one text of two is a decision
        return
    assert set(looked.quarantine) == {target}
    reference = Reference(name=BASELINE, revision=1, version="1.0.0", entities=believed)
    assert [d for d in machine.local().differences(looked, reference) if d.key.startswith(target)] == []
    assert held(machine.settings)[target].repairable
    machine.repair(target)
    assert path.read_bytes() == good
    assert machine.turn().quarantine == {}


def test_a_degraded_capture_is_held_back_and_79_settings_come_back(machine):
    path = machine.lay("settings/myia-po-2023-settings-baseline.json", SETTINGS)
    good = path.read_bytes()
    assert len(machine.turn().entities) == 79
    machine.lay("settings/myia-po-2025-settings-baseline.json", SETTINGS)
    assert set(machine.turn().quarantine) == {"roo.captured"}
    told = held(machine.settings)["roo.captured"]
    assert (told.believed, len(told.gone) > 70) == (79, True)
    exact = prepare_repair(machine.settings, "roo.captured", exact=True)
    assert exact.plan.changes[0].after == good
    machine.repair("roo.captured")  # its few values are other ones than before: they stay
    looked = machine.turn()
    assert looked.quarantine == {}
    assert len(looked.entities) >= 79
    assert looked.entities["roo.captured/condensingApiConfigId"].value == "default"


def test_a_file_that_never_was_valid_is_skipped_and_everything_else_goes_on(machine):
    machine.lay("modes/n2-standard-modes.json", MODES)
    machine.lay("mcp/dot-mcp.json.example", MCP)
    machine.lay("rules/00-securite.md", ".roo/rules/00-securite.md")
    looked = machine.turn()
    assert looked.quarantine == {}
    assert set(looked.unread) == {"roo.modes"}
    assert {key.split("/")[0] for key in looked.entities} == {"roo.mcp", "roo.rules"}
    (told,) = held(machine.settings).values()
    assert (told.target, told.believed, told.repairable) == ("roo.modes", 0, False)


def test_modes_that_became_json_get_back_what_is_missing(machine, real):
    """One machine has them in YAML; a tool wrote the file anew as JSON, and lost most."""
    path = machine.lay("modes/custom_modes.yaml", MODES)
    looked = machine.turn()
    names = list(looked.collection.files[0].names)
    mine = looked.entities[f"roo.modes/{names[3]}"].value | {"name": "Mine"}
    path.write_text(json.dumps({"customModes": [mine]}))
    assert set(machine.turn().quarantine) == {"roo.modes"}
    machine.repair("roo.modes")
    looked = machine.turn()
    assert looked.quarantine == {}
    assert list(looked.collection.files[0].names) == names
    assert looked.entities[f"roo.modes/{names[3]}"].value["name"] == "Mine"


def test_the_same_modes_in_the_other_format_are_believed(machine, real):
    path = machine.lay("modes/simple-complex.roomodes", MODES)
    before = machine.turn().entities
    path.write_text(yaml.safe_dump(json.loads(path.read_bytes()), allow_unicode=True, sort_keys=False), "utf-8")
    looked = machine.turn()
    assert looked.quarantine == {}
    assert looked.entities.keys() == before.keys()


def test_half_of_the_rules(machine, real):
    for file in sorted((real / "rules").iterdir()):
        machine.lay(f"rules/{file.name}", f".roo/rules/{file.name}")
    machine.turn()
    rules = sorted((machine.home / ".roo/rules").iterdir())
    kept = [path.read_bytes() for path in rules]
    for path in rules[:2]:
        path.unlink()
    assert "2 of 4" in machine.turn().quarantine["roo.rules"]
    machine.repair("roo.rules")
    assert [path.read_bytes() for path in rules] == kept
