"""Front matter is edited as YAML is, and the prose behind keeps its bytes."""

import pytest

from roosync_protocol.documents import (
    Delete,
    DocumentError,
    EditRefused,
    Limits,
    Rename,
    Set,
    comments_above,
    edit,
    parse,
)

PROSE = "\n# Rule\n\n---\n\n  - a: 1\ttext  \n\u2028\n---\nend"
FILE = "---\n# what for\ndescription: Python  # short\nglobs: ['*.py']\nalwaysApply: false\n---\n" + PROSE
EDITS = {
    "a value": (Set(("alwaysApply",), True), "alwaysApply: false", "alwaysApply: true"),
    "an element": (Set(("globs", 1), "*.pyi"), "['*.py']", "['*.py', '*.pyi']"),
    "one more": (Set(("tools",), "Read"), "alwaysApply: false\n", "alwaysApply: false\ntools: Read\n"),
    "a long text": (Set(("globs",), "---\nx\n"), "globs: ['*.py']", "globs: |\n  ---\n  x"),
    "a name": (Rename(("globs",), "paths"), "globs", "paths"),
    "one less": (Delete(("description",)), "# what for\ndescription: Python  # short\n", ""),
}
SMALL = {
    "no front matter": ("# x\n", Set(("a",), 1), "---\na: 1\n---\n\n# x\n"),
    "an empty file": ("", Set(("a",), 1), "---\na: 1\n---\n"),
    "nothing between the lines": ("---\n---\n# x", Set(("a",), 1), "---\na: 1\n---\n# x"),
    "the last of all": ("---\na: 1\n---", Delete(("a",)), "---\n{}\n---"),
    "a rule that nothing closes": ("---\nprose\n", Set(("a",), 1), "---\na: 1\n---\n\n---\nprose\n"),
    "a rule before a heading": ("---\n# T\n\nx: y\n", Set(("a",), 1), "---\na: 1\n---\n\n---\n# T\n\nx: y\n"),
    "a rule, and a link": ("---\nhttp://x\n", Set(("a",), 1), "---\na: 1\n---\n\n---\nhttp://x\n"),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("change", "old", "new"), EDITS.values(), ids=EDITS)
def test_the_prose_keeps_its_bytes(change, old, new, ends):
    assert FILE.count(old) == 1
    before, after = (("\ufeff" + text.replace("\n", ends)).encode() for text in (FILE, FILE.replace(old, new)))
    assert edit(parse(before, "frontmatter"), [change]).data == after


@pytest.mark.parametrize(("before", "change", "after"), SMALL.values(), ids=SMALL)
def test_small(before, change, after):
    assert edit(parse(before.encode(), "frontmatter"), [change]).data.decode() == after


@pytest.mark.parametrize(
    ("text", "line"),
    [("---\na: 1\na: 2\n---\n", 3), ("---\n- a\n---\n", 1), ("---\na: [\n---\n", 3), ("---\na: 1\n\nprose\n", 1)],
)
def test_what_is_wrong_is_said_with_its_line(text, line):
    with pytest.raises(DocumentError) as told:
        parse(text.encode(), "frontmatter")
    assert told.value.line == line


@pytest.mark.parametrize("members", ["name: x", "name:\r", "# c\n'a b': 1", '"a": 1', "$a:\n  - 1"])
def test_members_that_nothing_closes_get_no_second_front_matter(members):
    with pytest.raises(DocumentError, match=r"line 1: .* is not closed"):
        parse(f"---\n{members}\n\nprose\n".encode(), "frontmatter")


def test_a_list_can_not_be_front_matter():
    with pytest.raises(EditRefused, match="names"):
        edit(parse(b"---\na: 1\n---\n", "frontmatter"), [Set((), ["a"])])


def test_prose_is_not_read_as_yaml():
    prose = b"---\na: 1\n---\n" + b"[" * 100_000
    assert edit(parse(prose, "frontmatter", limits=Limits(nodes=50)), [Set(("a",), 2)]).value == {"a": 2}


def test_comments_above():
    document = parse(FILE.encode(), "frontmatter")
    assert comments_above(document, ("description",)) == ("what for",)
