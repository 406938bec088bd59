"""The documents say what the code says: generated pages are fresh, links lead somewhere, the README's lines exist."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SETUP = "python3 -m venv .venv && .venv/bin/pip install -q "
STATES = {"applying", "failed", "rolled_back", "rollback_failed", "up", "revoke", "status"}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = load_script(ROOT / "docs" / "make_protocol.py").pages()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_the_reference_is_fresh(path):
    told = f"{path.name} is stale: run `python docs/make_protocol.py` and commit what it writes"
    assert path.read_text("utf-8") == GENERATED[path], told


def references(tree: object) -> set[str]:
    if isinstance(tree, dict):
        own = {tree["$ref"]} if isinstance(tree.get("$ref"), str) else set()
        return own.union(*(references(value) for value in tree.values()))
    return set().union(*(references(value) for value in tree)) if isinstance(tree, list) else set()


def test_the_asyncapi_document_is_whole():
    document = json.loads((ROOT / "docs" / "asyncapi.json").read_text("utf-8"))
    assert document["asyncapi"].startswith("3.")
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, f"{reference} leads nowhere"
            place = place[step]
    for name, channel in document["channels"].items():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"]), name
        assert channel["address"].endswith("{speaker}"), f"{name}: the speaker is always the last token"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" not in link and not link.startswith("#"):
            assert (page.parent / link.split("#")[0]).exists(), f"{page.name} links to {link}"


NAMED = re.compile(r"^ *(?:async )?(?:def|class) (\w+)|^([A-Z_]+)\b", re.MULTILINE)


def test_the_map_names_what_is_there():
    """Every name in the map's code spans is a module, class or function of the source, each part in the one before."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    files = [path for room in ("protocol", "broker", "agent") for path in (ROOT / room).rglob("*.py")]
    names = {path: {*path.with_suffix("").parts, *filter(None, sum(NAMED.findall(path.read_text("utf-8")), ()))}
             for path in files}  # fmt: skip
    known = set().union(*names.values()) | STATES
    walks = text.split("**`protocol/")[1].split("## Where")[0]
    for span in re.findall(r"`([a-z_A-Z][\w./]*)`", walks):
        if "/" in span.rstrip("/"):
            continue
        parts = set(span.rstrip("/").split("."))
        assert parts <= known, f"docs/architecture.md speaks of `{span}`"
        assert len(parts) == 1 or any(parts <= one for one in names.values()), f"`{span}` is in no file"


def test_the_first_30_lines_of_the_readme_are_enough():
    first = (ROOT / "README.md").read_text("utf-8").splitlines()[:30]
    lines = [line.strip() for line in first]
    assert f"{SETUP}. && .venv/bin/roosync demo" in lines
    assert f"{SETUP}-e '.[dev]' && .venv/bin/pytest -q" in lines
    for word in ("init", "up", "invite", "join", "baseline", "diffs", "decision approve"):
        assert any(re.search(rf"roosync {word}\b", line) for line in lines), f"roosync {word} is not shown"


def test_the_readme_knows_every_command():
    from roosync_agent.cli.app import COMMANDS

    text = (ROOT / "README.md").read_text("utf-8")
    shown = set(re.findall(r"^\| `roosync ([a-z-]+)", text, re.MULTILINE))
    assert shown == set(COMMANDS)


def test_the_readme_knows_every_setting():
    from roosync_agent.settings_file import SettingsFile

    text = (ROOT / "README.md").read_text("utf-8")
    source = "\n".join(path.read_text("utf-8") for room in ("agent", "broker") for path in (ROOT / room).rglob("*.py"))
    environment = set(re.findall(r'"(ROOSYNC_[A-Z_]+)"', source))
    assert environment <= set(re.findall(r"`(ROOSYNC_[A-Z_]+)`", text))
    example = text.split("```toml\n")[1].split("```")[0]
    SettingsFile.model_validate(tomllib.loads(example))  # unknown keys are refused
    for field in SettingsFile.model_fields:
        assert re.search(rf"^#? ?\[?{field}\b", example, re.MULTILINE), f"the example leaves out {field}"


def test_the_changelog_knows_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
