"""A fleet of one real `roosync up` and many agents in few processes (`worker`), all connected to its broker.

    async with Many(1000) as many:
        await many.change(["s0000"], "model", "opus")
        await many.said({"synced 2": 1000})

The machines are admitted by the operator's signature like any other, each with a key and a user of its own in the
permissions that the keeper writes. Only the real machine may orchestrate.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from fleet import Fleet

from roosync_agent.collecting.reference import Library
from roosync_agent.session import Session
from roosync_broker import keys
from roosync_broker.jetstream import JetStreamLink, connect
from roosync_broker.keys import KeyPair
from roosync_protocol.entity import Entity, target_of
from roosync_protocol.law import LIFETIME
from roosync_protocol.messages import Member

HERE = Path(__file__).parent
TARGET = "claude.settings"
RELOADED = 1.0  # seconds after which the server has read the users that the keeper wrote
PATIENCE = 600.0
TICKS = os.sysconf("SC_CLK_TCK")


class Host:
    """One process with some of the agents."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start(self, given: dict[str, Any]) -> None:
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulated.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=2**24, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        await self._told(given)

    async def ask(self, do: str, **args: Any) -> dict[str, Any]:
        return await self._told({"do": do, **args})

    async def _told(self, line: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        async with self._turn:
            process.stdin.write(json.dumps(line).encode() + b"\n")
            await process.stdin.drain()
            answer = await process.stdout.readline()
        if not answer:
            raise RuntimeError("a process with simulated agents ended")
        found: dict[str, Any] = json.loads(answer)
        return found

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


class Many:
    """`count` simulated machines, s0000 and so on, in `processes` processes, and m00, which is real and leads."""

    def __init__(self, count: int, processes: int = 2) -> None:
        self.fleet = Fleet(1)
        self.names = [f"s{number:04}" for number in range(count)]
        self.hosts = [Host(self.names[at::processes]) for at in range(processes)]
        self.session: Session
        self._system: JetStreamLink
        self._operator: Any = None

    async def __aenter__(self) -> "Many":
        await self.fleet.__aenter__()
        try:
            self._operator = self.fleet.operator()
            self.session = await self._operator.__aenter__()
            await self.fleet.agree()
            await self._found()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self.hosts:
            await host.stop()
        if hasattr(self, "_system"):
            await self._system.close()
        if hasattr(self, "session"):
            await self._operator.__aexit__(None, None, None)
        await self.fleet.__aexit__(kind, error, trace)

    # -- what is asked of all of them

    async def change(self, machines: list[str], setting: str, value: Any) -> None:
        for host in self.hosts:
            mine = [name for name in machines if name in set(host.names)]
            await host.ask("change", machines=mine, setting=setting, value=value)

    async def said(self, wanted: dict[str, int]) -> None:
        """Returns when the simulated agents said this: how many of them which state, at which revision."""
        began = time.monotonic()
        while True:
            answers = [await host.ask("said") for host in self.hosts]
            if ended := [name for one in answers for name in one["ended"]]:
                raise RuntimeError(f"agents ended: {ended[:5]}")
            found: dict[str, int] = {}
            for one in answers:
                for key, value in one["said"].items():
                    found[key] = found.get(key, 0) + value
            if found == wanted:
                return
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"waited {PATIENCE:g} s for {wanted}, and it is {found}")
            await asyncio.sleep(0.5)

    async def holding(self, setting: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for host in self.hosts:
            for key, value in (await host.ask("holding", setting=setting))["holding"].items():
                found[key] = found.get(key, 0) + value
        return found

    async def cost(self) -> dict[str, float]:
        """Processor seconds so far, memory in MiB, messages and bytes that the server took in and gave out."""
        agents = [await host.ask("said") for host in self.hosts]
        told = await self._system.request(f"$SYS.REQ.SERVER.{self._system.server_id}.VARZ", b"", 10)
        seen = json.loads(told)["data"]
        up = self.fleet.first.process
        assert up is not None
        server = _child(up.pid, "nats-server")
        orchestrator = [pid for pid in _family(up.pid) if pid != server]
        return {
            "agents_cpu": sum(one["cpu"] for one in agents),
            "agents_rss": sum(one["rss"] for one in agents),
            "whole": sum(one["whole"] for one in agents),
            "orchestrator_cpu": sum(map(_cpu, orchestrator)),
            "orchestrator_rss": max(map(_rss, orchestrator)),
            "server_cpu": _cpu(server),
            "server_rss": _rss(server),
            "messages": seen["in_msgs"] + seen["out_msgs"],
            "bytes": seen["in_bytes"] + seen["out_bytes"],
            "deliveries": seen["out_msgs"],
        }

    # -- inside

    async def _found(self) -> None:
        pairs = {name: KeyPair.generate() for name in self.names}
        await self._admit(pairs)
        broker = self.fleet.first.state / "broker"
        users = broker / "users.conf"
        began = time.monotonic()
        while pairs[self.names[-1]].public not in users.read_text("ascii"):
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError("the keeper did not write the users of the law")
            await asyncio.sleep(0.2)
        await asyncio.sleep(RELOADED)
        await self.session.refresh_law()
        law = self.fleet.folder / "law.json"
        law.write_bytes(msgspec.json.encode(self.session.fleet.law))
        system = KeyPair.from_seed(keys.load(broker / "system.seed"))
        identity = json.loads((self.fleet.first.state / "identity.json").read_bytes())
        self._system = await connect(identity["url"], system, name="figures", certificate=identity.get("certificate"))
        given = {
            "url": identity["url"],
            "certificate": identity.get("certificate"),
            "law": str(law),
            "law_read": msgspec.to_builtins(self.session.law_read),
            "managed": msgspec.to_builtins(await self._managed()),
        }
        await asyncio.gather(
            *(host.start({**given, "agents": {name: pairs[name].seed for name in host.names}}) for host in self.hosts)
        )
        await self.said({"synced 1": len(self.names)})

    async def _managed(self) -> list[Entity]:
        """What the baseline says of the one target that they have."""
        agreed = self.session.fleet.law.baseline
        assert agreed is not None
        commons, _ = await Library(self.session).whole(agreed)
        return [one for key, one in commons.entities.items() if target_of(key) == TARGET]

    async def _admit(self, pairs: dict[str, KeyPair]) -> None:
        now = self.session.now()
        for name, pair in pairs.items():
            await self.session.say(
                Member(
                    agent=self.session.name, timestamp=now, revision=1, expires=now + LIFETIME,
                    machine=name, key=pair.public, may_orchestrate=False,
                )
            )  # fmt: skip


def _cpu(pid: int) -> float:
    """Processor seconds of a process, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _rss(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS"))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _child(pid: int, name: str) -> int:
    return next(one for one in _family(pid) if name in Path(f"/proc/{one}/cmdline").read_text())
