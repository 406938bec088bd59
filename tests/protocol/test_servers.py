"""One MCP server in the spellings of many assistants: read into one form, written back in the file's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_protocol.digest import same
from roosync_protocol.forms import FormError
from roosync_protocol.servers import Dialect, Servers

PLAIN = Servers()
GEMINI = Servers(Dialect(urls=(("httpUrl", "http"), ("url", "sse")), words={}, reference="$%s"))
OPENCODE = Servers(
    Dialect(
        env="environment", line=True, enabled=True, local="local", words={"http": "remote"}, reference="{env:%s}",
        remote="http",
    )
)  # fmt: skip
CLAUDE = Servers(Dialect(reference="${%s}"))
CONTINUE = Servers(Dialect(named="name", words={"http": "streamable-http", "sse": "sse"}))
ROO = Servers(Dialect(words={"http": "streamable-http", "sse": "sse"}))

PROGRAM = {"command": "npx", "args": ["-y", "x@1"], "env": {"LEVEL": "info"}}
ADDRESS = {"url": "https://h.example/mcp", "type": "http", "headers": {"X-A": "b"}}

# form, the file's spelling, the common one
READ: list[tuple[Servers, dict[str, Any], dict[str, Any]]] = [
    (PLAIN, PROGRAM, PROGRAM),
    (PLAIN, PROGRAM | {"type": "stdio", "disabled": False}, PROGRAM),
    (PLAIN, PROGRAM | {"disabled": True}, PROGRAM | {"disabled": True}),
    (ROO, {"type": "streamable-http", "url": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (GEMINI, {"httpUrl": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (GEMINI, {"url": "https://h/"}, {"url": "https://h/", "type": "sse"}),
    (GEMINI, {"command": "x", "env": {"A": "$TOKEN", "B": "${TOKEN}", "C": "$5"}},
     {"command": "x", "env": {"A": "${env:TOKEN}", "B": "${env:TOKEN}", "C": "$5"}}),
    (OPENCODE, {"type": "local", "command": ["npx", "-y", "x@1"], "environment": {"LEVEL": "info"}, "enabled": True},
     PROGRAM),
    (OPENCODE, {"type": "remote", "url": "https://h/", "enabled": False},
     {"url": "https://h/", "type": "http", "disabled": True}),
    (CLAUDE, {"command": "x", "args": ["${TOKEN}", "${HOME:-/x}"]},
     {"command": "x", "args": ["${env:TOKEN}", "${HOME:-/x}"]}),
    (CONTINUE, {"name": "n"} | PROGRAM, PROGRAM),
    (PLAIN, {"command": "x", "strange": [1], "alwaysAllow": ["a"]},
     {"command": "x", "strange": [1], "alwaysAllow": ["a"]}),
    (PLAIN, {"type": "ws", "url": "wss://h/"}, {"url": "wss://h/", "type": "ws"}),
    (OPENCODE, {"command": ["x"], "enabled": "later"}, {"command": "x", "enabled": "later"}),
]  # fmt: skip


@pytest.mark.parametrize(("form", "file", "common"), READ)
def test_every_spelling_is_read_as_one_server_and_left_as_it_was(
    form: Servers, file: dict[str, Any], common: dict[str, Any]
) -> None:
    assert same(form.common("n", file), common)
    assert list(form.spelled("n", common, file).items()) == list(file.items())  # type: ignore[union-attr]


@pytest.mark.parametrize("form", [PLAIN, GEMINI, OPENCODE, CLAUDE, CONTINUE, ROO])
@pytest.mark.parametrize("server", [PROGRAM, ADDRESS, PROGRAM | {"disabled": True}, PROGRAM | {"timeout": 5}])
def test_what_one_assistant_says_another_can_say(form: Servers, server: dict[str, Any]) -> None:
    assert same(form.common("n", form.spelled("n", server, None)), server)


SPELLED = [
    (OPENCODE, PROGRAM, {"type": "local", "command": ["npx", "-y", "x@1"], "environment": {"LEVEL": "info"}}),
    (GEMINI, {"url": "https://h/", "type": "http"}, {"httpUrl": "https://h/"}),
    (GEMINI, {"command": "x", "env": {"A": "${env:B}"}}, {"command": "x", "env": {"A": "$B"}}),
    (ROO, {"url": "https://h/", "type": "http"}, {"type": "streamable-http", "url": "https://h/"}),
    (CONTINUE, {"command": "x"}, {"name": "n", "command": "x"}),
]


@pytest.mark.parametrize(("form", "common", "file"), SPELLED)
def test_a_new_server_is_written_as_the_assistant_writes_it(
    form: Servers, common: dict[str, Any], file: dict[str, Any]
) -> None:
    assert form.spelled("n", common, None) == file


def test_a_change_keeps_the_spelling_of_what_stays() -> None:
    now: dict[str, Any] = {
        "enabled": True, "type": "local", "command": ["npx", "x@1"], "environment": {"A": "{env:A}", "B": "1"},
        "own": 1,
    }  # fmt: skip
    wanted: dict[str, Any] = {"command": "npx", "args": ["x@2"], "env": {"A": "${env:A}", "B": "2"}, "own": 1}
    assert OPENCODE.spelled("n", wanted, now) == {
        "enabled": True, "type": "local", "command": ["npx", "x@2"], "environment": {"A": "{env:A}", "B": "2"},
        "own": 1,
    }  # fmt: skip
    odd: dict[str, Any] = {
        "command": "x",
        "env": {"A": "${env:A}", "B": "1"},
    }  # a spelling that is not this assistant's own
    assert CLAUDE.spelled("n", {"command": "x", "env": {"A": "${env:A}", "B": "2"}}, odd) == {
        "command": "x",
        "env": {"A": "${env:A}", "B": "2"},
    }


@pytest.mark.parametrize(
    ("form", "server", "why"),
    [
        (OPENCODE, {"url": "https://h/", "type": "sse"}, "type"),
        (GEMINI, {"url": "https://h/", "type": "ws"}, "type"),
    ],
)
def test_what_an_assistant_has_no_words_for_is_refused_by_name(form: Servers, server: dict[str, Any], why: str) -> None:
    with pytest.raises(FormError, match=why):
        form.spelled("n", server, None)


@pytest.mark.parametrize(
    ("form", "server"),
    [
        (GEMINI, {"httpUrl": "https://a/", "url": "https://b/"}),
        (OPENCODE, {"command": ["x"], "args": ["y"]}),
        (OPENCODE, {"command": []}),
        (OPENCODE, {"command": ["x"], "enabled": False, "disabled": True}),
    ],
)
def test_a_server_that_contradicts_itself_is_not_guessed(form: Servers, server: dict[str, Any]) -> None:
    with pytest.raises(FormError):
        form.common("n", server)


leaf = st.sampled_from(["", "x", "$A_B", "${A_B}", "${env:A_B}", "{env:A_B}", "stdio", "http", 1, True, None])
value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
NAMES = ["command", "args", "env", "environment", "url", "httpUrl", "type", "disabled", "enabled", "name", "cwd", "own"]


@given(
    st.sampled_from([PLAIN, GEMINI, OPENCODE, CLAUDE, CONTINUE, ROO]),
    st.dictionaries(st.sampled_from(NAMES), value, max_size=6),
    st.dictionaries(st.sampled_from(NAMES), value, max_size=6),
)
def test_nothing_is_lost_whatever_stands_there(form: Servers, now: dict[str, Any], other: dict[str, Any]) -> None:
    try:
        common = form.common("n", now)
    except FormError:
        return
    assert same(form.spelled("n", common, now), now), "an unchanged server keeps its spelling"
    try:
        wanted = form.common("n", other)
        written = form.spelled("n", wanted, now)
    except FormError:
        return
    assert same(form.common("n", written), wanted)
