"""The state folder: private, whole after a crash, and a clear word when a file of it is damaged."""

import stat

import msgspec
import pytest
from msgspec.structs import replace

from roosync_agent.state import Base, Identity, LawRead, State, StateError
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.law import Law

IDENTITY = Identity(fleet="home", machine="ana", root="U" * 56, url="nats://x")
BASE = Base(
    joined=True,
    revision=3,
    entities={"roo.mcp/a": Entity(key="roo.mcp/a", kind=Kind.MCP_SERVER, value={"command": "\u00e9", "n": 2**70})},
    sizes={"roo.mcp/x": 7},
)


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "state")
    made.prepare()
    return made


def test_what_is_saved_is_read_again_and_nobody_else_may(state):
    state.save_identity(IDENTITY)
    state.save_base(BASE)
    again = State(state.folder)
    assert again.identity() == IDENTITY
    assert again.base() == BASE
    for path in state.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_nothing_saved_is_nothing_and_no_fault(state):
    assert (state.identity(), state.law()) == (None, None)
    assert state.base() == Base()


def test_an_open_folder_is_closed(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    State(tmp_path / "state").prepare()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


DAMAGED = {
    "empty": b"",
    "cut": b'{"fleet": "ho',
    "another shape": b"[1]",
    "a field of another type": b'{"fleet": 7, "machine": "a", "root": "r", "url": "u"}',
    "a field is missing": b'{"fleet": "home"}',
    "no UTF-8": b'{"fleet": "\xff"}',
    "too deep": b"[" * 100_000,
    "zeros, as after a power cut": b"\0" * 200,
}


@pytest.mark.parametrize("name", ["identity.json", "law.json", "base.json"])
@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_with_what_to_do(state, name, data):
    if name == "base.json":  # every field of it has a default
        data = data.replace(b'"fleet"', b'"entities"').replace(b'"home"', b'"x"')
    (state.folder / name).write_bytes(data)
    with pytest.raises(StateError) as caught:
        {"identity.json": state.identity, "law.json": state.law, "base.json": state.base}[name]()
    assert name in str(caught.value)
    assert "Move it away" in str(caught.value)
    assert (state.folder / name).read_bytes() == data


def test_a_folder_in_place_of_a_file_is_named(state):
    (state.folder / "base.json").mkdir()
    with pytest.raises(StateError, match=r"base\.json can not be read"):
        state.base()
    with pytest.raises(StateError, match=r"base\.json can not be written"):
        state.save_base(BASE)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "state").write_text("mine")
    with pytest.raises(StateError, match="ROOSYNC_STATE"):
        State(tmp_path / "state").prepare()
    assert (tmp_path / "state").read_text() == "mine"


def test_a_failed_write_leaves_the_old_file(state, monkeypatch):
    state.save_base(BASE)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StateError, match="No space left on device"):
        state.save_base(Base())
    assert state.base() == BASE
    assert [path.name for path in state.folder.iterdir() if path.is_file()] == ["base.json"]


def test_a_law_that_another_version_kept_is_read_from_the_bus_again(state):
    law, read = Law(fleet="home", root="U" * 56), LawRead(7, "c2ln")
    state.save_law(law, read)
    assert (state.law(), state.law_read()) == (law, read)
    for name in ("law.json", "law_read.json"):  # as an older version writes them: it knows no such field
        path = state.folder / name
        kept = msgspec.json.decode(path.read_bytes())
        del kept["by"]
        path.write_bytes(msgspec.json.encode(kept))
    assert state.law() == replace(law, partial=True)
    assert state.law_read() is None
