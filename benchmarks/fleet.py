"""A fleet of real agent processes on loopback, in a temporary folder, for the other benchmarks.

    async with Fleet(5) as fleet:            # one `roosync up`, four `roosync agent`, all connected
        await fleet.agree()                  # a baseline of what they have in common is law, and all are synced
        async with fleet.operator() as session: ...

Each machine has a home and a state folder below one temporary folder. Keys and memberships are made by the same
operations as `init` and `admit`, in this process, because twenty commands would take longer than what is measured.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from roosync_agent.collecting.reference import Library
from roosync_agent.connect import as_operator, identity_of
from roosync_agent.operations.baseline import promoting
from roosync_agent.operations.membership import founding, lawmaking
from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import keys
from roosync_broker.keys import KeyPair
from roosync_protocol.baseline import Commons
from roosync_protocol.baseline_file import BaselineFile
from roosync_protocol.entity import Entity
from roosync_protocol.names import Value

PATIENCE = 90.0  # seconds for anything that is waited for
SERVERS = 24  # MCP servers in each machine's file: about 5 KB, as in the anchors


@dataclass
class Node:
    """One machine: its folders, and the process that runs on them."""

    name: str
    home: Path
    state: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def settings(self) -> Settings:
        return Settings(state=self.state, home=self.home, machine=self.name, config=self.state / "config.toml")

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this account's own roosync, and no way to its home folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROOSYNC_", "XDG_"))}
        own = {"ROOSYNC_STATE": str(self.state), "ROOSYNC_HOME": str(self.home), "ROOSYNC_MACHINE": self.name}
        return kept | own | {"HOME": str(self.home), "NO_COLOR": "1"}

    @property
    def servers_file(self) -> Path:
        return self.home / ".claude.json"

    @property
    def settings_file(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def ask(self, verb: str, **args: Any) -> Any:
        """What the resident agent answers; None while there is none."""
        try:
            return ask(self.state, verb, args, timeout=30).get("result")
        except (NobodyThereError, TimeoutError, json.JSONDecodeError):
            return None

    def start(self, *words: str) -> None:
        with (self.state / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "roosync_agent", *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def gone(self) -> None:
        if self.process is not None:
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Fleet:
    """`count` machines named m00, m01 ...; m00 has the broker and the operator's key (no passphrase).

    `config` is the text of each machine's settings file; without it there is none, as after `init`. `port` is the
    broker's; 0: any that is free. `others`: how the others are started, "agent", or "up" with a supervisor.
    """

    def __init__(self, count: int, *, config: str = "", port: int = 0, others: str = "agent") -> None:
        self._port, self._others = port, others
        self.folder = Path(tempfile.mkdtemp(prefix="roosync-bench-")).resolve()
        self.nodes = [self._node(f"m{number:02}", config) for number in range(count)]

    @property
    def first(self) -> Node:
        return self.nodes[0]

    async def __aenter__(self) -> "Fleet":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes are stopped then too
        try:
            await self._found()
        except BaseException:
            self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stop)

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[Session]:
        """A session that may sign, its view read."""
        session = await as_operator(self.first.settings, State(self.first.state), lambda _: "")
        try:
            await session.refresh()
            yield session
        finally:
            await session.close()

    async def agree(self) -> None:
        """Publishes a baseline from the packages, and waits until every machine is synced with it."""
        async with self.operator() as session:
            await self._packages(session)
            entities = (await Library(session).of_machine(self.first.name)).entities
            law = BaselineFile(version="0", revision=0, commons=Commons(entities=dict(entities)), overlays={})
            await promoting.restore_file(session, law)
        await self.synced()

    async def synced(self) -> None:
        await until("every machine is synced", lambda: self.states() == ["synced"] * len(self.nodes), self.nodes)

    def states(self) -> list[str]:
        seen = self.first.ask("status")
        return [row["state"] for row in seen["overview"]["machines"]] if seen else []

    async def change(self, session: Session, number: int) -> None:
        """One change of the baseline: another version of one MCP server, which executes, so a person is asked."""
        law = session.fleet.law.baseline
        assert law is not None
        commons, overlays = await Library(session).whole(law)
        old = commons.entities[f"claude.mcp/{server(number)}"]
        assert isinstance(old.value, dict)
        value: Value = {**old.value, "args": changed(number)}
        fresh = Entity(key=old.key, kind=old.kind, value=value)
        wanted = Commons(entities={**commons.entities, old.key: fresh}, removed=commons.removed)
        await promoting.restore_file(session, BaselineFile(version="0", revision=0, commons=wanted, overlays=overlays))

    # -- inside

    def _node(self, name: str, config: str) -> Node:
        node = Node(name, self.folder / name / "home", self.folder / name / "state")
        node.state.mkdir(parents=True, mode=0o700)
        node.settings_file.parent.mkdir(parents=True)
        if config:
            (node.state / "config.toml").write_text(config, "utf-8")
        settings = {"model": "sonnet", "language": "english", "env": {"LOG_LEVEL": "info"}, "cleanupPeriodDays": 30}
        node.settings_file.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
        (node.home / ".claude" / "CLAUDE.md").write_text("# Rules\n\nAnswer briefly.\n", "utf-8")
        node.servers_file.write_text(json.dumps({"mcpServers": _servers()}, indent=2) + "\n", "utf-8")
        return node

    async def _found(self) -> None:
        first = self.first
        await founding.init(
            first.settings, State(first.state), passphrase=None, fleet="bench", operator="me", port=self._port
        )
        first.start("up")
        await until("the first agent answers", lambda: first.ask("status") is not None, self.nodes)
        async with self.operator() as session:
            for node in self.nodes[1:]:
                await _admit(session, node, first)
        for node in self.nodes[1:]:
            node.start(self._others)
        await until(
            "every agent answers", lambda: all(node.ask("status") is not None for node in self.nodes), self.nodes
        )

    async def _packages(self, session: Session) -> None:
        began = time.monotonic()
        while sum(package.complete for package in session.fleet.packages().values()) < len(self.nodes):
            _alive(self.nodes)
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"only {len(session.fleet.packages())} machines published a package")
            await asyncio.sleep(0.1)
            await session.refresh()

    def _stop(self) -> None:
        for node in reversed(self.nodes):  # the broker's machine last
            node.stop()
        for node in reversed(self.nodes):
            node.gone()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _admit(session: Session, node: Node, first: Node) -> None:
    state, pair = State(node.state), KeyPair.generate()
    state.prepare()
    keys.save(state.machine_key, pair.seed)
    await lawmaking.admit(session, node.name, pair.public)
    known = identity_of(State(first.state))
    state.save_identity(
        type(known)(fleet=known.fleet, machine=node.name, root=known.root, url=known.url, certificate=known.certificate)
    )
    state.save_law(session.fleet.law)


async def until(what: str, holds: Callable[[], bool], nodes: list[Node]) -> None:
    """Waits for it; RuntimeError when it does not come."""
    began = time.monotonic()
    while not await asyncio.to_thread(holds):
        _alive(nodes)
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"waited {PATIENCE:g} s and it did not happen: {what}")
        await asyncio.sleep(0.1)


def _alive(nodes: list[Node]) -> None:
    """RuntimeError with the last lines of a process that ended."""
    for node in nodes:
        if node.process is not None and node.process.poll() is not None:
            log = (node.state / "log").read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"the process of {node.name} ended: {log}")


def server(number: int) -> str:
    return f"server-{number % SERVERS:02}"


def changed(number: int) -> list[Value]:
    """The arguments that `Fleet.change` gives to a server."""
    return ["-y", f"@example/{server(number)}@9.0.{number}"]


def _servers() -> dict[str, Any]:
    return {
        server(number): {
            "command": "npx",
            "args": ["-y", f"@example/{server(number)}@1.0.{number}"],
            "env": {"LOG_LEVEL": "info", "REGION": f"region-{number % 3}"},
        }
        for number in range(SERVERS)
    }
