"""YAML: what a person would have written by hand, to the byte."""

import pytest
import yaml

from roosync_protocol.documents import FIRST, Delete, EditRefused, Insert, Rename, Set, comments_above, edit, parse

FILE = """# modes of the house
customModes:
  # about a
  - slug: a   # trail
    name: 💻 A
    roleDefinition: "You: a"
    customInstructions: |
      one

      two
    groups:
      - read
      - - edit
        - {fileRegex: \\.md$, description: Md only}
  - slug: b
    name: B
    roleDefinition: "You are b"
    groups: []
    # at the end of b

# foot
other:
  k: on
"""
A = FILE[FILE.index("  # about a") : FILE.index("  - slug: b")]
B = FILE[FILE.index("  - slug: b") : FILE.index("\n# foot")]
MODE = {
    "slug": "c",
    "name": "C",
    "roleDefinition": "You",
    "customInstructions": "l1\n\nl2",
    "groups": ["read", ["edit", {"fileRegex": "x$", "description": "no"}]],
}
WRITTEN = """  - slug: c
    name: C
    roleDefinition: "You"
    customInstructions: |-
      l1

      l2
    groups:
      - read
      - - edit
        - {fileRegex: x$, description: "no"}
"""

BY_HAND = {
    "a value": (Set(("customModes", 1, "name"), "Bee"), "name: B\n", "name: Bee\n"),
    "in its quotes": (Set(("customModes", 0, "roleDefinition"), "x"), '"You: a"', '"x"'),
    "quoted where it must": (Set(("customModes", 1, "name"), "a: b"), "name: B\n", 'name: "a: b"\n'),
    "a word of YAML 1.1": (Set(("customModes", 1, "name"), "yes"), "name: B\n", 'name: "yes"\n'),
    "a value before a comment": (Set(("customModes", 0, "slug"), "z"), "slug: a ", "slug: z "),
    "a line of a literal block": (
        Set(("customModes", 0, "customInstructions"), "one\n\nTWO\n"),
        "      two\n",
        "      TWO\n",
    ),
    "a literal block to one line": (
        Set(("customModes", 0, "customInstructions"), "one"),
        "|\n      one\n\n      two\n",
        "one\n",
    ),
    "one line to a literal block": (
        Set(("other", "k"), "a\nb\n"),
        "k: on\n",
        "k: |\n    a\n    b\n",
    ),
    "a mode at the end": (Insert(("customModes",), 2, MODE), B, B + WRITTEN),
    "a mode at the start": (Insert(("customModes",), 0, MODE), A, WRITTEN + A),
    "a mode goes with its comments": (Delete(("customModes", 0)), A, ""),
    "the last mode": (Delete(("customModes", 1)), B, ""),
    "a field of a mode": (Set(("customModes", 0), "x"), A.split("\n", 1)[1], "  - x\n"),
    "the first field, behind the dash": (
        Delete(("customModes", 1, "slug")), "  - slug: b\n    name: B\n", "  - name: B\n",
    ),
    "into an empty list": (Insert(("customModes", 1, "groups"), 0, "mcp"), "groups: []\n", "groups:\n      - mcp\n"),
    "into a list": (Insert(("customModes", 0, "groups"), 1, "mcp"), "      - read\n", "      - read\n      - mcp\n"),
    "into a list between brackets": (
        Set(("customModes", 0, "groups", 1, 1, "x"), True),
        "description: Md only}",
        "description: Md only, x: true}",
    ),
    "out of a list between brackets": (
        Delete(("customModes", 0, "groups", 1, 1, "fileRegex")),
        "fileRegex: \\.md$, ",
        "",
    ),
    "a name": (Rename(("other",), "more"), "other:\n", "more:\n"),
    "a name that must be quoted": (Rename(("other",), "null"), "other:\n", '"null":\n'),
    "first, with comments": (
        Set(("other", "j"), 1, after=FIRST, comments=("about j",)),
        "  k: on\n",
        "  # about j\n  j: 1\n  k: on\n",
    ),
    "a map for a word": (Set(("other", "k"), {"l": [1]}), "k: on\n", "k:\n    l:\n      - 1\n"),
    "the only member": (Delete(("other", "k")), "other:\n  k: on\n", "other: {}\n"),
    "a new branch": (Set(("x", "z"), None), "  k: on\n", "  k: on\n\nx:\n  z: null\n"),
}  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("change", "old", "new"), BY_HAND.values(), ids=BY_HAND)
def test_as_by_hand(change, old, new, ends):
    assert FILE.count(old) == 1
    for marks in ("", "\ufeff"):
        before = (marks + FILE.replace("\n", ends)).encode()
        after = edit(parse(before, "yaml"), [change]).data.decode()
        assert after == marks + FILE.replace(old, new).replace("\n", ends)


SMALL = {
    "an empty file": ("", Set(("a", 0, "b"), 1), "a:\n  - b: 1\n"),
    "comments only": ("# x\n", Set(("a",), 1), "# x\na: 1\n"),
    "a document mark": ("---\na: 1\n", Set(("b",), 2), "---\na: 1\nb: 2\n"),
    "a document end": ("a: 1\n...\n", Set(("b",), 2), "a: 1\nb: 2\n...\n"),
    "no final newline": ("a: 1", Set(("b",), 2), "a: 1\nb: 2"),
    "no final newline, deleting": ("a: 1\nb: 2", Delete(("b",)), "a: 1"),
    "no final newline, behind a literal block": ("a: |\n  x\n  y", Set(("b",), 2), "a: |-\n  x\n  y\nb: 2"),
    "no final newline, behind a folded block": ("a: >+ # c\n  x", Set(("b",), 2), "a: >- # c\n  x\nb: 2"),
    "no final newline, behind a text in a list": (
        "m:\n  - s: a\n    t: !!str |2\n      x",
        Insert(("m",), 1, {"s": "b"}),
        "m:\n  - s: a\n    t: !!str |2-\n      x\n  - s: b",
    ),
    "no final newline, a literal block": ("a: 1", Set(("a",), "x\ny\n"), "a: |\n  x\n  y\n"),
    "the last of all": ("# x\na: 1\n", Delete(("a",)), "{}\n"),
    "nothing behind the colon": ("a:\nb: 1\n", Set(("a",), 2), "a: 2\nb: 1\n"),
    "nothing behind the colon but a comment": ("a: # c\nb: 1\n", Set(("a",), {"k": 2}), "a: # c\n  k: 2\nb: 1\n"),
    "nothing behind the dash": ("-\n- 1\n", Set((0,), 2), "- 2\n- 1\n"),
    "dashes below their name": ("a:\n- 1\n- 2\n", Insert(("a",), 2, {"k": 3}), "a:\n- 1\n- 2\n- k: 3\n"),
    "wide dashes": (
        "-   a: 1\n    b: 2\n", Insert((), 1, {"a": 3, "b": 4}), "-   a: 1\n    b: 2\n-   a: 3\n    b: 4\n",
    ),
    "lists in lists": ("- - 1\n  - 2\n", Insert((0,), 0, 0), "- - 0\n  - 1\n  - 2\n"),
    "four spaces": ("a:\n    b: 1\n", Set(("a", "c"), {"d": 1}), "a:\n    b: 1\n    c:\n        d: 1\n"),
    "single quotes": ("a: 'x'\nb: 'y'\n", Set(("c",), "d: e"), "a: 'x'\nb: 'y'\nc: 'd: e'\n"),
    "single quotes inside": ("a: 'x'\n", Set(("a",), "it's"), "a: 'it''s'\n"),
    "quoted names": ('"a": 1\n', Set(("b",), 2), '"a": 1\n"b": 2\n'),
    "json in yaml": ('{"a": {"b": "x"}}\n', Set(("a", "c"), "y"), '{"a": {"b": "x", "c": "y"}}\n'),
    "control characters": ("a: 1\n", Set(("a",), "\x01\u2028"), 'a: "\\u0001\\u2028"\n'),
    "text that starts with a space": ("a: 1\n", Set(("a",), " x\ny"), 'a: " x\\ny"\n'),
    "kept line ends": ("a: |+\n  x\n\nb: 1\n", Set(("b",), 2), "a: |+\n  x\n\nb: 2\n"),
    "many line ends": ("a: 1\nb: 1\n", Set(("a",), "x\n\n"), "a: |+\n  x\n\nb: 1\n"),
    "several lines for one": ('a: "x"\n', Set(("a",), "x\ny"), "a: |-\n  x\n  y\n"),
    "several lines in quotes stay there": ('a: "x\\ny"\n', Set(("a",), "x\nz"), 'a: "x\\nz"\n'),
    "a folded block": ("a: >-\n  x\n  y\nb: 1\n", Set(("a",), "z"), "a: z\nb: 1\n"),
    "words over lines": ("a: one\n  two\nb: 1\n", Set(("a",), "z"), "a: z\nb: 1\n"),
    "empty lines with spaces": ("a: |\n  x\n  \n  y\n", Set(("a",), "x\n\nz\n"), "a: |\n  x\n  \n  z\n"),
    "blank lines between neighbours": ("a: 1\n\nb: 2\n", Set(("c",), 3), "a: 1\n\nb: 2\n\nc: 3\n"),
    "a comment that is deeper stays with its entry": (
        "a:\n  b: 1\n  # c\nd: 1\n", Set(("e",), 2, after="a"), "a:\n  b: 1\n  # c\ne: 2\nd: 1\n",
    ),
    "what looks like a comment in a literal block": ("a: |\n  x\n  # y\nb: 1\n", Delete(("b",)), "a: |\n  x\n  # y\n"),
    "an anchor that nobody repeats": ("a: &x 1\n", Set(("a",), 2), "a: &x 2\n"),
    "an alias becomes a value": ("a: &x 1\nb: *x\n", Set(("b",), 2), "a: &x 1\nb: 2\n"),
    "an alias goes": ("a: &x 1\nb: *x\nc: 1\n", Delete(("b",)), "a: &x 1\nc: 1\n"),
    "beside a merge": (
        "a: &x {k: 1}\nb:\n  <<: *x\n  l: 2\n", Set(("b", "l"), 3), "a: &x {k: 1}\nb:\n  <<: *x\n  l: 3\n",
    ),
    "one more beside a merge": (
        "a: &x {k: 1}\nb:\n  <<: *x\n", Set(("b", "l"), 3), "a: &x {k: 1}\nb:\n  <<: *x\n  l: 3\n",
    ),
    "numbers": ("a: 1\n", Set(("a",), 1e20), "a: 1.0e+20\n"),
    "infinity": ("a: 1\n", Set(("a",), float("-inf")), "a: -.inf\n"),
    "not a number": ("a: .nan\nb: 1\n", Set(("b",), 2), "a: .nan\nb: 2\n"),
    "blank lines around what goes, in the middle": ("a: 1\n\n# b\nb: 2\n\nc: 3\n", Delete(("b",)), "a: 1\n\nc: 3\n"),
    "blank lines around what goes, first": ("a: 1\n\nb: 2\n", Delete(("a",)), "b: 2\n"),
    "blank lines around what goes, last": ("a: 1\n\nb: 2\n", Delete(("b",)), "a: 1\n"),
    "blank lines around what goes, no final newline": ("a: 1\n\nb: 2", Delete(("b",)), "a: 1"),
    "blank lines around what goes, last of a list": (
        "l:\n  - a\n\n  - b\n\nz: 1\n", Delete(("l", 1)), "l:\n  - a\n\nz: 1\n",
    ),
    "blank lines that belong to the text above": (
        "a: |+\n  x\n\nb: 1\n\nc: 1\n", Delete(("b",)), "a: |+\n  x\n\nc: 1\n",
    ),
    "blank lines that belong to the text above, last": ("a: |+\n  x\n\nb: 1\n", Delete(("b",)), "a: |+\n  x\n\n"),
    "blank lines that would come to the text above": ("a: |+\n  x\n\nb: 1\n\n", Delete(("b",)), "a: |+\n  x\n\n"),
    "one more behind blank lines of the text above": (
        "a: 1\n\nb: |+\n  x\n\n", Set(("c",), 2), "a: 1\n\nb: |+\n  x\n\nc: 2\n",
    ),
    "two blank lines between neighbours": (
        "a: 1\n\n\nb: 2\n\n\nc: 3\n", Set(("d",), 4, after="a"), "a: 1\n\n\nd: 4\n\n\nb: 2\n\n\nc: 3\n",
    ),
    "a rule above several": (
        "z: 0\n# ---\n# B\n# ---\n# a\na: 1\nb: 2\n", Delete(("a",)), "z: 0\n# ---\n# B\n# ---\nb: 2\n",
    ),
    "what an editor reads": (
        "# yaml-language-server: $schema=x\na: 1\nb: 2\n", Delete(("a",)), "# yaml-language-server: $schema=x\nb: 2\n",
    ),
    "the header of the file": ("# c\n# d\na: 1\nb: 2\n", Delete(("a",)), "# c\n# d\nb: 2\n"),
    "first, below the header of the file": (
        "---\n# c\n# d\na: 1\n", Set(("b",), 2, after=FIRST), "---\n# c\n# d\nb: 2\na: 1\n",
    ),
    "a list for a value with an anchor": ("- &x 1\n", Set((0,), ["a"]), "- - a\n"),
    "lists between brackets as all others": (
        "a: [ b, c ]\nd: [ e ]\n", Set(("f",), ["g", "h"]), "a: [ b, c ]\nd: [ e ]\nf: [ g, h ]\n",
    ),
    "spaces inside braces": ("a: { b: 1 }\n", Set(("a", "c"), {"d": 2}), "a: { b: 1, c: { d: 2 } }\n"),
    "tight commas": ("a: [b,c]\n", Insert(("a",), 2, "d"), "a: [b,c,d]\n"),
    "comments between brackets over lines": (
        "a: [\n  b\n]\n", Set(("a", 0), "c", after=-1, comments=("c's",)), "a: [\n  # c's\n  c,\n  b\n]\n",
    ),
    "a document that says null": ("# x\nnull\n", Set(("a",), 1), "# x\na: 1\n"),
    "beside a name with a question mark": ("? a\n: 1\nb: 2\n", Set(("c",), 3), "? a\n: 1\nb: 2\nc: 3\n"),
    "between brackets over lines": ("a: [\n  1,\n  2\n]\n", Insert(("a",), 2, 3), "a: [\n  1,\n  2,\n  3\n]\n"),
}  # fmt: skip


LONG = {  # in each, w becomes x
    "a literal block indented as nobody else's": "l:\n- a: |-\n       u\n\n       v w\n  b: 1\n",
    "a literal block in a list with wide dashes": "-   |\n  u\n  v w\n- b\n",
    "a literal block below its name": "a:\n  |\n  u\n  w\n",
    "a literal block that is all": "--- |\n  u\n  w\n",
    "an indentation that is said": "a: |2\n    u\n  w\nb: 1\n",
    "spaces in some empty lines": "a: |\n  u\n  \n  v\n\n  w\nb: 1\n",
    "spaces beyond the indentation": "a: |\n  u\n     \n  v\n\n  w\nb: 1\n",
    "a comment, a tag and an anchor": "a: &x !!str |-  # c\n  u\n  w\nb: 1\n",
    "blank lines that belong to it": "a: |+\n  u\n  w\n\n\nb: 1\n",
    "blank lines that do not": "a: |-\n  u\n  w\n\n\n# c\nb: 1\n",
    "no final newline": "a: |-\n  u\n  w",
    "ends of lines of YAML 1.1": "a: |\n  u\u2028v\x85\n  w\nb: 1\n",
    "a folded block": "a: >-\n  u u u\n  v v\n\n  w v\nb: 1\n",
    "a folded block with deeper lines": "a: >\n  u u u\n    v v\n  w v\nb: 1\n",
    "double quotes over lines": 'a: "u u\n  v w\n\n  z"\nb: 1\n',
    "single quotes over lines": "a: 'u it''s\n  v w'\nb: 1\n",
    "words over lines": "a: u u\n  v w\nb: 1\n",
    "words over lines between brackets": "a: [u u\n  v w, b]\n",
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("before", LONG.values(), ids=LONG)
def test_of_a_long_text_only_what_changes_is_written(before, ends):
    document = parse(before.replace("\n", ends).encode(), "yaml")
    path, old = (), document.value
    while not isinstance(old, str):
        step = next(iter(old)) if isinstance(old, dict) else 0
        path, old = (*path, step), old[step]
    after = edit(document, [Set(path, old.replace("w", "x"))]).data.decode()
    assert after == before.replace("w", "x").replace("\n", ends)


GROWN = {
    "a line more": ("a: |\n     u\n     w\nb: 1\n", "u\nv\nw\n", "a: |\n     u\n     v\n     w\nb: 1\n"),
    "lines less": ("a: |\n     u\n     v\n     w\n", "u\nw\n", "a: |\n     u\n     w\n"),
    "without its last line end": ("a: | # c\n   u\n   w\nb: 1\n", "u\nw", "a: |- # c\n   u\n   w\nb: 1\n"),
    "a first line that is indented": ("a: |\n  u\n  w\n", "  u\nw\n", "a: |2\n    u\n  w\n"),
    "words more": ("a: >-\n  u v\n  w\n", "u x v y w z", "a: >-\n  u x v y w z\n"),
    "a paragraph more": ("a: >-\n  u\n  w\n", "u w\nx y", "a: >-\n  u\n  w\n\n  x y\n"),
}


@pytest.mark.parametrize(("before", "value", "after"), GROWN.values(), ids=GROWN)
def test_a_long_text_grows_in_its_own_way(before, value, after):
    assert edit(parse(before.encode(), "yaml"), [Set(("a",), value)]).data.decode() == after


@pytest.mark.parametrize("pure", [False, True], ids=["C", "Python"])
@pytest.mark.parametrize(("before", "change", "after"), SMALL.values(), ids=SMALL)
def test_small(before, change, after, pure, monkeypatch):
    if pure:  # the C parser is not in every build of PyYAML
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert edit(parse(before.encode(), "yaml"), [change]).data.decode() == after


REFUSED = {
    "a shared map": ("a: &x\n  k: 1\nb: *x\n", Set(("a", "k"), 2), "repeated"),
    "a shared map, through its alias": ("a: &x\n  k: 1\nb: *x\n", Set(("b", "k"), 2), "repeated"),
    "deep inside of a shared map": ("a: &x\n  k:\n    l: 1\nb: *x\n", Delete(("a", "k", "l")), "repeated"),
    "a shared value": ("a: &x 1\nb: *x\n", Set(("a",), 2), "repeated"),
    "what an alias needs": ("a: &x 1\nb: *x\n", Delete(("a",)), "anchor"),
    "an anchor that would move": ("a: &x 1\nb: &x 2\nc: *x\n", Delete(("b",)), "another value"),
    "a merged value": ("a: &x {k: 1}\nb:\n  <<: *x\n", Set(("b", "k"), 2), "another place"),
    "what covers a merged value": ("a: &x {k: 1}\nb:\n  <<: *x\n  k: 2\n", Delete(("b", "k")), "another value"),
    "half a pair": ("a: 1\n", Set(("a",), "\ud800"), "surrogate"),
    "a name with a question mark": ("? a\n: 1\n", Set(("a",), 2), "'\\?"),
    "many digits": ("a: 1\n", Set(("a",), 10**5000), "digits"),
}


@pytest.mark.parametrize(("before", "change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_would_change_more_is_refused(before, change, reason):
    with pytest.raises(EditRefused, match=reason):
        edit(parse(before.encode(), "yaml"), [change])


def test_comments_above():
    document = parse(FILE.encode(), "yaml")
    assert comments_above(document, ("customModes", 0)) == ("about a",)
    assert comments_above(document, ("customModes", 1)) == ()
    assert comments_above(document, ("customModes",)) == ("modes of the house",)
    assert comments_above(document, ("other",)) == ("foot",)
