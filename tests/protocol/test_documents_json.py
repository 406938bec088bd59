"""JSON and JSONC: what a person would have written by hand, to the byte."""

import pytest

from roosync_protocol.documents import FIRST, Delete, EditRefused, Insert, Rename, Set, comments_above, edit, parse

FILE = """{
  // the servers
  "mcpServers": {
    // about a
    "a": { "command": "npx", "args": ["-y", "x"] }, // trailing a
    "b": {
      "command": "uvx",
      "env": {}
    } // last
  },
  "list": [
    1,
    2
  ]
}
"""
A = '    "a": { "command": "npx", "args": ["-y", "x"] }, // trailing a\n'
B = '    "b": {\n      "command": "uvx",\n      "env": {}\n    } // last\n'

# edit: what is replaced in FILE by what
BY_HAND = {
    "a value": (Set(("mcpServers", "b", "command"), "npx"), '"uvx"', '"npx"'),
    "a value of another kind": (Set(("list",), None), "[\n    1,\n    2\n  ]", "null"),
    "one member of an object": (
        Set(("mcpServers", "a"), {"command": "bun", "args": ["-y", "x"]}),
        '"command": "npx"',
        '"command": "bun"',
    ),
    "one line stays one line": (
        Set(("mcpServers", "a", "env"), {"K": "v"}),
        '"x"] }',
        '"x"], "env": { "K": "v" } }',
    ),
    "an element in one line": (Insert(("mcpServers", "a", "args"), 1, "z"), '["-y", "x"]', '["-y", "z", "x"]'),
    "the last element in one line": (Delete(("mcpServers", "a", "args", 1)), '["-y", "x"]', '["-y"]'),
    "the first element in one line": (Delete(("mcpServers", "a", "args", 0)), '["-y", "x"]', '["x"]'),
    "into an empty object": (
        Set(("mcpServers", "b", "env", "K"), "v"),
        '"env": {}',
        '"env": {\n        "K": "v"\n      }',
    ),
    "behind the last, which has a comment": (
        Set(("mcpServers", "c"), {"command": "x", "args": ["1", "2"]}),
        "    } // last\n",
        '    }, // last\n    "c": {\n      "command": "x",\n      "args": ["1", "2"]\n    }\n',
    ),
    "behind the source's neighbour, with comments": (
        Set(("mcpServers", "c"), 1, after="a", comments=("new", "and known")),
        "// trailing a\n",
        '// trailing a\n    // new\n    // and known\n    "c": 1,\n',
    ),
    "before all": (Set(("mcpServers", "c"), 1, after=FIRST), "    // about a\n", '    "c": 1,\n    // about a\n'),
    "the first, with its comments": (Delete(("mcpServers", "a")), "    // about a\n" + A, ""),
    "the last, with its comment and the comma before": (
        Delete(("mcpServers", "b")),
        ", // trailing a\n" + B,
        " // trailing a\n",
    ),
    "a name": (Rename(("mcpServers", "a"), "é"), '"a": {', '"é": {'),
    "an element on its own line": (Insert(("list",), 2, [3]), "    2\n", "    2,\n    [3]\n"),
    "the last element on its own line": (Delete(("list", 1)), "    1,\n    2\n", "    1\n"),
    "missing parents": (Set(("x", "y"), 1), "    2\n  ]\n", '    2\n  ],\n  "x": {\n    "y": 1\n  }\n'),
    "nothing to change": (Set(("mcpServers", "b"), {"env": {}, "command": "uvx"}), "", ""),
}


def replaced(text: str, old: str, new: str) -> str:
    assert not old or text.count(old) == 1
    return text.replace(old, new, 1) if old else text


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("marks", ["", "\ufeff", "\ufeff\ufeff"], ids=["", "mark", "two marks"])
@pytest.mark.parametrize(("change", "old", "new"), BY_HAND.values(), ids=BY_HAND)
def test_as_by_hand(change, old, new, marks, ends):
    before = (marks + FILE.replace("\n", ends)).encode()
    after = edit(parse(before, "jsonc"), [change]).data.decode()
    assert after == marks + replaced(FILE, old, new).replace("\n", ends)


# before, edit, after
SMALL = {
    "an empty file": ("", Set(("a", "b"), 1), '{\n  "a": {\n    "b": 1\n  }\n}\n'),
    "an empty object": ("{}", Set(("a",), 1), '{\n  "a": 1\n}'),
    "comments only": ("// x\n", Set(("a",), 1), '// x\n{\n  "a": 1\n}\n'),
    "the only member": ('{\n  "a": 1\n}', Delete(("a",)), "{}"),
    "the only member, but a comment stays": ('{\n  // x\n\n  "a": 1\n}', Delete(("a",)), "{\n  // x\n}"),
    "blank lines around what goes, in the middle": (
        '{\n  "a": 1,\n\n  // b\n  "b": 2,\n\n  "c": 3\n}', Delete(("b",)), '{\n  "a": 1,\n\n  "c": 3\n}',
    ),
    "blank lines around what goes, first": ('{\n  "a": 1,\n\n  "b": 2\n}', Delete(("a",)), '{\n  "b": 2\n}'),
    "blank lines around what goes, last": ('{\n  "a": 1,\n\n  "b": 2\n}', Delete(("b",)), '{\n  "a": 1\n}'),
    "two blank lines between neighbours": ("[\n  1,\n\n\n  2\n]", Insert((), 2, 3), "[\n  1,\n\n\n  2,\n\n\n  3\n]"),
    "a rule above several": (
        '{\n  // --- s ---\n  // a\n  "a": 1,\n  "b": 2\n}', Delete(("a",)), '{\n  // --- s ---\n  "b": 2\n}',
    ),
    "a region": (
        '{\n  //#region x\n  "a": 1,\n  "b": 2\n  //#endregion\n}',
        Delete(("a",)),
        '{\n  //#region x\n  "b": 2\n  //#endregion\n}',
    ),
    "entries that were switched off": (
        '{\n  // "x": {\n  //   "y": 1\n  // },\n  // a\n  "a": 1,\n  "b": 2\n}',
        Delete(("a",)),
        '{\n  // "x": {\n  //   "y": 1\n  // },\n  "b": 2\n}',
    ),
    "the last of a line with lines behind": (
        '{\n  "a": 1, "b": 2, // b\n  "c": 3\n}', Delete(("b",)), '{\n  "a": 1,\n  "c": 3\n}',
    ),
    "an object where only lists are on one line": (
        '{\n  "a": [1]\n}', Set(("b",), {"x": 1}), '{\n  "a": [1],\n  "b": {\n    "x": 1\n  }\n}',
    ),
    "objects that share lines": (
        '{\n  "l": [{\n    "a": 1\n  }]\n}',
        Insert(("l",), 1, {"a": 2}),
        '{\n  "l": [{\n    "a": 1\n  }, {\n    "a": 2\n  }]\n}',
    ),
    "pairs of escapes": ('{"a": "\\ud83d\\ude00"}', Set(("a",), "é😀"), '{"a": "\\u00e9\\ud83d\\ude00"}'),
    "minified": ('{"a":[1],"b":{}}', Set(("b", "c"), {"d": [1, 2]}), '{"a":[1],"b":{"c":{"d":[1,2]}}}'),
    "tabs": ('{\n\t"a": {}\n}', Set(("a", "b"), 1), '{\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
    "four spaces": ('{\n    "a": 1\n}', Set(("b",), {"c": 1}), '{\n    "a": 1,\n    "b": {\n        "c": 1\n    }\n}'),
    "a trailing comma stays one": ('{\n  "a": 1,\n}', Set(("b",), 2), '{\n  "a": 1,\n  "b": 2,\n}'),
    "a trailing comma in one line": ("[1, 2, ]", Insert((), 2, 3), "[1, 2, 3, ]"),
    "deleting before a trailing comma": ('{\n  "a": 1,\n  "b": 2,\n}', Delete(("b",)), '{\n  "a": 1,\n}'),
    "commas first": ('{\n    "a": 1\n  , "b": 2\n}', Delete(("b",)), '{\n    "a": 1\n}'),
    "commas first, between": (
        '{\n    "a": 1\n  , "b": 2\n}',
        Set(("c",), 3, after="a"),
        '{\n    "a": 1,\n    "c": 3\n  , "b": 2\n}',
    ),
    "a comment before the comma": ("[1 /* one */, 2]", Delete((0,)), "[2]"),
    "a comment before an item": ("[/* one */ 1, /* two */ 2]", Delete((1,)), "[/* one */ 1]"),
    "a comment inside stays": ('{"a": /* x */ 1}', Set(("a",), 2), '{"a": /* x */ 2}'),
    "comments in an empty list": ("[\n  // none\n]", Insert((), 0, 1), "[\n  // none\n  1\n]"),
    "a colon without a space": ('{\n "a":1\n}', Set(("b",), 2), '{\n "a":1,\n "b":2\n}'),
    "beyond ASCII": ('{"a": 1}', Set(("a",), "𝒳é"), '{"a": "𝒳é"}'),
    "beyond ASCII where all is escaped": ('{"a": "\\u00e9"}', Set(("b",), "é"), '{"a": "\\u00e9", "b": "\\u00e9"}'),
    "half a pair": ('{"a": 1}', Set(("a",), "\ud800"), '{"a": "\\ud800"}'),
    "a great number": ("[0]", Set((0,), 10**30), "[1000000000000000000000000000000]"),
    "true is not one": ("[1]", Set((0,), True), "[true]"),
    "one is not one point nought": ("[1]", Set((0,), 1.0), "[1.0]"),
    "a number as it was": ("[1.50, 2]", Set((), [1.5, 3]), "[1.50, 3]"),
    "an escape as it was": ('["\\u0041", 2]', Set((), ["A", 3]), '["\\u0041", 3]'),
    "blank lines between neighbours": (
        '{\n  "a": 1,\n\n  "b": 2\n}', Set(("c",), 3), '{\n  "a": 1,\n\n  "b": 2,\n\n  "c": 3\n}',
    ),
    "a list as a whole": ("[1, 2, 3, 4]", Set((), [1, 5, 3, 4]), "[1, 5, 3, 4]"),
    "the name that looks like a comment": ('{"//": 1}', Set(("/*",), 2), '{"//": 1, "/*": 2}'),
    "no final newline": ('{\n  "a": 1\n}', Set(("a",), 2), '{\n  "a": 2\n}'),
}  # fmt: skip


@pytest.mark.parametrize(("before", "change", "after"), SMALL.values(), ids=SMALL)
def test_small(before, change, after):
    assert edit(parse(before.encode(), "jsonc"), [change]).data.decode() == after


def test_no_comment_is_written_where_the_tool_may_not_know_them():
    document = parse(b'{\n  "a": 1 // kept\n}', "json")
    assert edit(document, [Set(("b",), 2, comments=("x",))]).data == b'{\n  "a": 1, // kept\n  "b": 2\n}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**5000], ids=["nan", "inf", "digits"])
def test_what_json_can_not_say_is_refused(value):
    with pytest.raises(EditRefused):
        edit(parse(b"[0]", "json"), [Set((0,), value)])


def test_comments_above_come_without_their_marks():
    text = '{\n  // one\n  //two\n  /* three\n   * four */\n  "a": 1,\n\n  "b": 2\n}'
    document = parse(text.encode(), "jsonc")
    assert comments_above(document, ("a",)) == ("one", "two", "three", "four")
    assert comments_above(document, ("b",)) == ()
    assert comments_above(document, ()) == ()
    with pytest.raises(EditRefused):
        comments_above(document, ("c",))


def test_edits_follow_each_other():
    document = parse(FILE.encode(), "jsonc")
    changes = [Delete(("mcpServers", "a")), Delete(("mcpServers", "b")), Set(("mcpServers", "c"), 1)]
    assert edit(document, changes).value == {"mcpServers": {"c": 1}, "list": [1, 2]}
    assert document.data == FILE.encode()
