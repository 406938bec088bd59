"""What a machine believes of itself: the wipe guard on real files, and what is compared and written down."""

import pytest

from roosync_agent.collecting.local import Local
from roosync_agent.collecting.reference import BASELINE, Reference
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_protocol.diff import Verdict
from roosync_protocol.entity import Entity, Kind

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"


def servers(*names, filler=""):
    inner = ", ".join(f'"{name}": {{"command": "{name}", "args": ["{filler}"]}}' for name in names)
    return f'{{"mcpServers": {{{inner}}}}}\n'


def rules(home, count):
    for number in range(count):
        home.write(f".roo/rules/{number}.md", f"rule {number}\n" * 20)


@pytest.fixture
def make(home):
    def again(**options):
        """As after a restart: from the same files and the same state."""
        settings = Settings(state=home.state, home=home.base, machine="ana", os="posix", **options)
        state = State(home.state)
        state.prepare()
        return Local(settings, state)

    return again


def believed(local):
    looked = local.look()
    assert looked.quarantine == {}
    local.believe(looked)
    return local


def emptied(home):
    home.write(MCP, "")


def braces(home):
    home.write(MCP, "{}")


def truncated(home):
    text = home.read(MCP)
    home.write(MCP, text[: len(text) // 2])


def vanished(home):
    (home.base / MCP).unlink()


def double_mark(home):
    home.write(MCP, b"\xef\xbb\xbf\xef\xbb\xbf{ broken")


def a_folder(home):
    (home.base / MCP).unlink()
    (home.base / MCP).mkdir()


def uninstalled(home):
    (home.base / MCP).unlink()
    (home.base / MCP).parent.rmdir()
    (home.base / MCP).parent.parent.rmdir()


WIPES = {
    "emptied": (emptied, "are gone at once"),
    "only braces": (braces, "are gone at once"),
    "truncated": (truncated, ""),
    "vanished": (vanished, "are gone at once"),
    "broken, with two marks": (double_mark, ""),
    "a folder now": (a_folder, "folder"),
    "three of ten": (lambda home: home.write(MCP, servers(*"abcdefg")), "3 of 10"),
}


@pytest.mark.parametrize(("spoil", "reason"), WIPES.values(), ids=WIPES)
def test_a_degraded_file_is_not_believed_and_deletes_nothing(home, make, spoil, reason):
    home.write(MCP, servers(*"abcdefghij"))
    rules(home, 3)
    local = believed(make())
    spoil(home)
    looked = local.look()
    assert reason in looked.quarantine["roo.mcp"]
    assert "roo.mcp" not in looked.trusted
    assert {key for key in looked.entities if key.startswith("roo.mcp")} == set()
    assert len(looked.entities) == 3  # the rules go on
    reference = Reference(name=BASELINE, revision=1, version="1.0.0", entities=dict(local.base.believed))
    assert [d for d in local.differences(looked, reference) if d.key.startswith("roo.mcp")] == []
    local.believe(looked)
    assert sum(key.startswith("roo.mcp") for key in local.base.believed) == 10
    assert "roo.mcp" in make().look().quarantine  # also after a restart


WORK = {
    "one of two": (("a", "b"), ("a",)),
    "one of ten": (tuple("abcdefghij"), tuple("abcdefghi")),
    "the only one": (("a",), ()),
    "one for another": (("a", "b"), ("a", "c")),
    "all edited": (("a", "b", "c"), ("a", "b", "c")),
}


@pytest.mark.parametrize(("before", "after"), WORK.values(), ids=WORK)
def test_a_persons_ordinary_work_is_believed(home, make, before, after):
    home.write(MCP, servers(*before))
    local = believed(make())
    home.write(MCP, servers(*after, filler="edited"))
    assert local.look().quarantine == {}


def test_one_bad_entity_or_file_is_no_loss(home, make):
    home.write(MCP, servers("a", "b", "c"))
    rules(home, 4)
    local = believed(make())
    home.write(MCP, servers("a", "b", "c").replace('{"command": "c", "args": [""]}', '"broken"'))
    (home.base / ".roo/rules/3.md").write_bytes(b"\xff\xfe")
    looked = local.look()
    assert looked.quarantine == {}
    local.believe(looked)
    assert {"roo.mcp/c", "roo.rules/rules/3.md"} <= local.base.believed.keys()
    home.write(MCP, servers("a"))
    assert "2 of 3" in local.look().quarantine["roo.mcp"]  # the unread one was not forgotten


def test_a_folder_that_can_not_be_listed_is_quarantined(home, make, monkeypatch):
    rules(home, 5)
    local = believed(make())
    real = type(local.door).tree

    def refuse(self, folder):
        found = real(self, folder)
        return type(found)((), ((".", "permission denied"),))

    monkeypatch.setattr(type(local.door), "tree", refuse)
    assert "permission denied" in local.look().quarantine["roo.rules"]


def test_what_was_decided_to_go_is_no_loss_once(home, make):
    home.write(MCP, servers("a", "b", "c"))
    local = believed(make())
    home.write(MCP, servers("b", "c"))
    assert "1 of 3" in local.look().quarantine["roo.mcp"]
    local.approved = frozenset({"roo.mcp/a"})
    believed(local)
    assert local.approved == frozenset()
    assert local.base.believed.keys() == {"roo.mcp/b", "roo.mcp/c"}


def test_a_person_releases_once(home, make):
    home.write(MCP, servers(*"abcd"))
    local = believed(make())
    home.write(MCP, servers("a"))
    assert local.look().quarantine
    local.released.add("roo.mcp")
    believed(local)
    assert local.released == set()
    home.write(MCP, "")
    local.believe(local.look())
    home.write(MCP, servers(*"abcd"))
    believed(local)
    home.write(MCP, "{}")
    assert local.look().quarantine


def test_an_assistant_that_was_taken_away_is_asked_about_and_then_forgotten(home, make):
    home.write(MCP, servers(*"abcd"))
    local = believed(make())
    uninstalled(home)
    assert local.look().quarantine
    local.released.add("roo.mcp")
    local.believe(local.look())
    assert make().look().quarantine == {}
    assert make().base.believed == {}


def test_a_part_look_judges_nothing(home, make):
    home.write(MCP, servers(*"abcd"))
    rules(home, 3)
    local = believed(make())
    looked = local.look(("modes",))
    assert (looked.quarantine, looked.entities) == ({}, {})
    with pytest.raises(ValueError, match="no target"):
        local.look(("roo.mpc",))


# -- comparing


def server(command):
    return Entity(key="roo.mcp/a", kind=Kind.MCP_SERVER, value={"command": command, "args": [""]})


def reference(*entities, removed=(), revision=1, name=BASELINE):
    return Reference(
        name=name,
        revision=revision,
        version="1.0.0",
        entities={entity.key: entity for entity in entities},
        removed=frozenset(removed),
    )


def verdicts(local, against):
    looked = local.look()
    found = local.differences(looked, against)
    local.record(found, looked, against)
    return {d.key: d.verdict for d in found}


def test_the_first_join_overwrites_nothing_and_later_changes_are_three_way(home, make):
    home.write(MCP, servers("a", "b"))
    local = make()
    assert verdicts(local, reference(server("other"))) == {
        "roo.mcp/a": Verdict.JOIN_DIFFERS,
        "roo.mcp/b": Verdict.LOCAL_ONLY,
    }
    assert verdicts(local, reference(server("a")))["roo.mcp/a"] is Verdict.ADOPT
    assert verdicts(make(), reference(server("new"), revision=2))["roo.mcp/a"] is Verdict.TAKE
    home.write(MCP, servers("b"))
    assert verdicts(local, reference(server("a")))["roo.mcp/a"] is Verdict.LOCAL_DELETION
    home.write(MCP, servers("a", "b", filler="mine"))
    assert verdicts(local, reference(server("a")))["roo.mcp/a"] is Verdict.DRIFT
    assert verdicts(local, reference(server("new"), revision=3))["roo.mcp/a"] is Verdict.CONFLICT
    assert local.base.revision == 3


def test_only_an_approved_version_removes(home, make):
    home.write(MCP, servers("a"))
    local = make()
    verdicts(local, reference(server("a")))
    assert verdicts(local, reference(revision=2)) == {"roo.mcp/a": Verdict.LOCAL_ONLY}
    assert verdicts(local, reference(removed=["roo.mcp/a"], revision=3)) == {"roo.mcp/a": Verdict.BASELINE_DELETION}


def test_what_can_not_be_read_here_is_never_a_deletion(home, make):
    home.write(MCP, servers("a"))
    local = make()
    verdicts(local, reference(server("a")))
    home.write(MCP, '{"mcpServers": {"a": "broken"}}')
    for against in (reference(server("a")), reference(server("b")), reference(removed=["roo.mcp/a"])):
        assert verdicts(local, against) == {}
    home.write(MCP, "{")
    assert verdicts(local, reference(server("a"))) == {}
    assert "roo.mcp/a" in local.base.entities


def test_targets_that_are_not_here_are_not_spoken_of(home, make):
    local = make()
    other = Entity(key="zoo.mcp/a", kind=Kind.MCP_SERVER, value={})
    assert verdicts(local, reference(other)) == {}


def test_another_machine_is_compared_without_a_base(home, make):
    home.write(MCP, servers("a"))
    local = make()
    verdicts(local, reference(server("a")))
    assert verdicts(local, reference(server("b"), name="machine:ben")) == {"roo.mcp/a": Verdict.JOIN_DIFFERS}


def test_what_is_agreed_survives_a_restart(home, make):
    home.write(MCP, servers("a"))
    make().agree("roo.mcp/a", server("x"))
    assert make().base.entities == {"roo.mcp/a": server("x")}
    make().agree("roo.mcp/a", None)
    assert make().base.entities == {}


def test_a_reference_is_read_in_this_machines_own_places(home, make):
    local = make()
    named = local.here(
        reference(Entity(key="roo.mcp/a", kind=Kind.MCP_SERVER, value={"command": "${home}/.config/Code/User/x"}))
    )
    assert named.entities["roo.mcp/a"].value == {"command": "${vscode_user}/x"}
