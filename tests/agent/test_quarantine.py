"""Every way in which a file breaks: held back, told whole, put back by its last believed copy; nothing else touched."""

import os
import shutil
import stat
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from msgspec import structs

from roosync_agent.applying.snapshots import every
from roosync_agent.cli.quarantine import quarantine
from roosync_agent.collecting import last_good
from roosync_agent.collecting.last_good import LastGood
from roosync_agent.collecting.local import Local
from roosync_agent.operations.files.backups import prepare_restore
from roosync_agent.operations.files.editing import EditingError, write
from roosync_agent.operations.files.quarantine import held, prepare_repair
from roosync_agent.running import machine as running
from roosync_agent.settings import Settings
from roosync_agent.state import State

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
MCP, MODES = ROO + "mcp_settings.json", ROO + "custom_modes.yaml"
TOKEN = "hunter2quux"  # looks like nothing: only its place says that it is a secret
SERVERS = """{
  // those that everybody uses
  "mcpServers": {
    // code
    "github": {"command": "npx", "args": ["-y", "server-github"], "env": {"GITHUB_TOKEN": "%s"}}, // mine
    "files": {
      "command": "npx",
      "args": ["-y", "server-filesystem", "/srv"]
    },
    "fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "timeout": 60}, /* slow */
    "time": {"command": "uvx", "args": ["mcp-server-time"]}
  },
  "ours": "not managed"
}
""".replace("%s", TOKEN)
YAML = """# modes of the team
customModes:
  # first
  - slug: review
    name: Review
    roleDefinition: You review changes.   # short
    groups: [read]
  - slug: docs
    name: Docs
    roleDefinition: |-
      You write documentation. Très bien.
      Plainly.
    groups:
      - read
  - slug: ask
    name: Ask
    roleDefinition: You answer.
    groups: [read]
"""
JSON_MODES = (
    '{"customModes": [{"slug": "review", "name": "Review"}, {"slug": "docs", "name": "Docs"},'
    ' {"slug": "ask", "name": "Ask"}]}\n'
)


@pytest.fixture
def make(home):
    """This machine's side as after a restart: from the same files and the same state."""
    settings = Settings(state=home.state, home=home.base, machine="ana", os="posix", config=home.state / "config.toml")
    State(home.state).prepare()

    def again(**options):
        given = Settings(
            **{**{name: getattr(settings, name) for name in ("state", "home", "machine", "os", "config")}, **options}
        )
        return Local(given, State(home.state))

    again.settings = settings
    return again


def believe(make):
    local = make()
    looked = local.look()
    assert looked.quarantine == {}
    local.believe(looked)
    return local


def see(make):
    """A turn of the agent: what is wrong is written down."""
    local = make()
    looked = local.look()
    local.believe(looked)
    return looked.quarantine


def repair(make, target, **options):
    prepared = prepare_repair(make.settings, target, **options)
    write(make.settings, prepared, NOW)
    return prepared


def rules(home, count, size=30):
    for number in range(count):
        home.write(f".roo/rules/{number}.md", f"rule {number}\n" * size)


def remove(home, *names):
    for name in names:
        (home.base / name).unlink()


def uninstall(home):
    shutil.rmtree(home.base / ".config/Code/User/globalStorage")


def folder_instead(home):
    remove(home, MCP)
    (home.base / MCP).mkdir()


# how it breaks -> what brings it back: the very bytes, or only what is missing

BROKEN = {
    "zero bytes": (lambda h: h.write(MCP, b""), "roo.mcp", "gone"),
    "blank": (lambda h: h.write(MCP, b" \r\n\n"), "roo.mcp", "gone"),
    "braces": (lambda h: h.write(MCP, b"{}"), "roo.mcp", "gone"),
    "an empty map": (lambda h: h.write(MCP, b'{"mcpServers": {}}\n'), "roo.mcp", "gone"),
    "three of four": (
        lambda h: h.write(
            MCP,
            "{\n  // those that everybody uses\n"
            '  "mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}\n}',
        ),
        "roo.mcp",
        "gone",
    ),
    "two modes of three": (
        lambda h: h.write(MODES, "customModes:\n" + YAML[YAML.index("  - slug: ask") :]),
        "roo.modes",
        "gone",
    ),
    "a null": (lambda h: h.write(MCP, b'{"mcpServers": null}'), "roo.mcp", "gone"),
    "cut in the middle": (lambda h: h.write(MCP, h.read(MCP)[: len(SERVERS) // 2]), "roo.mcp", "unreadable"),
    "two marks, and broken": (lambda h: h.write(MCP, b"\xef\xbb\xbf\xef\xbb\xbf{ broken"), "roo.mcp", "unreadable"),
    "no text": (lambda h: h.write(MCP, b"\xff\x00\xfe" * 90), "roo.mcp", "unreadable"),
    "another shape": (lambda h: h.write(MCP, b'{"mcpServers": [1]}'), "roo.mcp", "unreadable"),
    "vanished": (lambda h: remove(h, MCP), "roo.mcp", "gone"),
    "uninstalled": (uninstall, "roo.mcp", "gone"),
    "YAML of zero bytes": (lambda h: h.write(MODES, b""), "roo.modes", "gone"),
    "an empty list": (lambda h: h.write(MODES, b"customModes: []\n"), "roo.modes", "gone"),
    "YAML cut short": (lambda h: h.write(MODES, h.read(MODES)[:40] + "\n  - slug: ["), "roo.modes", "unreadable"),
    "YAML that can be read, and ends in the middle": (
        lambda h: h.write(MODES, h.read(MODES)[: h.read(MODES).index("documentation") + 5]),
        "roo.modes",
        "gone",
    ),
    "all rules": (lambda h: shutil.rmtree(h.base / ".roo"), "roo.rules", "gone"),
    "rules in part": (lambda h: remove(h, *(f".roo/rules/{n}.md" for n in (1, 3, 5))), "roo.rules", "gone"),
}
SPELLED = {
    "as it is": lambda text: text,
    "with a mark and CRLF": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
@pytest.mark.parametrize(("spoil", "target", "how"), BROKEN.values(), ids=BROKEN)
def test_what_broke_is_held_back_told_and_put_back_byte_for_byte(home, make, spoil, target, how, spelled):
    home.write(MCP, spelled(SERVERS))
    home.write(MODES, spelled(YAML))
    rules(home, 9)
    before = home.files()
    believe(make)
    spoil(home)
    assert target in see(make)
    told = held(make.settings)[target]
    assert told.repairable
    assert told.since is not None
    assert 1 <= len(getattr(told, how)) <= told.believed
    assert any("release" in offer.command for offer in told.next) is (how == "gone")  # there is nothing to believe
    prepared = prepare_repair(make.settings, target)
    assert TOKEN not in prepared.diff()
    assert home.files() != before  # nothing is written yet
    for one in held(make.settings):
        repair(make, one)
    assert home.files() == before
    assert see(make) == {}
    assert make().base.held == {}


MISSING = {  # what is left, and edited since -> what stands after the repair
    "servers": (
        MCP,
        SERVERS,
        '{\n  "mcpServers": {\n    "time": {"command": "uvx", "args": ["later"]}\n  },\n  "mine": 1\n}\n',
        "roo.mcp",
        ["github", "files", "fetch", "time"],
        ['"later"', '"mine": 1', f'"GITHUB_TOKEN": "{TOKEN}"', "// code"],
    ),
    "a comment that is new": (
        MCP,
        SERVERS,
        '{"mcpServers": {\n  // my time\n  "time": {"command": "uvx", "args": ["mcp-server-time"]}\n}}\n',
        "roo.mcp",
        ["github", "files", "fetch", "time"],
        ["// my time", "// code"],
    ),
    "modes": (
        MODES,
        YAML,
        "# new words\ncustomModes:\n  - slug: ask\n    name: Ask me\n    roleDefinition: You answer.\n",
        "roo.modes",
        ["review", "docs", "ask"],
        ["# new words", "Ask me", "# first", "Très bien"],
    ),
    "the same modes in JSON meanwhile": (
        MODES,
        YAML,
        '{"customModes": [{"slug": "ask", "name": "Ask me", "roleDefinition": "You answer.", "groups": ["read"]}]}\n',
        "roo.modes",
        ["review", "docs", "ask"],
        ["Ask me", "Très bien"],
    ),
    "the same modes in YAML meanwhile": (
        MODES,
        JSON_MODES,
        "customModes:\n- slug: ask   # asked often\n  name: Ask\n",
        "roo.modes",
        ["review", "docs", "ask"],
        ["# asked often", "Docs"],
    ),
}


@pytest.mark.parametrize(("name", "good", "bad", "target", "names", "words"), MISSING.values(), ids=MISSING)
def test_in_a_file_that_can_be_read_only_what_is_missing_is_put_back(home, make, name, good, bad, target, names, words):
    home.write(name, good)
    believe(make)
    home.write(name, bad)
    assert target in see(make)
    assert set(held(make.settings)[target].gone) == set(names) - {name for name in names if name in ("time", "ask")}
    repair(make, target)
    text = home.read(name)
    assert [word for word in words if word not in text] == []
    looked = make().look()
    assert looked.quarantine == {}
    assert list(looked.collection.files[0].names) == names  # each where it stood
    home.write(name, bad)
    repair(make, target, exact=True)
    assert home.read(name) == good


def test_what_was_cut_short_is_put_back_and_edits_stay(home, make):
    rules(home, 9, size=200)
    believe(make)
    home.write(".roo/rules/1.md", "rule 1\nru")
    home.write(".roo/rules/2.md", "rule 2, better\n" * 150)
    remove(home, ".roo/rules/3.md", ".roo/rules/4.md", ".roo/rules/5.md")
    home.write(".roo/rules/new.md", "new\n")
    assert "roo.rules" in see(make)
    repair(make, "roo.rules")
    assert home.read(".roo/rules/1.md") == "rule 1\n" * 200
    assert home.read(".roo/rules/2.md").startswith("rule 2, better")
    assert home.read(".roo/rules/4.md") == "rule 4\n" * 200
    assert home.read(".roo/rules/new.md") == "new\n"
    assert see(make) == {}


def test_where_nothing_is_missing_what_changed_is_put_back(home, make):
    """A file that shrank by half although each of its servers is there."""
    long = SERVERS.replace('"/srv"', ", ".join(f'"/srv/folder{n}"' for n in range(200)))
    home.write(MCP, long)
    believe(make)
    home.write(MCP, SERVERS.replace('"timeout": 60', '"timeout": 7'))
    assert "were expected" in see(make)["roo.mcp"]
    repair(make, "roo.mcp")
    assert '"/srv/folder199"' in home.read(MCP)
    assert '"timeout": 7' in home.read(MCP)  # only what was cut
    assert see(make) == {}


def test_one_text_that_can_not_be_read_is_put_back_without_a_quarantine(home, make):
    rules(home, 5)
    believe(make)
    home.write(".roo/rules/3.md", b"\xff\xfe\x00")
    assert see(make) == {}
    repair(make, "roo.rules")
    assert home.read(".roo/rules/3.md") == "rule 3\n" * 30


def test_what_the_copies_replaced_has_a_backup(home, make):
    home.write(MCP, SERVERS)
    believe(make)
    home.write(MCP, '{"mcpServers": {')
    see(make)
    repair(make, "roo.mcp")
    (snapshot,) = every(make().door, home.state)
    assert snapshot.label == "repair of roo.mcp"
    write(make.settings, prepare_restore(make.settings, snapshot.id), NOW.replace(hour=13))
    assert home.read(MCP) == '{"mcpServers": {'


# -- what is refused, with the next step


def nothing_kept(home, make):
    believe(make)
    shutil.rmtree(home.state / "last_good")
    home.write(MCP, "{")
    see(make)


def never_read(home, make):
    home.write(MCP, "{")
    see(make)


def damaged_copy(home, make):
    believe(make)
    for path in (home.state / "last_good").glob("*.bin"):
        path.write_bytes(b"other")
    home.write(MCP, "{")


def spoilt_by_a_folder(home, make):
    believe(make)
    folder_instead(home)


def leads_elsewhere(home, make):
    believe(make)
    remove(home, MCP)
    home.write("other.json", "")
    (home.base / MCP).symlink_to(home.base / "other.json")


def second_name(home, make):
    believe(make)
    home.write(MCP, "")
    os.link(home.base / MCP, home.base / "twin.json")


def nothing_to_put_back(home, make):
    """The missing servers have no copy: it was made of a file that had lost them already."""
    believe(make)
    local = make()
    local.base.believed |= {
        f"roo.mcp/{name}": structs.replace(local.base.believed["roo.mcp/time"], key=f"roo.mcp/{name}") for name in "abc"
    }
    local.state.save_base(local.base)


REFUSED = {
    "all is in its place": (nothing_to_put_back, "in its place: `roosync quarantine release roo.mcp`"),
    "nothing is kept": (nothing_kept, "before this version kept copies"),
    "it was never read": (never_read, "could not be read since"),
    "a damaged copy": (damaged_copy, "damaged or gone"),
    "a folder in its place": (spoilt_by_a_folder, "it is a folder"),
    "a link to another file": (leads_elsewhere, "it leads to"),
    "a hard link": (second_name, "second name"),
    "a target that is well": (lambda home, make: believe(make), "is not quarantined"),
}


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_repaired_is_refused_by_name(home, make, spoil, reason):
    home.write(MCP, SERVERS)
    spoil(home, make)
    before = home.files()
    with pytest.raises(EditingError, match=reason) as refusal:
        prepare_repair(make.settings, "roo.mcp")
    assert "Nothing was changed" in str(refusal.value)
    assert home.files() == before
    if "nothing to repair" in str(refusal.value):
        assert "roosync snapshots" in str(refusal.value)
        assert not held(make.settings)["roo.mcp"].repairable


def test_a_difference_shows_no_secret_that_a_cut_left_in_part(home, make):
    home.write(MCP, SERVERS)
    believe(make)
    end = SERVERS.index(TOKEN) + 7
    for bad in (SERVERS[:end], SERVERS[:end] + '" oops', '{"mcpServers": {"x": {"env": {"MY_PIN": "qwertz77" oops'):
        home.write(MCP, bad)
        diff = prepare_repair(make.settings, "roo.mcp").diff()
        assert "hunter2" not in diff
        assert "qwertz77" not in diff
    assert TOKEN in prepare_repair(make.settings, "roo.mcp").diff(secrets=True)


# -- as it is typed


@pytest.fixture
def command(home, monkeypatch):
    monkeypatch.setenv("ROOSYNC_STATE", str(home.state))
    monkeypatch.setenv("ROOSYNC_HOME", str(home.base))
    (home.state / "config.toml").write_text('[this_machine]\nos = "posix"\n')
    return lambda *words, **more: CliRunner().invoke(quarantine, words, **more)


def test_what_a_person_reads_and_answers(home, make, command):
    home.write(MCP, SERVERS)
    home.write(MODES, "customModes: [")
    believe(make)
    ran = command("show")
    assert (ran.exit_code, "roo.modes not read: " in ran.output, "roosync snapshots" in ran.output) == (2, True, True)
    remove(home, MODES)
    assert command("show").exit_code == 0
    home.write(MCP, '{"mcpServers": {}}')
    see(make)
    ran = command("show")
    assert ran.exit_code == 4
    for words in (
        "roo.mcp quarantined: 4 of 4 entities are gone",
        "UTC (a moment ago)",
        "4 of 4: fetch, files, github, time",
        "mcp_settings.json: changed, 18 bytes",
        "roosync quarantine repair roo.mcp --dry-run    # ",
        "roosync quarantine release roo.mcp ",
    ):
        assert words in ran.output
    before = home.files()
    for words in (("repair", "roo.mcp", "--dry-run"), ("repair", "roo.mcp", "--json", "--dry-run")):
        ran = command(*words)
        assert (ran.exit_code, TOKEN in ran.output, home.files() == before) == (0, False, True)
    assert command("repair", "roo.mcp").exit_code == 1  # nobody is there to be asked
    assert home.files() == before
    ran = command("repair", "roo.mcp", "--yes")
    assert ran.output.endswith("It is believed again by itself. Next: roosync compare\n")
    assert home.read(MCP) == SERVERS


# -- what is kept


def test_copies_are_private_and_a_look_without_news_writes_nothing(home, make):
    home.write(MCP, SERVERS)
    rules(home, 3)
    local = believe(make)
    folder = home.state / "last_good"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.glob("*.bin"))) == 4

    def looks():
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in home.state.rglob("*")}

    before = looks()
    local.believe(local.look())
    make().believe(make().look())
    assert looks() == before
    (folder / f"{'0' * 64}.bin").write_bytes(b"of an agent that was killed")
    home.write(".roo/rules/1.md", "another\n")
    local.believe(local.look())
    assert len(list(folder.iterdir())) == 5  # what is replaced goes
    remove(home, ".roo/rules/1.md")
    local.released.add("roo.rules")
    local.believe(local.look())
    assert len(list(folder.glob("*.bin"))) == 3


def test_files_without_entities_and_targets_that_are_not_managed_any_more_are_not_kept(home, make):
    home.write(MCP, SERVERS)
    home.write(MODES, "customModes: []\n")
    rules(home, 3)
    local = believe(make)
    assert {kept.target for kept in local.last_good.files.values()} == {"roo.mcp", "roo.rules"}
    local = make(targets=("mcp",))
    looked = local.look()
    assert looked.quarantine == {}  # what is not managed is not missed
    local.believe(looked)
    assert {kept.target for kept in make().last_good.files.values()} == {"roo.mcp"}
    assert {key.split("/")[0] for key in make().base.believed} == {"roo.mcp"}
    assert make().look().quarantine == {}  # managed again: a new beginning


def test_a_declaration_that_broke_takes_no_copy_away(home, make):
    declared = home.state / "targets" / "own.toml"
    declared.parent.mkdir()
    text = 'name = "mine.servers"\nfile = "{home}/mine.json"\nformat = "json"\nkind = "mcp"\n'
    declared.write_text(text + 'container = "servers"\n')
    home.write("mine.json", '{"servers": {"a": {"command": "a"}, "b": {"command": "b"}}}')
    believe(make)
    declared.write_text("name = ")
    looked = make().look()
    assert looked.quarantine == {}  # it is not looked at, so nothing is missed
    make().believe(looked)
    declared.write_text(text + 'container = "servers"\n')
    home.write("mine.json", "{}")
    assert "mine.servers" in see(make)
    repair(make, "mine.servers")
    assert '"b"' in home.read("mine.json")
    declared.unlink()
    see(make)
    assert make().last_good.files == {}


def test_what_is_released_is_the_new_copy(home, make):
    home.write(MCP, SERVERS)
    local = believe(make)
    home.write(MCP, '{"mcpServers": {"time": {"command": "uvx"}}}')
    local.released.add("roo.mcp")
    local.believe(local.look())
    home.write(MCP, "{")
    see(make)
    repair(make, "roo.mcp")
    assert home.read(MCP) == '{"mcpServers": {"time": {"command": "uvx"}}}'


def test_what_is_kept_is_bounded_and_the_newest_stays(home, make, monkeypatch):
    monkeypatch.setattr(last_good, "MAX_FILE", 3_000)
    monkeypatch.setattr(last_good, "MAX_ALL", 5_000)
    home.write(".roo/rules/large.md", "x" * 3_001)
    home.write(".roo/rules/a.md", "a" * 2_000)
    local = believe(make)
    for name in "bc":
        home.write(f".roo/rules/{name}.md", name * 2_000)
        local.believe(local.look())
    files = make().last_good.files
    assert {label.rpartition("/")[2]: kept.stored for label, kept in files.items()} == {
        "a.md": False, "b.md": True, "c.md": True, "large.md": False,
    }  # fmt: skip
    assert sum(path.stat().st_size for path in (home.state / "last_good").glob("*.bin")) == 4_000
    remove(home, *(f".roo/rules/{name}.md" for name in ("a", "b", "c", "large")))
    see(make)
    told = held(make.settings)["roo.rules"]
    assert len(told.missing_copies) == 2
    repair(make, "roo.rules")
    assert sorted(path.name for path in (home.base / ".roo/rules").iterdir()) == ["b.md", "c.md"]


def test_a_copy_that_was_taken_away_is_made_again(home, make):
    home.write(MCP, SERVERS)
    believe(make)
    (blob,) = (home.state / "last_good").glob("*.bin")
    blob.unlink()
    believe(make)
    assert blob.read_bytes() == SERVERS.encode()


def test_a_disk_that_refuses_the_copy_stops_nothing(home, make, monkeypatch):
    home.write(MCP, SERVERS)
    local = make()

    def full(self, path, data):
        raise last_good.FileRefusedError(path, "the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(LastGood, "_store", full)
        local.believe(local.look())
    assert local.base.believed
    assert make().last_good.files == {}
    local.believe(local.look())
    assert make().last_good.files.keys() == {"roo.mcp/settings/mcp_settings.json"}


LOOKS = {  # what the files say, look by look, what is held back already -> how many looks it takes
    "nothing": ([{}], set(), 1),
    "an editor is writing": ([{"a": "gone"}, {}], set(), 2),
    "it is broken": ([{"a": "gone"}, {"a": "gone"}], set(), 2),
    "that is known": ([{"a": "gone"}], {"a"}, 1),
    "and another one": ([{"a": "gone", "b": "gone"}, {"a": "gone"}], {"a"}, 2),
}


@pytest.mark.parametrize(("seen", "known", "looks"), LOOKS.values(), ids=LOOKS)
async def test_what_is_held_back_anew_is_looked_at_again(monkeypatch, seen, known, looks):
    monkeypatch.setattr(running, "SECOND_LOOK", 0.0)
    left = [SimpleNamespace(quarantine=one) for one in seen]
    law = SimpleNamespace(policy=SimpleNamespace(public_names=()))
    local = SimpleNamespace(base=SimpleNamespace(held=dict.fromkeys(known)), look=lambda: left.pop(0))
    one = SimpleNamespace(local=local, fleet=SimpleNamespace(law=law))
    assert (await running.Machine.look(one)).quarantine == seen[-1]
    assert len(seen) - len(left) == looks
