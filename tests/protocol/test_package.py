"""A package is what a stranger sends: hashes, sizes, names and kinds are checked before anything is used."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_protocol import package
from roosync_protocol.digest import digest_bytes
from roosync_protocol.entity import Kind
from roosync_protocol.package import (
    FileContent,
    HostilePackageError,
    Manifest,
    ManifestFile,
    build,
    path_fault,
    read_contents,
    read_manifest,
)

MCP = FileContent(
    target="roo.mcp",
    path="${vscode_user}/mcp_settings.json",
    format="json",
    kind=Kind.MCP_SERVER,
    entities={"github": {"command": "npx", "timeout": 1.5}, "a/b": {}},
    order=("github", "a/b"),
)
RULE = FileContent(
    target="roo.rules",
    path="rules",
    format="markdown",
    kind=Kind.TEXT,
    entities={"rules/00-security.md": "Be careful.\n"},
)


@pytest.fixture
def now(world):
    return world.now


def read(made, author="pc-a"):
    manifest = read_manifest(made.contents[made.manifest_hash], author)
    found = {}
    for file in manifest.files:
        found |= read_contents(file, made.contents[file.hash]).entities
    return found


def test_what_was_packed_is_what_is_read(now):
    found = read(build("pc-a", "1", now, [MCP, RULE]))
    assert {key: entity.value for key, entity in found.items()} == {
        "roo.mcp/github": {"command": "npx", "timeout": 1.5},
        "roo.mcp/a/b": {},
        "roo.rules/rules/00-security.md": "Be careful.\n",
    }
    assert {entity.kind for entity in found.values()} == {Kind.MCP_SERVER, Kind.TEXT}


def test_the_order_of_files_does_not_matter_and_nothing_is_sent_twice(now):
    one, two = build("pc-a", "1", now, [MCP, RULE]), build("pc-a", "1", now, [RULE, MCP])
    assert one == two
    assert {digest_bytes(data) for data in one.contents.values()} == set(one.contents)
    later = build("pc-a", "2", now.replace(year=2027), [MCP, replace(RULE, entities={})])
    assert len(one.contents.keys() & later.contents.keys()) == 1, "the unchanged file"


def manifest(now, *files, **more):
    return msgspec.json.encode(Manifest(version="1", timestamp=now, author="pc-a", files=files, **more))


def listed(path="roo.mcp/x", **more):
    return ManifestFile(**({"path": path, "hash": "0" * 64, "type": "roo.mcp", "size": 1} | more))


MANIFESTS = {
    "of another author": lambda now: manifest(now).replace(b'"pc-a"', b'"pc-b"'),
    "nothing": lambda now: b"",
    "no text": lambda now: b"\xff",
    "a deep nest": lambda now: b'{"x":' + b"[" * 100_000,
    "huge": lambda now: b" " * (package.MAX_CONTENT + 1),
    "too many files": lambda now: manifest(now, *[listed(f"roo.mcp/{n}") for n in range(package.MAX_FILES + 1)]),
    "a file too large": lambda now: manifest(now, listed(size=package.MAX_CONTENT + 1)),
    "too large together": lambda now: manifest(
        now, *[listed(f"roo.mcp/{n}", size=package.MAX_CONTENT) for n in range(17)]
    ),
    "a negative size": lambda now: manifest(now, listed(size=-1)),
    "a hash that is none": lambda now: manifest(now, listed(hash="x")),
    "one file twice": lambda now: manifest(now, listed(), listed()),
    "one file twice on Windows": lambda now: manifest(now, listed("roo.mcp/A"), listed("roo.mcp/a")),
    "one file twice on macOS": lambda now: manifest(now, listed("roo.mcp/caf\u00e9"), listed("roo.mcp/cafe\u0301")),
    "out of its target": lambda now: manifest(now, listed("roo.mcp/../../x")),
    "under another target": lambda now: manifest(now, listed("claude.settings/x")),
    "under a target with a slash": lambda now: manifest(now, listed("roo.mcp/a/x", type="roo.mcp/a")),
    "no path": lambda now: manifest(now, listed("")),
    "no time": lambda now: manifest(now).replace(b"2026", b"soon"),
}


@pytest.mark.parametrize("make", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_refused(now, make):
    with pytest.raises(HostilePackageError):
        read_manifest(make(now), "pc-a")


def content(**changes):
    made = {
        "target": "roo.mcp",
        "path": "x",
        "format": "json",
        "kind": "mcp_server",
        "entities": {"github": {}},
        "order": [],
    }
    return json.dumps(made | changes).encode()


def offered(data, **more):
    return ManifestFile(
        **({"path": "roo.mcp/x", "hash": digest_bytes(data), "type": "roo.mcp", "size": len(data)} | more)
    )


CONTENTS = {
    "other bytes": (content(), {"hash": "0" * 64}),
    "another size": (content(), {"size": 3}),
    "another target": (content(target="claude.settings"), {}),
    "another file": (content(path="y"), {}),
    "a kind of our own": (content(kind="program"), {}),
    "nothing": (b"", {}),
    "a deep nest": (content(entities={"a": {}}).replace(b"{}", b"[" * 300 + b"]" * 300), {}),
    "a nest without end": (b"[" * 100_000, {}),
    "no map of entities": (content(entities=[1]), {}),
    "an entity without a name": (content(entities={"": {}}), {}),
    "an entity with an endless name": (content(entities={"x" * 700: {}}), {}),
    "a server that is a text": (content(entities={"a": "npx"}), {}),
    "a server that is nothing": (content(entities={"a": None}), {}),
    "a mode that is a list": (content(kind="mode", entities={"a": []}), {}),
    "a text that is an object": (content(kind="text", entities={"a.md": {}}), {}),
    "a text out of its folder": (content(kind="text", entities={"../a.md": ""}), {}),
    "too many entities": (content(entities={str(n): {} for n in range(20_001)}), {}),
}


@pytest.mark.parametrize(("data", "changes"), CONTENTS.values(), ids=CONTENTS)
def test_a_content_that_is_refused(data, changes):
    with pytest.raises(HostilePackageError):
        read_contents(offered(data, **changes), data)


def test_a_target_that_would_hide_in_another_is_refused(now):
    """roo.mcp/a + b and roo.mcp + a/b would be one key."""
    data = content(target="roo.mcp/a", path="b")
    file = offered(data, type="roo.mcp/a", path="roo.mcp/a/b")
    with pytest.raises(HostilePackageError):
        read_manifest(manifest(now, file), "pc-a")


PATHS_REFUSED = {
    "nothing": "",
    "up": "../x",
    "up inside": "a/../../x",
    "here": "./x",
    "an empty part": "a//b",
    "a slash at the end": "a/",
    "absolute": "/etc/passwd",
    "absolute on Windows": "C:/x",
    "a drive": "c:x",
    "a share": "\\\\host\\share",
    "a back-slash": "a\\..\\b",
    "an alternate stream": "a.md:evil",
    "the main stream": "a.md::$DATA",
    "a device": "CON",
    "a device with an ending": "a/nul.md",
    "a device with two endings": "aux.tar.gz",
    "a device with a blank": "con .txt",
    "a serial port": "com1",
    "a superscript port": "COM\u00b9.md",
    "a console": "CONIN$",
    "a dot at the end": "a.",
    "a blank at the end": "a ",
    "dots and blanks": "a. .",
    "a zero byte": "a\0b",
    "a line feed": "a\nb",
    "delete": "a\x7f",
    "a C1 control": "a\x9b31m",
    "turned text": "a\u202egpj.exe",
    "an isolate": "a\u2066b",
    "a line separator": "a\u2028b",
    "half a surrogate pair": "a\ud800",
    "a long part": "x" * 256,
    "a long part in bytes": "\u00e9" * 128,
}
PATHS_ALLOWED = ("a", "a/b.md", ".roo/rules-code/01.md", "caf\u00e9.md", "a b.md", "console.md", "com.md", "..a", "~a")


@pytest.mark.parametrize("path", PATHS_REFUSED.values(), ids=PATHS_REFUSED)
def test_a_name_that_may_not_become_a_path(path):
    assert path_fault(path)
    data = content(kind="text", entities={path: ""})
    with pytest.raises(HostilePackageError):
        read_contents(offered(data), data)


@pytest.mark.parametrize("path", PATHS_ALLOWED)
def test_a_name_that_may(path):
    assert path_fault(path) is None


@given(st.text(max_size=40))
def test_a_path_that_may_stays_in_its_folder_everywhere(path):
    import ntpath
    import posixpath

    if path_fault(path) is None:
        assert posixpath.normpath(posixpath.join("/base", path)).startswith("/base/")
        assert ntpath.normpath(ntpath.join("C:\\base", path)).startswith("C:\\base\\")


@settings(max_examples=150)
@given(st.binary(max_size=80), st.data())
def test_damaged_bytes_are_refused_by_one_error(noise, data):
    for good, reader in ((content(), lambda d: read_contents(offered(d), d)), (noise, lambda d: read_manifest(d, "a"))):
        at = data.draw(st.integers(0, len(good)))
        try:
            reader(good[:at] + noise[:3] + good[at + 3 :])
        except HostilePackageError:
            continue
