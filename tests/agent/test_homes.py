"""The sample homes: laid byte for byte, never over somebody's own, and every planted secret is known."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from roosync_agent.collecting.places import layout
from roosync_agent.demo import homes
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate

FOUND = {name: {"/".join(parts): data for parts, data in homes.contents(name)} for name in homes.MACHINES}
ROO = {
    "alpha": ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings",
    "beta": "AppData/Roaming/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings",
    "gamma": "Library/Application Support/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings",
}


@pytest.mark.parametrize("name", homes.MACHINES)
def test_a_sample_is_laid_byte_for_byte(tmp_path, name):
    assert homes.lay(name, tmp_path / "home") == homes.MACHINES[name]
    laid = {
        p.relative_to(tmp_path / "home").as_posix(): p.read_bytes()
        for p in (tmp_path / "home").rglob("*")
        if p.is_file()
    }
    assert laid == FOUND[name]


def test_a_home_with_anything_in_it_is_left_alone(tmp_path):
    (tmp_path / ".claude.json").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        homes.lay("alpha", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".claude.json"]


def test_a_sample_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match="alpha, beta, gamma"):
        homes.lay("../alpha", tmp_path)


def test_every_planted_secret_is_listed_and_every_listed_one_is_planted():
    text = b"\n".join(data for found in FOUND.values() for data in found.values()).decode()
    for secret in homes.PLANTED:
        assert secret in text
        text = text.replace(secret, "")
    assert "FAKE" not in text
    assert len(set(homes.PLANTED)) == len(homes.PLANTED)


NAMED = re.compile(r"(?i)(token|key|secret|password|authorization)\"\s*:\s*\"(?:Bearer )?([^\"]+)\"")


@pytest.mark.parametrize("name", FOUND)
def test_no_secret_of_the_samples_is_forgotten_in_the_list(name):
    text = b"\n".join(FOUND[name].values()).decode()
    for _, value in NAMED.findall(text):
        assert value in homes.PLANTED


def test_beta_is_written_as_windows_writes():
    for name, data in FOUND["beta"].items():
        assert data.count(b"\n") == data.count(b"\r\n"), name
    assert [name for name, data in FOUND["beta"].items() if data.startswith(b"\xef\xbb\xbf")] == [
        ".roo/rules/00-securite.md"
    ]
    assert b'"/c"' in FOUND["beta"][f"{ROO['beta']}/mcp_settings.json"]
    assert not any(b"\r" in data for name in ("alpha", "gamma") for data in FOUND[name].values())


def test_one_file_of_gamma_is_broken_and_no_other():
    broken = []
    for name, found in FOUND.items():
        for path, data in found.items():
            try:
                if path.endswith(".json"):
                    json.loads(data.decode())
                elif path.endswith(".yaml") and not data.startswith(b"{"):
                    yaml.safe_load(data)
            except ValueError:
                broken.append((name, path))
    assert broken == [("gamma", ".claude/settings.json")]


def test_the_modes_are_equal_in_meaning():
    modes = {}
    for name in FOUND:
        data = FOUND[name][f"{ROO[name]}/custom_modes.yaml"].decode()
        read = json.loads(data) if data.startswith("{") else yaml.safe_load(data)
        for mode in read["customModes"]:
            mode["groups"] = sorted(json.dumps(group, sort_keys=True) for group in mode["groups"])
        modes[name] = {mode["slug"]: mode for mode in read["customModes"]}
    assert modes["alpha"] == modes["beta"]
    assert modes["gamma"] == {slug: modes["alpha"][slug] for slug in ("architecte", "relecteur")}


@pytest.mark.parametrize("name", homes.MACHINES)
def test_the_targets_find_their_files(tmp_path, name):
    given = homes.lay(name, tmp_path)
    place = layout(RealDoor(), tmp_path, {}, given["os"], spelled_home=given["home_as"])
    present = {t.name for spec in TABLE for t in locate(spec, place, RealDoor()) if t.present}
    ours = {"roo.modes", "roo.mcp", "roo.rules", "claude.settings", "claude.mcp", "claude.memory"}
    assert present == ours | {"vscode.settings", "vscode.mcp", "vscode.mcp-inputs"}  # the editor: no file of it


def test_git_gives_the_samples_as_they_are():
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    name = "agent/roosync_agent/demo/samples/beta/dot-claude.json"
    said = subprocess.run(
        ["git", "check-attr", "text", name], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert said.strip().endswith("text: unset")
