"""Many edits in one call: the same bytes as one after the other, and read back together where that can be."""

import pytest

from roosync_protocol import documents
from roosync_protocol.documents import Delete, EditRefused, Insert, Rename, Set, edit, parse

FILES = {
    "json": '{\n  "a": 1, "b": ["x", "x"],\n  "c": {"d": "e"}\n}',
    "jsonc": '{\n  // c\n  "a": 1, /* d */ "b": ["x", "x"],\n  "c": {"d": "e"},\n}\n',
    "yaml": "a: 1 # c\nb:\n  - x\n  - x\nc: {d: e}\n",
    "toml": 'a = 1 # c\nb = ["x", "x"]\n\n[c]\nd = "e"\n',
    "frontmatter": "---\na: 1\nb: [x, x]\nc:\n  d: e\n---\na: 1\n",
}
LEAVES = [Set(("a",), 2), Set(("b", 0), "xx"), Set(("b", 1), "x x"), Set(("c", "d"), "é")]
MIXED = [
    Set(("a",), "1\n2"),
    Set(("b", 1), "y"),
    Delete(("b", 0)),
    Set(("b", 0), "z"),
    Set(("b", 0), "zz"),
    Rename(("c", "d"), "f"),
    Set(("c", "f"), 1),
    Insert(("b",), 0, "w"),
    Set(("a",), 3),
    Set((), {"a": 4, "b": ["v", "zz"], "c": {"f": 2}}),
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("edits", [LEAVES, MIXED], ids=["leaves", "mixed"])
def test_together_is_one_after_the_other(name, edits):
    together = single = parse(FILES[name].encode(), name)
    for one in edits:
        single = edit(single, [one])
    together = edit(together, edits)
    assert together.data == single.data
    assert together.value == single.value


@pytest.mark.parametrize("name", FILES)
def test_leaves_are_read_back_once(name, monkeypatch):
    document = parse(FILES[name].encode(), name)
    read = []
    monkeypatch.setattr(documents, "parse", lambda *args, **more: read.append(1) or parse(*args, **more))
    edit(document, LEAVES)
    assert len(read) == 1


def test_what_is_not_done_together_is_done_alone():
    document = parse(b"a: 1\nb: 2", "yaml")  # a literal block at the end wants another way than the nicest
    assert edit(document, [Set(("a",), 3), Set(("b",), "x\ny\n")]).data == b"a: 3\nb: |\n  x\n  y\n"


def test_one_that_is_refused_refuses_all():
    document = parse(b"a: &x 1\nb: *x\nc: 1\n", "yaml")
    with pytest.raises(EditRefused, match="repeated"):
        edit(document, [Set(("c",), 2), Set(("a",), 2)])
