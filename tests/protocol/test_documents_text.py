"""Plain text and Markdown: line ends, marks, and the lines that stay."""

import pytest

from roosync_protocol.documents import Delete, EditRefused, Set, edit, parse

CASES = {
    "LF": ("a\nb\n", "a\nc\n", "a\nc\n"),
    "CRLF": ("a\r\nb\r\n", "a\nc\nd\n", "a\r\nc\r\nd\r\n"),
    "mixed ends stay mixed": ("a\nb\r\nc\n", "a\nb\nnew\nc\n", "a\nb\r\nnew\nc\n"),
    "mixed ends, most are CRLF": ("a\r\nb\r\nc\n", "a\nnew\nb\nc\n", "a\r\nnew\r\nb\r\nc\n"),
    "no final newline": ("a\r\nb", "a\nb\nc", "a\r\nb\r\nc"),
    "a final newline comes": ("a\r\nb", "a\nb\n", "a\r\nb\r\n"),
    "a final newline goes": ("a\r\nb\r\n", "a\nb", "a\r\nb"),
    "to nothing": ("a\n", "", ""),
    "from nothing": ("", "a\n", "a\n"),
    "front matter": ("---\nx: 1\n---\n# T\n", "---\nx: 2\n---\n# T\n", "---\nx: 2\n---\n# T\n"),
    "beyond the first plane": ("💻\n", "💻\n𝒳\n", "💻\n𝒳\n"),
}


@pytest.mark.parametrize("marks", ["", "\ufeff"], ids=["", "mark"])
@pytest.mark.parametrize(("before", "value", "after"), CASES.values(), ids=CASES)
def test_text(before, value, after, marks):
    document = edit(parse((marks + before).encode(), "markdown"), [Set((), value)])
    assert document.data.decode() == marks + after
    assert document.value == value


def test_a_long_text_keeps_its_ends():
    lines = [f"line {n}" + ("\r" if n % 3 else "") for n in range(10_000)]
    before = "\n".join(lines)
    value = before.replace("\r\n", "\n").replace("line 77\n", "changed\n").replace("line 9000\n", "")
    after = edit(parse(before.encode(), "text"), [Set((), value)])
    assert after.value == value
    assert before[:600] == after.data.decode()[:600]
    assert before[-5000:] == after.data.decode()[-5000:]


@pytest.mark.parametrize(
    "change", [Set(("a",), 1), Set((), 1), Set((), {}), Delete(()), Set((), "a\r\nb"), Set((), "\0")]
)
def test_what_is_no_text_is_refused(change):
    with pytest.raises(EditRefused):
        edit(parse(b"x\r\ny\r\n", "text"), [change])
