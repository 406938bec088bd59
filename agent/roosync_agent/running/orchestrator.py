"""The orchestrator's role: held by lease, by any machine that may, and carried on from the records alone.

It proposes a first baseline as soon as two complete packages are there, moves cycles and rollouts, and keeps the
exported views fresh. It decides nothing: a proposal waits for a person, and whoever publishes it is an operator.

Holding the role, working in it, asking who is there and writing the exports are tasks of their own, so a long turn
does not lose the lease, and exports delay no checkpoint. Whoever wins the role takes a turn at once, whatever woke it
or did not; what it can do only as the leader asks for `token` at that moment.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from roosync_agent.collecting.reference import NothingToCompareError
from roosync_agent.operations.baseline import baselines
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.reports.views import write_views
from roosync_agent.running import approvals, owed
from roosync_broker.errors import BusError
from roosync_broker.leases import Lease
from roosync_protocol.package import HostilePackageError
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.orchestrator")

ROLE = "orchestrator"
SETTLE = 0.3  # seconds: a burst of facts makes one turn
SOON = 0.03  # the same while a cycle or a rollout runs: somebody waits for each step
REST = 10  # times as long as writing the exports took: so long until they are written again
AGAIN = 2.0  # seconds after a turn that the bus interrupted
LATER = 10.0  # seconds after one that failed in an unexpected way


class Orchestrator:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._lease = Lease(machine.session.link, machine.session.subjects.fleet, ROLE, machine.name)
        self._wake = asyncio.Event()  # there may be something to do
        self._hurry = asyncio.Event()  # while a burst of facts is let settle: somebody waits for the turn after it
        self._settling = False
        self._news = asyncio.Event()  # the law, or the bus, may be another: is the role for us now?
        self._led = asyncio.Event()  # the role was won, or renewed
        self._made_up = 0  # the lease under which it was looked at what the leader before left unsaid
        self._changed = asyncio.Event()  # what the exports show may be another
        self._learn = True  # the connection is new, and the broker may have another time-to-live

    @property
    def leads(self) -> bool:
        return self._lease.held and self._may

    @property
    def token(self) -> int:
        """Of the lease that is held at this moment; 0 while none is."""
        return self._lease.token if self.leads else 0

    @property
    def _may(self) -> bool:
        return self._machine.session.reachable and self._machine.fleet.law.may_orchestrate(self._machine.name)

    def wake(self) -> None:
        self._wake.set()
        self._news.set()
        if self._settling and self._awaited:
            self._hurry.set()

    async def run(self) -> None:
        """Holds the role while it can, and takes a turn when something changed. Never ends by itself."""
        self._machine.session.link.on_connected(self._connected)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hold(), name="lease")
            tasks.create_task(self._work(), name="leading")
            tasks.create_task(self._show(), name="exports")
            tasks.create_task(self._machine.rollouts.call(lambda: self.token, self.wake), name="asking")

    def _connected(self) -> None:
        self._learn = True
        self._machine.rollouts.connected()
        self._news.set()

    async def _hold(self) -> None:
        while True:
            self._news.clear()
            pause: float | None = None  # until the law, or the bus when it is back, wakes us
            if self._may:
                try:
                    await self._keep()
                    pause = self._lease.pause
                except BusError as error:
                    log.info("the lease was not reached: %s", error)
                    pause = min(1.0, self._lease.pause)
                except Exception:
                    log.exception("the lease failed in an unexpected way; it is tried again")
                    pause = self._lease.pause
            await (self._news.wait() if pause is None else asyncio.sleep(pause))

    async def _keep(self) -> None:
        lease = self._lease
        if self._learn:
            await lease.learn()
            self._learn = False
        led, token = lease.held, lease.token
        if not await (lease.renew() if led else lease.acquire()):
            return
        if not led or lease.token != token:
            log.info("%s leads from now on (lease %d)", self._machine.name, lease.token)
            self._wake.set()
        self._led.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            await self._settle()
            if not self.leads:
                self._led.clear()
                await self._led.wait()
                continue
            self._wake.clear()
            try:
                await self.turn()
            except BusError as error:
                log.info("the orchestrator's turn was not finished: %s", error)
                asyncio.get_running_loop().call_later(AGAIN, self.wake)
            except Exception:
                log.exception("the orchestrator's turn failed in an unexpected way; it goes on")
                asyncio.get_running_loop().call_later(LATER, self.wake)  # the time of a cycle goes on, facts or not

    async def _settle(self) -> None:
        """Lets a burst of facts make one turn; not for long when somebody waits, also from the middle of it on."""
        if not self._awaited:
            self._hurry.clear()
            self._settling = True
            try:
                async with asyncio.timeout(SETTLE):
                    await self._hurry.wait()
            except TimeoutError:
                return
            finally:
                self._settling = False
        await asyncio.sleep(SOON)

    @property
    def _awaited(self) -> bool:
        """Does anybody wait for the next step of a cycle, or of a rollout that is begun or about to be?"""
        return bool(self._machine.cycles.running or self._machine.rollouts.open)

    async def turn(self) -> None:
        machine = self._machine
        fleet = machine.fleet
        await machine.following.widen()
        await machine.cycles.lead(lambda: self.token, self._newest)
        await machine.rollouts.lead(lambda: self.token, self._newest)
        if not (token := self.token):
            return  # lost meanwhile: what is left is for who holds it now
        if self._made_up != token:
            await owed.make_up(machine)
            self._made_up = token
        await approvals.follow(machine, self.wake)
        machine.cycles.alarm_clock(self.wake)
        machine.rollouts.alarm_clock(self.wake)
        complete = [name for name, package in fleet.packages().items() if package.complete]
        if fleet.law.baseline is None and len(complete) >= 2:
            try:
                await baselines.propose(machine)
            except (RefusedRequestError, NothingToCompareError, HostilePackageError) as error:
                log.info("no proposal yet: %s", scrub(str(error)))
        self._changed.set()

    async def _show(self) -> None:
        """The exported views, beside the turns: nobody waits for them at a checkpoint, and they rest between two."""
        loop = asyncio.get_running_loop()
        while True:
            await self._changed.wait()
            self._changed.clear()
            began = loop.time()
            try:
                await self._write()
            except (BusError, OSError) as error:
                log.info("the exports were not brought up to date: %s", error)
            except Exception:
                log.exception("the exports failed in an unexpected way; it goes on")
            await asyncio.sleep(REST * (loop.time() - began))

    async def _write(self) -> None:
        machine = self._machine
        folder, now, present = machine.settings.export_folder, machine.session.now(), await machine.present()
        await write_views(machine.fleet, machine.name, folder, machine.library, now, present)

    async def _newest(self) -> int:
        """The token of our lease as the broker knows it; 0 when it is another's, or nobody's."""
        holder = await self._lease.holder()
        return holder.token if holder is not None and holder.owner == self._machine.name else 0

    async def release(self) -> None:
        """Gives the role back, so that the next machine need not wait for the lease to expire."""
        await self._lease.release()
