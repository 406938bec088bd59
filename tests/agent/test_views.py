"""What a member exports of its fleet: packages as they were published, nothing secret, nothing of who left."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from roosync_agent.exports import INDEX
from roosync_agent.operations.reports.views import write_views
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import verify
from roosync_protocol import package
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import PackageReport

T0 = datetime(2026, 1, 16, tzinfo=UTC)
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
MCP = {"github": {"command": "npx", "env": {"T": {"$secret": "roo.mcp/github/env/T"}}}}


class Bus:
    """Contents by hash, and who announced which manifest: as much of a fleet and a library as a view asks for."""

    def __init__(self):
        self.contents, self.reports, self.asked = {}, {}, []
        self.fleet = Fleet(Law(fleet="home", root="U" + "A" * 55), verify)
        self.fleet.packages = lambda: self.reports

    def publish(self, machine, *files, author=None, **more):
        built = package.build(author or machine, "1.0.0", T0, list(files), **more)
        self.contents |= built.contents
        self.reports[machine] = PackageReport(
            agent=machine, timestamp=T0, version="1.0.0", manifest=built.manifest_hash, files=len(files),
            entities=1, complete=True,
        )  # fmt: skip
        return built

    async def bytes_of(self, sha256):
        self.asked.append(sha256)
        if sha256 not in self.contents:
            raise UnavailableError("the broker is away")
        return self.contents[sha256]

    async def export(self, folder, **more):
        self.asked.clear()
        return await write_views(self.fleet, "alpha", folder, self, T0, **more)


def content(path="mcp_settings.json", target="roo.mcp", kind=Kind.MCP_SERVER, **entities):
    return package.FileContent(target=target, path=path, format="json", kind=kind, entities=entities or MCP)


@pytest.fixture
def bus():
    return Bus()


def below(folder, under="configs"):
    return sorted(p.relative_to(folder / under).as_posix() for p in (folder / under).rglob("*") if p.is_file())


async def test_a_package_is_there_as_it_was_published(bus, tmp_path):
    built = bus.publish("beta", content())
    done = await bus.export(tmp_path)
    assert not done.skipped
    (file,) = built.manifest.files
    data = (tmp_path / "configs/incoming/beta" / file.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == file.hash
    manifest = json.loads((tmp_path / "configs/incoming/beta/manifest.json").read_text())
    assert list(manifest) == ["version", "timestamp", "author", "description", "files"]
    assert list(manifest["files"][0]) == ["path", "hash", "type", "size"]


async def test_what_is_there_is_neither_fetched_nor_written_again(bus, tmp_path):
    built = bus.publish("beta", content())
    await bus.export(tmp_path)
    done = await bus.export(tmp_path, thorough=True)
    assert (done.written, done.removed) == ((), ())
    assert bus.asked == [built.manifest_hash]
    done = await bus.export(tmp_path)
    assert (done.written, done.removed, bus.asked) == ((), (), [])


async def test_what_somebody_took_away_comes_back_when_it_is_asked_for(bus, tmp_path):
    bus.publish("beta", content())
    await bus.export(tmp_path)
    path = tmp_path / "configs/incoming/beta/roo.mcp/mcp_settings.json"
    path.unlink()
    await bus.export(tmp_path)
    assert not path.exists()
    assert (await bus.export(tmp_path, thorough=True)).written == ("configs/incoming/beta/roo.mcp/mcp_settings.json",)


async def test_a_file_that_a_machine_no_longer_has_goes_and_so_does_a_machine_that_left(bus, tmp_path):
    bus.publish("beta", content(), content("AGENTS.md", "roo.rules", Kind.TEXT, **{"AGENTS.md": "x"}))
    bus.publish("gamma", content())
    await bus.export(tmp_path)
    bus.publish("beta", content())
    del bus.reports["gamma"]
    done = await bus.export(tmp_path)
    assert done.removed == (
        "configs/incoming/beta/roo.rules/AGENTS.md",
        "configs/incoming/gamma/manifest.json",
        "configs/incoming/gamma/roo.mcp/mcp_settings.json",
    )
    assert below(tmp_path) == ["incoming/beta/manifest.json", "incoming/beta/roo.mcp/mcp_settings.json"]


async def test_what_can_not_be_read_now_stays_as_it_was(bus, tmp_path):
    bus.publish("beta", content())
    await bus.export(tmp_path)
    before = below(tmp_path)
    bus.contents.clear()
    done = await bus.export(tmp_path, thorough=True)
    assert [one.path for one in done.skipped] == ["configs/incoming/beta/"]
    assert (below(tmp_path), done.removed) == (before, ())


BAD = {
    "a secret in a value": content(github={"command": "npx", "env": {"T": TOKEN}}),
    "a secret in a name": content(**{TOKEN: {"command": "npx"}}),
    "a secret in a text": content("a.md", "roo.rules", Kind.TEXT, **{"a.md": f"use {TOKEN}"}),
    "a secret in a file's name": content(f"{TOKEN}.json"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_package_that_holds_a_secret_is_not_exported_with_it(bus, tmp_path, bad):
    bus.publish("beta", bad, description=f"with {TOKEN}")
    bus.publish("gamma", content())
    done = await bus.export(tmp_path)
    assert len(done.skipped) == 1
    assert TOKEN not in str(done)
    assert "configs/incoming/gamma/roo.mcp/mcp_settings.json" in done.written
    for path in tmp_path.rglob("*"):
        assert TOKEN not in path.name
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


async def test_somebody_else_s_manifest_and_names_that_climb_are_left_out(bus, tmp_path):
    bus.publish("beta", content(), author="gamma")
    bus.publish("delta", content("../../../../../precious"))
    done = await bus.export(tmp_path / "in" / "shared")
    assert {one.path for one in done.skipped} == {"configs/incoming/beta/", "configs/incoming/delta/"}
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {
        INDEX, "sync-dashboard.json", "sync-roadmap.md", "status.json", "status.md",
    }  # fmt: skip


async def test_without_a_library_nothing_that_came_in_is_taken_away(bus, tmp_path):
    bus.publish("beta", content())
    await bus.export(tmp_path)
    assert (await write_views(bus.fleet, "alpha", tmp_path, None, T0)).removed == ()
    assert below(tmp_path)
