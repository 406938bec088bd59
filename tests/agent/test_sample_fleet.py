"""The sample homes tell the demonstration's story: most is common, some is special, two things collide."""

import json
from datetime import UTC, datetime

import pytest
import yaml

from roosync_agent.collecting.places import layout
from roosync_agent.demo import homes
from roosync_agent.demo.stage import Stage
from roosync_agent.demo.story import _leaks
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate
from roosync_protocol.consolidation import Collected, consolidate
from roosync_protocol.entity import Entity
from roosync_protocol.portable import to_portable
from roosync_protocol.secrets import hide

T0 = datetime(2026, 1, 16, tzinfo=UTC)


def values_of(target):
    """Names and values of one target, read the simple way: what reads them for real is tested elsewhere."""
    spec = target.spec
    if spec.tree:
        for path in sorted(p for p in target.folder.rglob("*") if p.is_file()):
            if spec.owns(name := path.relative_to(target.folder).as_posix()):
                yield name, path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return
    if not target.file.exists():
        return
    text = target.file.read_bytes().decode("utf-8-sig")
    value = yaml.safe_load(text) if spec.format == "sniff" and not text.startswith("{") else json.loads(text)
    first = spec.parts[0]
    for step in first.container:
        value = value[step]
    pairs = [(one[first.identity], one) for one in value] if first.identity else value.items()
    yield from ((name, one) for name, one in pairs if spec.owns(name))


def collected(name, home):
    given = homes.lay(name, home)
    place = layout(RealDoor(), home, {}, given["os"], spelled_home=given["home_as"])
    entities, targets = {}, set()
    for target in (t for spec in TABLE for t in locate(spec, place, RealDoor()) if t.present):
        try:
            values = dict(values_of(target))
        except ValueError:
            continue
        targets.add(target.name)
        for entity_name, value in values.items():
            entity = Entity(key=f"{target.name}/{entity_name}", kind=target.spec.kind, value=value)
            entities[entity.key] = hide(to_portable(entity, place.places))[0]
    return Collected(machine=name, collected_at=T0, targets=frozenset(targets), entities=entities)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return [collected(name, tmp_path_factory.mktemp(name) / "home") for name in homes.MACHINES]


def test_the_broken_file_is_the_only_target_that_is_left_out(packages):
    everything = {"roo.modes", "roo.mcp", "roo.rules", "claude.settings", "claude.mcp", "claude.memory"}
    assert [everything - package.targets for package in packages] == [set(), set(), {"claude.settings"}]


def test_they_consolidate_to_a_sensible_baseline(packages):
    made = consolidate(packages, {})
    assert len(made.commons) == 22
    assert {machine: set(own) for machine, own in made.overlays.items()} == {
        m: {"roo.mcp/notes"} for m in homes.MACHINES
    }
    assert [question.key for question in made.arbitrations] == [
        "claude.settings/model",
        "roo.mcp/playwright",
        "roo.rules/rules/30-poste.md",
    ]
    assert made.missing == {
        "claude.mcp/sentry": ("gamma",),
        "claude.memory/agents/testeuse.md": ("gamma",),
        "roo.mcp/context7": ("gamma",),
        "roo.mcp/fetch": ("beta",),
        "roo.modes/redactrice": ("gamma",),
        "roo.rules/rules/00-securite.md": ("gamma",),
    }


def test_what_is_missing_somewhere_needs_no_secret_there(packages):
    made = consolidate(packages, {})
    assert not [key for key in made.missing if "$secret" in json.dumps(made.commons[key].value)]


def test_no_planted_secret_is_in_what_would_travel(packages):
    text = json.dumps([[e.value for e in package.entities.values()] for package in packages], ensure_ascii=False)
    assert not [secret for secret in homes.PLANTED if secret in text]
    assert "FAKE" not in text


def test_paths_of_the_three_systems_became_one_token(packages):
    paths = {package.entities["roo.mcp/filesystem"].value["args"][-1] for package in packages}
    assert paths == {"${home}/projects"}


def test_the_demo_finds_a_planted_secret_wherever_it_could_have_been_sent_from(tmp_path):
    secret, stage = homes.PLANTED[0], Stage(tmp_path, print)
    state = stage.machine("alpha", {}).state
    for name in ("snapshots/s-1/0.bin", "last_good/1.bin", "exports/snapshots/1.json", "broker/1.blk"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(f"token = {secret}")
    stage.printed = [f"Bearer {secret}"]
    assert [found.partition("... in ")[2] for found in _leaks(stage)] == [
        "alpha's broker/1.blk",
        "alpha's exports/snapshots/1.json",
        "what was printed",
    ]
