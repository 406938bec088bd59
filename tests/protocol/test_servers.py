"""One MCP server in the spellings of many assistants: read into one form, written back in the file's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_protocol.digest import same
from roosync_protocol.forms import FormError
from roosync_protocol.servers import Servers, dialects

PLAIN = Servers()
GEMINI, OPENCODE, CLAUDE = Servers(dialects.GEMINI), Servers(dialects.OPENCODE), Servers(dialects.CLAUDE)
CONTINUE, ROO, CLINE = Servers(dialects.CONTINUE), Servers(dialects.ROO), Servers(dialects.CLINE)
CODEX, ZED, VSCODE = Servers(dialects.CODEX), Servers(dialects.ZED), Servers(dialects.VSCODE)
CURSOR, WINDSURF = Servers(dialects.CURSOR), Servers(dialects.WINDSURF)
ALL = [PLAIN, GEMINI, OPENCODE, CLAUDE, CONTINUE, ROO, CLINE, CODEX, ZED, VSCODE, CURSOR, WINDSURF]
SWITCHED = [PLAIN, OPENCODE, ROO, CLINE, CODEX, ZED, WINDSURF]

PROGRAM = {"command": "npx", "args": ["-y", "x@1"], "env": {"LEVEL": "info"}}
ADDRESS = {"url": "https://h.example/mcp", "type": "http", "headers": {"X-A": "b"}}

# form, the file's spelling, the common one
READ: list[tuple[Servers, dict[str, Any], dict[str, Any]]] = [
    (PLAIN, PROGRAM, PROGRAM),
    (PLAIN, PROGRAM | {"type": "stdio", "disabled": False}, PROGRAM),
    (PLAIN, {"command": "x", "args": [], "env": {}, "headers": {}}, {"command": "x"}),
    (CODEX, {"command": "x", "env_vars": []}, {"command": "x"}),
    (PLAIN, PROGRAM | {"disabled": True}, PROGRAM | {"disabled": True}),
    (ROO, {"type": "streamable-http", "url": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (GEMINI, {"httpUrl": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (GEMINI, {"url": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (GEMINI, {"url": "https://h/", "type": "sse"}, {"url": "https://h/", "type": "sse"}),
    (CLINE, {"url": "https://h/"}, {"url": "https://h/", "type": "sse"}),
    (CLINE, {"url": "https://h/", "type": "streamableHttp"}, {"url": "https://h/", "type": "http"}),
    (WINDSURF, {"serverUrl": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (WINDSURF, {"url": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (CURSOR, {"url": "https://h/"}, {"url": "https://h/", "type": "http"}),
    (VSCODE, PROGRAM | {"type": "stdio"}, PROGRAM),
    (ZED, PROGRAM | {"source": "custom"}, PROGRAM),
    (ZED, PROGRAM, PROGRAM),
    (ZED, {"source": "extension", "settings": {"a": 1}}, {"source": "extension", "settings": {"a": 1}}),
    (CODEX, {"command": "x", "env": {"A": "1"}, "env_vars": ["B"]},
     {"command": "x", "env": {"A": "1", "B": "${env:B}"}}),
    (CODEX, {"command": "x", "env_vars": [{"name": "B", "source": "remote"}]},
     {"command": "x", "env_vars": [{"name": "B", "source": "remote"}]}),
    (CODEX, {"url": "https://h/", "bearer_token_env_var": "T", "http_headers": {"X": "1"},
             "env_http_headers": {"Y": "Z"}, "enabled": False},
     {"url": "https://h/", "type": "http", "disabled": True,
      "headers": {"X": "1", "Y": "${env:Z}", "Authorization": "Bearer ${env:T}"}}),
    (CONTINUE, {"name": "n", "url": "https://h/",
                "requestOptions": {"timeout": 9, "headers": {"X": "${{ secrets.T }}"}}},
     {"url": "https://h/", "type": "http", "requestOptions": {"timeout": 9}, "headers": {"X": "${env:T}"}}),
    (CONTINUE, {"name": "n", "url": "https://h/", "requestOptions": {"headers": {"X": "1"}}},
     {"url": "https://h/", "type": "http", "headers": {"X": "1"}}),
    (OPENCODE, {"type": "local", "command": ["x"], "disabled": True}, {"command": "x", "disabled": True}),
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


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("server", [PROGRAM, ADDRESS, PROGRAM | {"timeout": 5}])
def test_what_one_assistant_says_another_can_say(form: Servers, server: dict[str, Any]) -> None:
    assert same(form.common("n", form.spelled("n", server, None)), server)


@pytest.mark.parametrize("form", ALL)
def test_a_server_is_off_only_where_its_file_can_say_so(form: Servers) -> None:
    """Where it can not, the server would run."""
    off: dict[str, Any] = PROGRAM | {"disabled": True}
    if form in SWITCHED:
        assert same(form.common("n", form.spelled("n", off, None)), off)
        return
    with pytest.raises(FormError, match="can not say disabled"):
        form.spelled("n", off, None)
    assert same(form.common("n", form.spelled("n", off | {"args": ["x"]}, off)), off | {"args": ["x"]}), (
        "said by a person"
    )


SPELLED = [
    (OPENCODE, PROGRAM, {"type": "local", "command": ["npx", "-y", "x@1"], "environment": {"LEVEL": "info"}}),
    (GEMINI, {"url": "https://h/", "type": "http"}, {"httpUrl": "https://h/"}),
    (GEMINI, {"command": "x", "env": {"A": "${env:B}"}}, {"command": "x", "env": {"A": "$B"}}),
    (ROO, {"url": "https://h/", "type": "http"}, {"type": "streamable-http", "url": "https://h/"}),
    (CONTINUE, {"command": "x"}, {"name": "n", "command": "x"}),
    (CONTINUE, ADDRESS, {"name": "n", "url": "https://h.example/mcp", "requestOptions": {"headers": {"X-A": "b"}}}),
    (CONTINUE, {"command": "x", "env": {"A": "${env:B}"}},
     {"name": "n", "command": "x", "env": {"A": "${{ secrets.B }}"}}),
    (GEMINI, {"url": "https://h/", "type": "sse"}, {"type": "sse", "url": "https://h/"}),
    (CLINE, {"url": "https://h/", "type": "http"}, {"type": "streamableHttp", "url": "https://h/"}),
    (VSCODE, PROGRAM, {"type": "stdio"} | PROGRAM),
    (VSCODE, {"url": "https://h/", "type": "http"}, {"type": "http", "url": "https://h/"}),
    (CLAUDE, {"url": "https://h/", "type": "http"}, {"type": "http", "url": "https://h/"}),
    (CURSOR, {"url": "https://h/", "type": "http"}, {"url": "https://h/"}),
    (WINDSURF, {"url": "https://h/", "type": "http"}, {"serverUrl": "https://h/"}),
    (OPENCODE, {"url": "https://h/", "type": "http", "disabled": True},
     {"type": "remote", "url": "https://h/", "enabled": False}),
    (ZED, PROGRAM, {"source": "custom"} | PROGRAM),
    (ZED, ADDRESS, {"source": "custom", "url": "https://h.example/mcp", "headers": {"X-A": "b"}}),
    (CODEX, {"command": "x", "env": {"A": "1", "B": "${env:B}"}},
     {"command": "x", "env": {"A": "1"}, "env_vars": ["B"]}),
    (CODEX, {"url": "https://h/", "type": "http", "headers": {"Y": "${env:Z}", "Authorization": "Bearer ${env:T}"}},
     {"url": "https://h/", "env_http_headers": {"Y": "Z"}, "bearer_token_env_var": "T"}),
]  # fmt: skip


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
        (CODEX, {"url": "https://h/", "type": "sse"}, "type"),
        (ZED, {"url": "https://h/", "type": "sse"}, "type"),
        (CODEX, {"command": "x", "env": {"A": "${env:B}"}}, "asks for a variable"),
        (CODEX, {"command": "x", "args": ["${env:B}"]}, "asks for a variable"),
        (ZED, {"command": "x", "env": {"A": "${env:A}"}}, "asks for a variable"),
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
        (CODEX, {"command": "x", "env": {"A": "1"}, "env_vars": ["A"]}),
        (CODEX, {"url": "https://h/", "http_headers": {"Authorization": "a"}, "bearer_token_env_var": "T"}),
    ],
)
def test_a_server_that_contradicts_itself_is_not_guessed(form: Servers, server: dict[str, Any]) -> None:
    with pytest.raises(FormError):
        form.common("n", server)


leaf = st.sampled_from(["", "x", "$A_B", "${A_B}", "${env:A_B}", "{env:A_B}", "stdio", "http", 1, True, None])
value = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("headers"), inner)
)
NAMES = [
    "env_vars",
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
    "requestOptions",
    "source",
    "command",
    "args",
    "env",
    "environment",
    "url",
    "httpUrl",
    "type",
    "disabled",
    "enabled",
    "name",
    "cwd",
    "own",
]


@given(
    st.sampled_from(ALL),
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


def test_a_change_beside_it_keeps_what_only_this_assistant_says() -> None:
    now: dict[str, Any] = {
        "url": "https://h/", "bearer_token_env_var": "T", "env_http_headers": {"Y": "Z"}, "startup_timeout_sec": 9,
    }  # fmt: skip
    common = CODEX.common("n", now)
    assert isinstance(common, dict)
    assert CODEX.spelled("n", common | {"url": "https://i/"}, now) == now | {"url": "https://i/"}
    assert CODEX.spelled("n", common | {"headers": {"Y": "${env:Z}"}}, now) == {
        "url": "https://h/", "env_http_headers": {"Y": "Z"}, "startup_timeout_sec": 9,
    }  # fmt: skip
    mine: dict[str, Any] = {"name": "n", "url": "https://h/", "requestOptions": {"headers": {"X": "1"}, "timeout": 9}}
    common = CONTINUE.common("n", mine)
    assert isinstance(common, dict)
    assert CONTINUE.spelled("n", common | {"headers": {"X": "2"}}, mine) == mine | {
        "requestOptions": {"headers": {"X": "2"}, "timeout": 9}
    }
    other: dict[str, Any] = {"type": "local", "command": ["x"], "disabled": True}
    assert OPENCODE.spelled("n", {"command": "y", "disabled": True}, other) == other | {"command": ["y"]}
    assert OPENCODE.spelled("n", {"command": "x"}, other) == other | {"disabled": False}
    assert ROO.spelled("n", {"command": "x"}, {"command": "x", "disabled": True}) == {"command": "x", "disabled": False}
    assert CODEX.spelled("n", {"command": "x"}, {"command": "x", "enabled": False}) == {"command": "x", "enabled": True}
    assert CLAUDE.spelled("n", {"command": "x"}, {"command": "x", "disabled": True}) == {"command": "x"}


def test_one_server_is_one_value_whoever_has_it() -> None:
    server: dict[str, Any] = {"url": "https://h/", "type": "http", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}
    for form in (one for one in ALL if one is not ZED):  # it has no variables
        assert same(form.common("n", form.spelled("n", server, None)), server)
