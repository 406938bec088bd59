"""The people: one operator with a real session, who looks now and then, and answers what was asked.

What a person signs goes through `operations.deciding`, `cycling`, `promoting` and `lawmaking`, as from the command
line.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from roosync_agent.collecting.reference import Library, NothingToCompareError
from roosync_agent.operations.baseline import promoting
from roosync_agent.operations.coordination import cycling
from roosync_agent.operations.coordination import requests as asking
from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.decisions.seen import seen
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_broker.errors import BusError
from roosync_protocol.baseline import Commons
from roosync_protocol.cycle import ENDED
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, Policy
from roosync_protocol.package import HostilePackageError
from roosync_protocol.subjects import Subjects
from simulation import rolling
from simulation.loop import in_life
from simulation.node import FLEET, NAMES, SimFleet, SimSession, entity

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine
    from simulation.world import World

OPERATOR = "op-ann"
AGAIN = ("rolled_back", "rollback_failed", "overwritten")
REFUSALS = (RefusedRequestError, BusError, NothingToCompareError, HostilePackageError)
AUTOMATIC = {"none": "automatic", "low": "automatic", "medium": "one", "high": "one", "critical": "one"}


class Person:
    def __init__(self, world: "World") -> None:
        self.world, self.rng = world, world.rng
        keys = world.key(OPERATOR)
        fleet = SimFleet(Law(fleet=FLEET, root=keys.public), world.verify, world.oracle.listener(None))
        self.session = SimSession(world.net.link(OPERATOR), Subjects(FLEET), keys, OPERATOR, fleet)
        self.session.now = lambda: world.now(0.0)
        self.session.read = lambda fleet: world.oracle.has_read(OPERATOR, fleet)
        self.session.contents._now = self.session.now
        self._watch_contents()
        self.law_is_older = False  # the broker came up with an older law, and nobody has signed again yet

    def _watch_contents(self) -> None:
        put = self.session.contents.put

        async def watched(data: bytes) -> str:
            self.world.oracle.agreed.put(data)
            return await put(data)

        self.session.contents.put = watched  # type: ignore[method-assign]

    async def found(self) -> None:
        """The first law: everybody is a member, and there is a baseline."""
        names = list(self.world.nodes)
        await lawmaking.found(self.session, names[0], self.world.key(names[0]).public, None)
        for name in names[1:]:
            await lawmaking.admit(self.session, name, self.world.key(name).public)
        await lawmaking.admit(self.session, "mallory", self.world.key("mallory").public, may_orchestrate=False)
        await lawmaking.revoke(self.session, "mallory")
        await self.set_policy()
        await self.publish()

    async def set_policy(self) -> None:
        answers = AUTOMATIC if self.rng.random() < 0.5 else {}
        wanted = Policy(agent=OPERATOR, timestamp=self.session.now(), revision=1, answers={**answers})  # type: ignore[dict-item]
        await lawmaking.enact(self.session, lambda: wanted)

    async def publish(self) -> None:
        values = {name: f"v{self.rng.randrange(3)}" for name in NAMES if self.rng.random() < 0.8}
        values = values or {NAMES[0]: "v0"}
        entities = {one.key: one for one in (entity(name, value) for name, value in values.items())}
        follows, library = promoting.in_force(self.session), Library(self.session)
        await promoting.revise(self.session, library, Commons(entities=entities), {}, None, "", follows=follows)

    async def live(self) -> None:
        while True:
            calm = self.world.calm
            await asyncio.sleep(self.rng.uniform(0.5, 2.0) if calm else self.rng.expovariate(1 / 6))
            with contextlib.suppress(*REFUSALS):
                await self.session.refresh()
                await self.look(all_of_it=calm)

    async def sign_again(self) -> None:
        """What the broker lost of the law: the operator's machine knows it, and signs it as the next revision."""
        await lawmaking.renew(self.session, always=True)
        await self.set_policy()
        await self.publish()
        self.law_is_older = False

    async def look(self, *, all_of_it: bool) -> None:
        rng = self.rng
        if all_of_it and self.law_is_older:
            await self.sign_again()
        if all_of_it and self.session.fleet.law.policy.paused:
            await lawmaking.resume(self.session, None)
        for decision in list(self.session.fleet.decisions()):
            if decision.status not in ("pending", *AGAIN) or not (all_of_it or rng.random() < 0.5):
                continue
            with contextlib.suppress(*REFUSALS):
                await self.answer(decision)
        with contextlib.suppress(*REFUSALS):
            await rolling.look(self.session, rng, all_of_it=all_of_it)
        for cycle in self.session.fleet.cycles():
            if cycle.status in ENDED:
                continue
            with contextlib.suppress(*REFUSALS):
                alone = len(cycle.participants) - len(cycle.excused) < 2 and cycle.checkpoint == "collected"
                if alone:  # no baseline is made from one package
                    await cycling.abort(self.session, cycle.id)
                elif cycle.status == "waiting" and (all_of_it or rng.random() < 0.4):
                    await cycling.resume(self.session, cycle.id)
                elif not all_of_it and rng.random() < 0.01:
                    await cycling.abort(self.session, cycle.id)
                elif not all_of_it and rng.random() < 0.02:
                    left = [m for m in cycle.participants if m not in cycle.excused]
                    await cycling.excuse(self.session, cycle.id, rng.choice(left), "away")

    async def answer(self, decision: Decision) -> None:
        """Yes, no, or: what this machine has is right, for everybody or for it alone."""
        way = self.rng.random()
        if way < 0.65:
            await deciding.approve(self.session, decision)
        elif way < 0.85:
            await deciding.reject(self.session, decision)
        else:
            action = "override_remote" if way < 0.93 else "keep_special"
            await promoting.promote(self.session, decision, action, expected=seen(decision))
            self.world.count[action] += 1

    async def ask_for_a_rollback(self) -> None:
        applied = [d for d in self.session.fleet.decisions() if d.status == "applied" and d.snapshot]
        if applied:
            await deciding.request_rollback(self.session, self.rng.choice(applied))

    async def start_rollout(self) -> None:
        with contextlib.suppress(*REFUSALS):
            await rolling.start(self.session, self.rng)

    async def pause(self) -> None:
        paused = self.session.fleet.law.policy.paused
        await (lawmaking.resume if paused else lawmaking.pause)(self.session, None)

    def start_cycle(self) -> None:
        route = "deployment" if self.rng.random() < 0.3 else "coordination"
        timeout = self.rng.choice((0.3, 1.0, 5.0))
        self._on_a_machine(lambda machine: cycling.start(machine, route, timeout=timeout))

    def ask_a_machine(self) -> None:
        """Something that it does with its own rights; it may be away, and its time may be over when it is back."""
        to = self.rng.choice(list(self.world.nodes))
        action, timeout = self.rng.choice(("report", "compare", "verify")), self.rng.choice((0.2, 1.0, 60.0))
        self._on_a_machine(lambda machine: asking.ask(machine, to, "verification", action, timeout=timeout))

    def _on_a_machine(self, command: Callable[["Machine"], Awaitable[object]]) -> None:
        """On one of the machines, as from its command line; the machine may crash meanwhile."""
        ready = [node for node in self.world.nodes.values() if node.ready]
        if not ready:
            return
        node = self.rng.choice(ready)
        machine, life = node.machine, node.life
        assert machine is not None
        assert life is not None

        async def ask() -> None:
            with contextlib.suppress(*REFUSALS):
                await command(machine)

        in_life(life, lambda: self.world.loop.create_task(ask()))
