"""TOML: what a person would have written by hand, to the byte."""

import pytest
import tomlkit

from roosync_protocol.documents import FIRST, Delete, EditRefused, Insert, Rename, Set, comments_above, edit, parse

FILE = """# head

model = "o3" # the model
tags = ["a", "b"]

# servers
[mcp_servers.a]
command = "npx"
args = [
  "-y", # yes
  "x",
]
env = { A = "1" }

# about b
[mcp_servers.b]
command = 'C:\\x'
[mcp_servers.b.env]
K = "v"

# about other
[other]
x = 1
y.z = 2

[[list]]
n = 1

# the second
[[list]]
n = 2
"""
B = FILE[FILE.index("# about b") : FILE.index("# about other")]

BY_HAND = {
    "a value": (Set(("model",), "x"), '"o3"', '"x"'),
    "a value at the top": (Set(("new",), 1), 'tags = ["a", "b"]\n', 'tags = ["a", "b"]\nnew = 1\n'),
    "behind a neighbour": (
        Set(("new",), 1, after="model", comments=("why",)),
        "# the model\n",
        "# the model\n# why\nnew = 1\n",
    ),
    "before all": (Set(("new",), 1, after=FIRST), 'model = "o3"', 'new = 1\nmodel = "o3"'),
    "a server at the end": (
        Set(("mcp_servers", "c"), {"command": "D:\\y", "args": ["q"], "env": {"T": "a b"}}),
        B,
        B + '[mcp_servers.c]\ncommand = \'D:\\y\'\nargs = ["q"]\nenv = { T = "a b" }\n\n',
    ),
    "a server behind another": (
        Set(("mcp_servers", "c"), {"command": "x"}, after="a", comments=("new",)),
        B,
        '# new\n[mcp_servers.c]\ncommand = "x"\n\n' + B,
    ),
    "a server goes with its comment and its tables": (Delete(("mcp_servers", "b")), B, ""),
    "a table inside of it alone": (Delete(("mcp_servers", "b", "env")), '[mcp_servers.b.env]\nK = "v"\n', ""),
    "one member": (Set(("mcp_servers", "b", "cwd"), "/"), "'C:\\x'\n", "'C:\\x'\ncwd = \"/\"\n"),
    "between braces": (Set(("mcp_servers", "a", "env", "B"), "2"), '{ A = "1" }', '{ A = "1", B = "2" }'),
    "the last between braces": (Delete(("mcp_servers", "a", "env", "A")), '{ A = "1" }', "{}"),
    "between brackets": (Insert(("mcp_servers", "a", "args"), 2, "z"), '  "x",\n', '  "x",\n  "z",\n'),
    "out of brackets, with its comment": (Delete(("mcp_servers", "a", "args", 0)), '  "-y", # yes\n', ""),
    "with dots": (Set(("other", "y", "w"), 3), "y.z = 2\n", "y.z = 2\ny.w = 3\n"),
    "a name in all its headers": (
        Rename(("mcp_servers", "b"), "b b"),
        B,
        B.replace("[mcp_servers.b", '[mcp_servers."b b"'),
    ),
    "a name of a pair": (Rename(("other", "x"), "é"), "x = 1\n", '"é" = 1\n'),
    "one more element": (Insert(("list",), 2, {"n": 3}), "n = 2\n", "n = 2\n\n[[list]]\nn = 3\n"),
    "an element before": (Insert(("list",), 1, {"n": 3}), "# the second", "[[list]]\nn = 3\n\n# the second"),
    "an element goes": (Delete(("list", 1)), "\n# the second\n[[list]]\nn = 2\n", ""),
    "a member of a table that has no header": (
        Set(("mcp_servers", "flag"), True),
        "# servers\n",
        "[mcp_servers]\nflag = true\n\n# servers\n",
    ),
    "a table at the end": (Set(("z",), {"k": {"l": 1}}), "n = 2\n", "n = 2\n\n[z.k]\nl = 1\n"),
    "several lines": (Set(("model",), 'a\n"b"\\\n'), '"o3"', '"""\na\n"b"\\\\\n"""'),
    "nothing to change": (Set(("other",), {"y": {"z": 2}, "x": 1}), "# head", "# head"),
}


@pytest.mark.parametrize(("change", "old", "new"), BY_HAND.values(), ids=BY_HAND)
def test_as_by_hand(change, old, new):
    assert FILE.count(old) == 1
    after = edit(parse(FILE.encode(), "toml"), [change])
    assert after.data.decode() == FILE.replace(old, new)
    assert tomlkit.parse(after.text).unwrap() == after.value  # another parser agrees


SMALL = {
    "an empty file": ("", Set(("a", "b"), {"c": 1}), "[a.b]\nc = 1\n"),
    "comments only": ("# x\n", Set(("a",), 1), "# x\na = 1\n"),
    "before the first table": ("[t]\nx = 1\n", Set(("a",), 1), "a = 1\n\n[t]\nx = 1\n"),
    "the last of all": ("a = 1\n", Delete(("a",)), ""),
    "the last of a table": ("[t]\nx = 1\n", Delete(("t", "x")), "[t]\n"),
    "the last table of a table": ("[t.u]\nx = 1\n", Delete(("t", "u")), "[t]\n"),
    "the last element": ("[[t]]\nx = 1\n", Delete(("t", 0)), "t = []\n"),
    "CRLF": ("a = 1\r\n[t]\r\nb = 1\r\n", Set(("t", "c"), "x\ny"), 'a = 1\r\n[t]\r\nb = 1\r\nc = "x\\ny"\r\n'),
    "no final newline": ("a = 1", Set(("b",), 2), "a = 1\nb = 2"),
    "no final newline, deleting": ("a = 1\nb = 2", Delete(("b",)), "a = 1"),
    "no spaces": ("a=1\n", Set(("b",), 2), "a=1\nb=2\n"),
    "indented": ("[t]\n  a = 1\n", Set(("t", "b"), 2), "[t]\n  a = 1\n  b = 2\n"),
    "a date": ("a = 1979-05-27\n", Set(("a",), "1979-05-28"), "a = 1979-05-28\n"),
    "a date that stays": ("a = 1979-05-27T07:32:00Z\nb = 1\n", Set(("b",), 2), "a = 1979-05-27T07:32:00Z\nb = 2\n"),
    "infinity": ("a = 1\n", Set(("a",), float("inf")), "a = inf\n"),
    "control characters": ("a = 1\n", Set(("a",), "\x01\x7f\r"), 'a = "\\u0001\\u007f\\r"\n'),
    "a line of a long string": (
        'a = """\nx \\\n  y\n\\u00e9 "q"\nz"""\n',
        Set(("a",), 'x y\né "q"\nw'),
        'a = """\nx \\\n  y\n\\u00e9 "q"\nw"""\n',
    ),
    "a line of a long literal string": ("a = '''\nx\\n\ny\n'''\n", Set(("a",), "x\\n\nz\n"), "a = '''\nx\\n\nz\n'''\n"),
    "a line more in a long string, CRLF": (
        'a = """\r\nx\r\ny"""\r\n', Set(("a",), 'x\nz"\ny"'), 'a = """\r\nx\r\nz"\r\ny\\""""\r\n',
    ),
    "what a literal string can not say": ("a = '''\nx\ny'''\n", Set(("a",), "x\n'''"), "a = \"\"\"\nx\n'''\"\"\"\n"),
    "comments of an element": (
        "[[t]]\nx = 1\n", Set(("t", 1), {"x": 2}, after=0, comments=("two",)), "[[t]]\nx = 1\n\n# two\n[[t]]\nx = 2\n",
    ),
    "comments of an element between brackets": (
        "t = [\n  1,\n]\n", Set(("t", 1), 2, after=0, comments=("two",)), "t = [\n  1,\n  # two\n  2,\n]\n",
    ),
    "the header of the file": ("# c\n# d\na = 1\nb = 2\n", Delete(("a",)), "# c\n# d\nb = 2\n"),
    "comments below stay where they are": (
        "[a]\nx = 1\n# a's\n\n# c's\n[c]\n", Set(("b",), {}, after="a"), "[a]\nx = 1\n# a's\n\n[b]\n\n# c's\n[c]\n",
    ),
    "tight commas": ("t = [ 1,2 ]\n", Insert(("t",), 2, 3), "t = [ 1,2,3 ]\n"),
    "a table at the start and at the end": (
        "[a.b]\nx = 1\n\n[c]\ny = 1\n\n[a]\nz = 1\n", Delete(("a",)), "[c]\ny = 1\n",
    ),
    "a rule above several": (
        "[z]\n\n# ----\n# A\n# ----\n[a]\nx = 1\n\n[b]\n", Delete(("a",)), "[z]\n\n# ----\n# A\n# ----\n\n[b]\n",
    ),
    "what an editor reads": ("#:schema x\na = 1\nb = 2\n", Delete(("a",)), "#:schema x\nb = 2\n"),
    "inside of an element": (
        "[[t]]\nx = 1\n[[t]]\nx = 2\n", Set(("t", 0, "y"), 3), "[[t]]\nx = 1\ny = 3\n[[t]]\nx = 2\n",
    ),
    "a table inside of an element": (
        "[[t]]\nx = 1\n[[t]]\nx = 2\n",
        Set(("t", 0, "y"), {"z": 3}),
        "[[t]]\nx = 1\n\n[t.y]\nz = 3\n[[t]]\nx = 2\n",
    ),
    "a comment of the next table stays": (
        "[a]\nx = 1\n\n# b's\n[b]\ny = 1\n",
        Delete(("a",)),
        "# b's\n[b]\ny = 1\n",
    ),
    "a loose comment stays": ("[a]\nx = 1\n# loose\n\n[b]\ny = 1\n", Delete(("b",)), "[a]\nx = 1\n# loose\n"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "change", "after"), SMALL.values(), ids=SMALL)
def test_small(before, change, after):
    assert edit(parse(before.encode(), "toml"), [change]).data.decode() == after


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Set(("model",), None), "null"),
        (Set(("model",), [None]), "null"),
        (Set(("model",), 2**63), "64 bits"),
        (Set(("model",), "\ud800"), "surrogate"),
        (Set((), [1]), "table"),
        (Insert(("list",), 0, 1), "array of tables"),
    ],
)
def test_what_toml_can_not_say_is_refused(change, reason):
    with pytest.raises(EditRefused, match=reason):
        edit(parse(FILE.encode(), "toml"), [change])


def test_comments_above():
    document = parse(FILE.encode(), "toml")
    assert comments_above(document, ("mcp_servers", "b")) == ("about b",)
    assert comments_above(document, ("mcp_servers", "b", "command")) == ()
    assert comments_above(document, ("list", 1)) == ("the second",)
