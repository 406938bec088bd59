"""Any file of a person edited in place: what comes out, what is refused and left byte for byte, and the way back."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from roosync_agent.files.door import RealDoor
from roosync_agent.operations.files import editing
from roosync_agent.operations.files.asked_edits import Asked, AskedError, edited
from roosync_agent.operations.files.backups import list_snapshots, prepare_restore
from roosync_agent.operations.files.editing import EditingError, prepare, write
from roosync_agent.operations.files.file_diff import unified
from roosync_agent.settings import Settings
from roosync_protocol.documents import parse
from roosync_protocol.documents.edits import show

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"
MODES = "# mine\ncustomModes:\n  - slug: code\n    name: Code # nice\n  - slug: ask\n    name: Ask\n"
JSONC = '{\r\n\t// mine\r\n\t"a": {"x":   1, "y": 2},\r\n\t"editor.size": 1,\r\n\t"list": ["p", "q"],\r\n}\r\n'


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "home").mkdir()
    return Settings(state=tmp_path / "state", home=tmp_path / "home", config=tmp_path / "state" / "config.toml")


@pytest.fixture
def file(tmp_path):
    """Writes a file of the person, and gives its path."""

    def write_(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_


def run(settings, path, *asked, now=NOW, **options):
    return write(settings, prepare(settings, str(path), asked, **options), now)


EDITS = {  # name of file, its text, what is asked, the text afterwards
    "a member keeps its comment": (
        "m.yaml",
        MODES,
        [Asked("set", "customModes[slug=code].name", "Coder")],
        MODES.replace("name: Code", "name: Coder"),
    ),
    "an element after another, with a comment": (
        "m.yaml",
        MODES,
        [Asked("insert", "customModes", '{"slug": "new"}', after="code", comments=("new",))],
        MODES.replace("  - slug: ask", "  # new\n  - slug: new\n  - slug: ask"),
    ),
    "an element first": (
        "m.yaml",
        MODES,
        [Asked("insert", "customModes", '{"slug": "new"}', first=True)],
        MODES.replace("  - slug: code", "  - slug: new\n  - slug: code"),
    ),
    "several edits, each on what the last one left": (
        "m.yaml",
        MODES,
        [
            Asked("delete", "customModes[slug=code]"),
            Asked("rename", "customModes[0].name", "title"),
            Asked("set", "customModes[slug=ask].title", "5", string=True),
        ],
        '# mine\ncustomModes:\n  - slug: ask\n    title: "5"\n',
    ),
    "JSON with comments, CRLF and tabs": (
        "s.json",
        JSONC,
        [
            Asked("set", "a.z", "3", after="x"),
            Asked("insert", "list[1]", "new"),
            Asked("set", '["editor.size"]', "14"),
        ],
        JSONC.replace('1, "y"', '1, "z":   3, "y"').replace('"p", ', '"p", "new", ').replace('size": 1', 'size": 14'),
    ),
    "an element after a text": ("s.json", '["a", "b"]', [Asked("insert", ".", "c", after="a")], '["a", "c", "b"]'),
    "an element after a selector": (
        "s.json",
        '[{"kind": "x"}, {"kind": "y"}]',
        [Asked("insert", ".", "1", after="kind=x")],
        '[{"kind": "x"}, 1, {"kind": "y"}]',
    ),
    "an element after an index": ("s.json", "[1, 2]", [Asked("insert", ".", "9", after="[0]")], "[1, 9, 2]"),
    "a list that is not there": ("c.toml", "[a]\nx = 1\n", [Asked("insert", "a.l", "1")], "[a]\nx = 1\nl = [1]\n"),
    "a text as a whole keeps its line ends": (
        "t.md",
        "one\r\ntwo\r\n",
        [Asked("set", ".", "one\nnew\n")],
        "one\r\nnew\r\n",
    ),
    "an element from the end": ("s.json", "[1, 2]", [Asked("insert", ".", "9", after="[-1]")], "[1, 2, 9]"),
    "an element after a number, which is no index": (
        "s.json",
        '{"editor.rulers": [80, 1, 100]}',
        [Asked("insert", '["editor.rulers"]', "90", after="80"), Asked("insert", '["editor.rulers"]', "2", after="1")],
        '{"editor.rulers": [80, 90, 1, 2, 100]}',
    ),
    "an element after true": (
        "s.json",
        "[null, true, 0]",
        [Asked("insert", ".", "9", after="true")],
        "[null, true, 9, 0]",
    ),
    "an element after a number that is its id": (
        "s.json",
        '[{"id": 5}, {"id": 1}]',
        [Asked("insert", ".", "9", after="5")],
        '[{"id": 5}, 9, {"id": 1}]',
    ),
    "a text is never JSON": ("t.txt", "", [Asked("set", ".", '{"a": 1}', string=True)], '{"a": 1}\n'),
    "a text that begins like JSON": ("s.json", '{"a": 1}', [Asked("set", "a", "[x", string=True)], '{"a": "[x"}'),
    "a text keeps its last line end": ("t.txt", "one\r\n", [Asked("set", ".", "hello")], "hello\r\n"),
    "a text without one gets none": ("t.txt", "one", [Asked("set", ".", "hello")], "hello"),
    "a text is emptied": ("t.txt", "one\n", [Asked("set", ".", "")], ""),
    "marks of comments that were typed": (
        "m.yaml",
        "a: 1\n",
        [Asked("set", "b", "1", comments=("# hash", "#12 is open\n## two", "// kept"))],
        "a: 1\n# hash\n# #12 is open\n# two\n# // kept\nb: 1\n",
    ),
    "marks of comments in JSON": (
        "s.jsonc",
        '{\n  "a": 1\n}\n',
        [Asked("set", "b", "1", comments=("// one\n//two", "# kept"))],
        '{\n  "a": 1,\n  // one\n  // two\n  // # kept\n  "b": 1\n}\n',
    ),
    "standard input": ("s.json", "{}", [Asked("set", "a", "-")], '{"a": {"from": "stdin"}}'),
    "a hyphen": ("s.json", '{"a": 1}', [Asked("set", "a", "-", string=True)], '{"a": "-"}'),
    "no JSON is a text": ("s.json", '{"a": 1}', [Asked("set", "a", "NaN")], '{"a": "NaN"}'),
}


@pytest.mark.parametrize("case", EDITS)
def test_what_comes_out(case, settings, file):
    name, before, asked, after = EDITS[case]
    path = file(name, before)
    done = run(settings, path, *asked, stdin='{"from": "stdin"}\n')
    got = path.read_bytes().decode()
    if case == "standard input":
        assert parse(path.read_bytes(), "json").value == {"a": {"from": "stdin"}}
    else:
        assert got == after
    (listed,) = list_snapshots(settings.state)
    assert (listed["id"], listed["label"], listed["files"]) == (done.snapshot, "edit", [str(path)])


REFUSED = {  # name, text, what is asked, what is said
    "nothing there": ("m.yaml", MODES, [Asked("delete", "customMode")], "did you mean 'customModes'?"),
    "no path": ("m.yaml", MODES, [Asked("set", "a..b", "1")], "at character 3"),
    "the second of two": (
        "m.yaml",
        MODES,
        [Asked("set", "a", "1"), Asked("delete", "b")],
        "edit 2 of 2 (--delete b): the whole document has no 'b'",
    ),
    "a name with a dot": ("s.json", JSONC, [Asked("set", "editor.size", "2")], "'editor.size' is one name there"),
    "an unknown neighbour": (
        "s.json",
        JSONC,
        [Asked("set", "a.n", "1", after="xx")],
        "a has no 'xx'; did you mean 'x'",
    ),
    "an unknown element": ("m.yaml", MODES, [Asked("insert", "customModes", "1", after="cod")], "did you mean 'code'?"),
    "two neighbours": ("s.json", '["a","a"]', [Asked("insert", ".", "1", after="a")], "say an index, '[0]'"),
    "no such number": (
        "s.json",
        "[80, 100]",
        [Asked("insert", ".", "9", after="1")],
        "it has '80', '100'; an index is '[1]'",
    ),
    "no such index": (
        "s.json",
        "[80, 100]",
        [Asked("insert", ".", "9", after="[2]")],
        "has 2 elements, and [2] is none",
    ),
    "elements without names": ("s.json", "[[], {}]", [Asked("insert", ".", "9", after="a")], "'[0]' to '[1]'"),
    "an empty list": ("s.json", "[]", [Asked("insert", ".", "9", after="a")], "it is empty"),
    "a secret in a list": ("s.json", f'["{TOKEN}"]', [Asked("insert", ".", "9", after="a")], "it has '[hidden]'"),
    "no JSON": (
        "m.yaml",
        MODES,
        [Asked("set", "x", "{a: 1}")],
        "double quotes at character 2; if it is a text: --string",
    ),
    "a list that is no JSON": ("m.yaml", MODES, [Asked("set", "x", "[1,\n2")], "at line 2, character 2"),
    "a quote that opens": ("m.yaml", MODES, [Asked("set", "x", '"a" and b')], "Extra data at character 5"),
    "no input for a text": ("t.txt", "x\n", [Asked("set", ".", "-")], "standard input is empty"),
    "no input for a member": ("s.json", "{}", [Asked("set", "a", "-")], "standard input is empty"),
    "front matter that nothing closes": (
        "a.md",
        "---\nname: x\n",
        [Asked("set", "a", "1")],
        "line 1: the front matter",
    ),
    "two places": ("s.json", JSONC, [Asked("set", "a.n", "1", after="x", first=True)], "say one of them"),
    "index and neighbour": ("s.json", JSONC, [Asked("insert", "list[0]", "1", first=True)], "says the place already"),
    "from the end": ("s.json", JSONC, [Asked("insert", "list[-1]", "1")], "an index from 0"),
    "beyond the end": ("s.json", JSONC, [Asked("insert", "list[7]", "1")], "outside of the list"),
    "into a map": ("s.json", JSONC, [Asked("insert", "a", "1")], "a is no list: --set a.NAME VALUE adds to it"),
    "beside an element": ("m.yaml", MODES, [Asked("insert", "customModes[slug=ask]", "1")], "--after slug=ask"),
    "a known member has its place": ("s.json", JSONC, [Asked("set", "a.x", "1", first=True)], "keeps its place"),
    "a comment on what is there": ("s.json", JSONC, [Asked("set", "a.x", "1", comments=("c",))], "is there already"),
    "a comment in JSON": ("s.json", "{}", [Asked("set", "a", "1", comments=("c",))], "--format jsonc"),
    "a place for a deletion": ("s.json", JSONC, [Asked("delete", "a", after="list")], "not about --delete"),
    "an element by set": ("s.json", JSONC, [Asked("set", "list[2]", "1", first=True)], "--insert list VALUE"),
    "a place in a text": ("t.md", "x", [Asked("set", "a", "1")], "--set . VALUE"),
    "a name twice in VALUE": ("s.json", "{}", [Asked("set", "a", '{"b": 1, "b": 2}')], "a name twice"),
    "VALUE too deep": ("s.json", "{}", [Asked("set", "a", "[" * 300 + "]" * 300)], "deeper than 200"),
    "VALUE far too deep": ("s.json", "{}", [Asked("set", "a", "[" * 99_999)], "too many containers"),
    "a name that is taken": ("s.json", JSONC, [Asked("rename", "a.x", "y")], "already a member named 'y'"),
    "the whole document": ("s.json", JSONC, [Asked("delete", ".")], "can not be deleted"),
    "half a character": ("s.json", '{"a": 1}', [Asked("set", "a", "\udce9")], "is not UTF-8"),
    "broken": ("s.json", '{\n"a": }', [Asked("set", "a", "1")], "can not be read as json: line 2"),
    "names twice": ("s.json", '{\n"a": 1,\n"a": 2}', [Asked("set", "b", "1")], "line 3: the name 'a' is there twice"),
    "too deep": ("s.json", "[" * 300 + "]" * 300, [Asked("set", "[0]", "1")], "more than 200"),
    "UTF-16": ("s.json", "\ufeff{}".encode("utf-16"), [Asked("set", "a", "1")], "save it as UTF-8"),
    "no text": ("t.txt", b"a\0b", [Asked("set", ".", "1")], "a zero byte"),
    "an anchor": ("a.yaml", "a: &x\n  k: 1\nb: *x\n", [Asked("set", "b.k", "2")], "by an alias"),
    "broken YAML": ("a.yaml", "a: [\nb: 1\n", [Asked("set", "b", "2")], "can not be read as yaml: line"),
    "broken TOML": ("a.toml", "a = 1\na = 2\n", [Asked("set", "b", "2")], "can not be read as toml"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_every_byte(case, settings, file):
    name, before, asked, told = REFUSED[case]
    path = file(name, before)
    was = path.read_bytes()
    with pytest.raises(EditingError) as refused:
        run(settings, path, *asked)
    assert told in str(refused.value)
    assert "othing was changed" in str(refused.value)
    assert "\n" not in str(refused.value).strip()
    assert path.read_bytes() == was
    assert not settings.state.exists()


def test_the_document_that_is_given_stays():
    document = parse(b'{"a": 1}', "json")
    with pytest.raises(AskedError):
        edited(document, [Asked("set", "a", "2"), Asked("delete", "b")])
    assert document.data == b'{"a": 1}'


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("a.[{'-", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a.['", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings_of_hypothesis(max_examples=60)
@given(st.dictionaries(st.text("ab.", max_size=3), values, min_size=1), st.data(), values)
def test_what_is_asked_in_words_is_what_the_model_says(value, data, new):
    document = parse(json.dumps(value, indent=1).encode(), "json")
    name = data.draw(st.sampled_from(sorted(value)))
    asked = [Asked("set", show((name,)), json.dumps(new)), Asked("insert", '["n n"]', json.dumps(new))]
    after, _ = edited(document, [*asked, Asked("delete", show((name,)))])
    left = {key: one for key, one in value.items() if key != name}
    assert after.value == {**left, "n n": [new]}


NOTES = {
    "a slip": (Asked("set", "customMode.x", "1"), "customMode is new; there is also 'customModes'"),
    "no place for a comment": (Asked("set", "x.y", "1", comments=("c",)), "is left out"),
    "a twin": (
        Asked("insert", "customModes", '{"slug": "ask", "name": "Code"}'),
        "customModes[1] has the same slug as the new element",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_may_be_a_slip_is_noted(case, settings, file):
    asked, told = NOTES[case]
    prepared = prepare(settings, str(file("m.yaml", MODES)), [asked])
    assert any(told in note for note in prepared.notes)


WRITTEN = {  # name and text of a file, the list, the comments
    "TOML": ("c.toml", "xs = [\n  1,\n  2,\n]\n", "xs", ("c",)),
    "two lines in YAML": ("c.yaml", "xs:\n  - 1\n", "xs", ("one\ntwo",)),
    "two lines in JSONC": ("c.jsonc", '{"xs": [\n  1\n]}\n', "xs", ("one\ntwo",)),
    "two lines in TOML": ("c.toml", "xs = [\n  1,\n  2,\n]\n", "xs", ("one\ntwo",)),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_comment_that_is_written_is_not_said_to_be_left_out(case, settings, file):
    name, text, path, comments = WRITTEN[case]
    prepared = prepare(settings, str(file(name, text)), [Asked("insert", path, "9", first=True, comments=comments)])
    assert prepared.notes == ()
    after = prepared.plan.changes[0].after.decode()
    assert all(line in after for line in comments[0].split("\n"))


def test_a_comment_that_is_there_elsewhere_does_not_count(settings, file):
    path = file("a.toml", "# c\nxs = [1]\n")
    (note,) = prepare(settings, str(path), [Asked("insert", "xs", "2", comments=("c",))]).notes
    assert "is left out" in note


def test_empty_input_for_an_empty_file_is_no_work(settings, file):
    assert not prepare(settings, str(file("a.txt", "")), [Asked("set", ".", "-")]).changed


FORMATS = {
    ("a.json", '{"a": 1}'): "json",
    ("a.json", '{"a": 1,}'): "jsonc",
    ("a.json", ""): "json",
    ("b.json", "\ufeff{}"): "json",
    (".roomodes", "a: 1"): "yaml",
    (".roomodes", '{"a": 1}'): "json",
    ("rc", '{"a": 1} // x'): "jsonc",
    ("rc", "a"): "text",
    ("a.toml", ""): "toml",
    ("agent.md", "---\nname: x\n---\nYou are kind.\n"): "frontmatter",
}


@pytest.mark.parametrize(("name", "text"), FORMATS)
def test_what_a_file_is_taken_as(name, text, settings, file):
    asked = Asked("set", "." if FORMATS[name, text] == "text" else "z", "1")
    assert prepare(settings, str(file(name, text)), [asked]).format == FORMATS[name, text]


def test_markdown_is_its_front_matter_or_all_of_it(settings, file):
    path = file("agent.md", "---\nname: x # mine\n---\nYou are kind.\n")
    run(settings, path, Asked("set", "name", "nice"), Asked("set", "model", "opus"))
    assert path.read_text() == "---\nname: nice # mine\nmodel: opus\n---\nYou are kind.\n"
    run(settings, path, Asked("set", ".", "all new\n"))
    assert path.read_text() == "all new\n"


def test_a_person_knows_better(settings, file):
    path = file("strange.conf", "a: 1\n")
    run(settings, path, Asked("set", "a", "2"), format="yaml")
    assert path.read_text() == "a: 2\n"


def test_nothing_to_do_writes_nothing(settings, file):
    prepared = prepare(settings, str(file("a.json", '{"a": 1}')), [Asked("set", "a", "1")])
    assert not prepared.changed
    assert prepared.diff() == ""
    assert write(settings, prepared, NOW).snapshot == ""
    assert not settings.state.exists()


def test_a_new_file_is_private(settings, tmp_path):
    path = tmp_path / "new.json"
    run(settings, path, Asked("set", "a", "1"))
    assert parse(path.read_bytes(), "json").value == {"a": 1}
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(settings.state.stat().st_mode) == 0o700
    back = prepare_restore(settings, list_snapshots(settings.state)[0]["id"])
    write(settings, back, NOW + timedelta(seconds=1))
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="links and modes of POSIX")
class TestFiles:
    def test_mode_and_symbolic_links_are_kept(self, settings, file, tmp_path):
        real = file("real.json", '{"a": 1}')
        real.chmod(0o640)
        link = tmp_path / "link.json"
        link.symlink_to(real)
        run(settings, link, Asked("set", "a", "2"))
        assert link.is_symlink()
        assert real.read_text() == '{"a": 2}'
        assert stat.S_IMODE(real.stat().st_mode) == 0o640

    def test_a_hard_link_is_refused(self, settings, file, tmp_path):
        path = file("a.json", '{"a": 1}')
        os.link(path, tmp_path / "b.json")
        with pytest.raises(EditingError, match="hard link"):
            run(settings, path, Asked("set", "a", "2"))

    def test_a_link_to_nothing_is_refused(self, settings, tmp_path):
        (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
        with pytest.raises(EditingError, match="there is nothing"):
            run(settings, tmp_path / "a.json", Asked("set", "a", "2"))

    def test_a_folder_and_a_fifo_are_refused(self, settings, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        for path, told in ((tmp_path, "it is a folder"), (tmp_path / "fifo", "not a regular file")):
            with pytest.raises(EditingError, match=told):
                run(settings, path, Asked("set", "a", "2"))


def test_no_folder_is_made(settings, tmp_path):
    with pytest.raises(EditingError, match="no such folder"):
        run(settings, tmp_path / "no" / "a.json", Asked("set", "a", "2"))


def test_own_state_is_not_edited_but_its_settings_are(settings):
    settings.state.mkdir()
    settings.config.write_text("machine = 'a'\n")
    run(settings, settings.config, Asked("set", "machine", "b"))
    assert '"b"' in settings.config.read_text()
    with pytest.raises(EditingError, match="roosync's own state"):
        run(settings, settings.state / "law.json", Asked("set", "a", "1"))


def test_too_big_is_refused(settings, tmp_path):
    path = tmp_path / "big.json"
    with path.open("wb") as big:
        big.truncate(17 * 1024 * 1024)
    with pytest.raises(EditingError, match="more than the limit"):
        run(settings, path, Asked("set", "a", "1"))


def test_what_changed_since_it_was_shown_is_not_overwritten(settings, file):
    path = file("a.json", '{"a": 1}')
    prepared = prepare(settings, str(path), [Asked("set", "a", "2")])
    path.write_text('{"a": 1, "b": 1}')
    with pytest.raises(EditingError, match="changed since"):
        write(settings, prepared, NOW)
    assert path.read_text() == '{"a": 1, "b": 1}'
    assert list_snapshots(settings.state) == []


@pytest.mark.parametrize("name", ["mcp_settings.json", "any.json"])
def test_the_lock_of_its_assistant_is_respected(name, settings, file, monkeypatch):
    monkeypatch.setattr("roosync_agent.applying.tool_locks.PATIENCE", 0.1)
    path = file(name, '{"a": 1}')
    lock = path.with_name(f"{name}.lock")
    lock.mkdir()
    with pytest.raises(EditingError, match="its assistant is writing"):
        run(settings, path, Asked("set", "a", "2"))
    lock.rmdir()
    run(settings, path, Asked("set", "a", "2"))
    assert not lock.exists()


def test_a_file_beside_it_that_is_called_lock_is_none(settings, file):
    path = file("poetry.toml", "a = 1\n")
    file("poetry.toml.lock", "x")
    run(settings, path, Asked("set", "a", "2"))
    assert path.read_text() == "a = 2\n"


def test_what_does_not_read_back_goes_back(settings, file, monkeypatch):
    class Lying(RealDoor):
        done = False

        def replace(self, temporary, target):
            super().replace(temporary, target)
            if target.name == "a.json" and not self.done:
                self.done = True
                target.write_bytes(b'{"somebody": "else"}')

    path = file("a.json", '{"a": 1}')
    prepared = prepare(settings, str(path), [Asked("set", "a", "2")], door=Lying())
    with pytest.raises(EditingError, match="reads back as something else"):
        write(settings, prepared, NOW, Lying())


def test_a_fault_while_reading_back_restores(settings, file, monkeypatch):
    path = file("a.json", '{"a": 1}')

    def broken(*_):
        raise OSError("the disk is on fire")

    monkeypatch.setattr(editing, "nothing_managed", broken)
    with pytest.raises(EditingError, match="put back"):
        run(settings, path, Asked("set", "a", "2"))
    assert path.read_text() == '{"a": 1}'


class TestRestoring:
    def test_bytes_come_back_and_forth(self, settings, file):
        path = file("s.json", JSONC)
        done = run(settings, path, Asked("delete", "a"))
        after = path.read_bytes()
        back = prepare_restore(settings, done.snapshot)
        assert "+" in back.diff()
        again = write(settings, back, NOW + timedelta(seconds=1))
        assert path.read_bytes() == JSONC.encode()
        write(settings, prepare_restore(settings, again.snapshot), NOW + timedelta(seconds=2))
        assert path.read_bytes() == after

    def test_later_edits_are_not_lost_unless_said_so(self, settings, file):
        path = file("a.json", '{"a": 1}')
        done = run(settings, path, Asked("set", "a", "2"))
        path.write_text('{"a": 2, "b": 3}')
        with pytest.raises(EditingError, match="--exact"):
            prepare_restore(settings, done.snapshot)
        write(settings, prepare_restore(settings, done.snapshot, exact=True), NOW + timedelta(seconds=1))
        assert path.read_text() == '{"a": 1}'

    def test_what_is_back_already_is_no_work(self, settings, file):
        path = file("a.json", '{"a": 1}')
        done = run(settings, path, Asked("set", "a", "2"))
        path.write_text('{"a": 1}')
        assert not prepare_restore(settings, done.snapshot[:20]).changed

    def test_an_id_that_is_none(self, settings, file):
        path = file("a.json", '{"a": 1}')
        for n in range(2):
            run(settings, path, Asked("set", "a", str(n + 2)), now=NOW + timedelta(seconds=n))
        for beginning, told in (("s-", "2 snapshots begin"), ("x", "no snapshot 'x'"), ("../..", "no snapshot")):
            with pytest.raises(EditingError, match=told):
                prepare_restore(settings, beginning)

    def test_what_a_decision_wrote_keeps_later_edits(self, settings, home):
        home.write(home.MCP, '{"mcpServers": {"a": {"command": "a"}, "b": {"command": "b"}}}')
        own = Settings(state=home.state, home=home.base, config=home.state / "config.toml")
        done = home.apply(("roo.mcp/a", {"command": "new"}))
        home.write(home.MCP, home.read(home.MCP).replace('"b"}', '"mine"}'))
        prepared = prepare_restore(own, done.snapshot)
        assert '"new"' in prepared.diff()
        write(own, prepared, NOW + timedelta(seconds=1))
        assert home.read(home.MCP) == '{"mcpServers": {"a": {"command": "a"}, "b": {"command": "mine"}}}'


class TestDiff:
    def test_a_secret_is_hidden_and_its_change_seen(self):
        old = f'{{\n"a": 1,\n"GITHUB_TOKEN": "{TOKEN}"\n}}'.encode()
        new = old.replace(b"1234", b"9999")
        shown = unified(old, new, "x")
        assert TOKEN[:20] not in shown
        assert '-"GITHUB_TOKEN": "[hidden]"' in shown
        assert '+"GITHUB_TOKEN": "[hidden]"' in shown
        assert TOKEN in unified(old, new, "x", secrets=True)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.json", '{\n"x": 1,\n"mcpServers": {"s": {"args": ["--api-key", "zz9hidden"]}}\n}\n'),
            ("a.json", '{\n"x": 1,\n"mcpServers": {"s": {"headers": {"X-Auth":\n"zz9hidden"}}}\n}\n'),
            ("a.yaml", "x: 1\nargs:\n- --token\n- zz9hidden\n"),
            ("a.yaml", "env:\n  FOO: |\n    first line\n    zz9hidden\nx: 1\n"),
            ("a.toml", 'x = 1\n[env]\nFOO = "zz9hidden"\n'),
        ],
    )
    def test_what_is_secret_by_its_place_is_hidden(self, name, text):
        new = text.replace("1", "2", 1).encode()
        shown = unified(text.encode(), new, name)
        assert "zz9hidden" not in shown
        assert "[hidden]" in shown
        assert "zz9hidden" in unified(text.encode(), new, name, secrets=True)

    def test_a_large_difference_takes_no_minutes(self):
        old = "".join(f"{n % 7}\n" for n in range(20_000)).encode()
        assert unified(old, old.replace(b"3\n", b"x\n"), "n").count("\n+x") > 2000

    def test_a_secret_of_several_lines_keeps_the_lines(self):
        key = "-----BEGIN PRIVATE KEY-----\n" + "MIIabcdefghijklmnopqrstuvwxyz0123456789ABCD\n" * 9
        text = f"a\n{key}-----END PRIVATE KEY-----\nb\n"
        shown = unified(text.encode(), text.replace("b\n", "c\n").encode(), "x")
        assert "MII" not in shown
        assert "-b\n+c\n" in shown

    def test_it_is_a_unified_diff(self):
        assert unified(b"a\r\nb", b"a\r\nc", "n\nx") == (
            "--- n\\nx (now)\n+++ n\\nx (afterwards)\n@@ -1,2 +1,2 @@\n a\n"
            "-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
        )
        assert unified(None, b"a\n", "n").splitlines()[0] == "--- /dev/null"
        assert unified(b"a", b"a", "n") == ""

    def test_a_long_line_shows_where_it_changes(self):
        old = '{"k": "' + "word " * 500 + '"}'
        shown = unified(old.encode(), (old[:1500] + "HERE" + old[1500:]).encode(), "n", clip=True)
        assert "HERE" in shown
        assert max(map(len, shown.splitlines())) < 300
