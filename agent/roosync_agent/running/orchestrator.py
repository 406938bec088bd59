"""The orchestrator's role: held by lease, by any machine that may, and carried on from the records alone.

It proposes a first baseline as soon as two complete packages are there, and keeps the exported views fresh.
It decides nothing: a proposal waits for a person, and whoever publishes it is an operator.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from roosync_agent.collecting.reference import NothingToCompareError
from roosync_agent.operations import baselines
from roosync_agent.operations.lawmaking import RefusedRequestError
from roosync_agent.operations.views import write_views
from roosync_agent.running import approvals
from roosync_broker.errors import BusError
from roosync_broker.leases import Lease
from roosync_protocol.package import HostilePackageError
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.orchestrator")

ROLE = "orchestrator"
SETTLE = 0.3  # seconds: a burst of facts makes one turn
SOON = 0.03  # the same while a cycle runs: somebody waits for each step


class Orchestrator:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._lease = Lease(machine.session.link, machine.session.subjects.fleet, ROLE, machine.name)
        self._wake = asyncio.Event()

    @property
    def leads(self) -> bool:
        return self._lease.held

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Holds the lease while it can, and takes a turn when something changed. Never ends by itself."""
        renew_every = self._lease.ttl / 3
        while True:
            may = self._machine.session.reachable and self._machine.fleet.law.may_orchestrate(self._machine.name)
            if not may:
                self._wake.clear()  # the law, or the bus when it is back, wakes us again
            try:
                if may:
                    held = await (self._lease.renew() if self._lease.held else self._lease.acquire())
                    if held and self._wake.is_set():
                        self._wake.clear()
                        await self.turn()
            except BusError as error:
                log.info("the orchestrator's turn was not finished: %s", error)
            except Exception:
                log.exception("the orchestrator's turn failed in an unexpected way; it goes on")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(renew_every):
                    await self._wake.wait()
                    await asyncio.sleep(SOON if self._machine.cycles.running else SETTLE)
                    if may and not self._lease.held:  # somebody else leads
                        await asyncio.sleep(renew_every)

    async def turn(self) -> None:
        machine = self._machine
        fleet = machine.fleet
        complete = [name for name, package in fleet.packages().items() if package.complete]
        if fleet.law.baseline is None and len(complete) >= 2:
            try:
                await baselines.propose(machine)
            except (RefusedRequestError, NothingToCompareError, HostilePackageError) as error:
                log.info("no proposal yet: %s", scrub(str(error)))
        await machine.cycles.lead(self._lease.token)
        await approvals.follow(machine, self.wake)
        machine.cycles.alarm_clock(self.wake)
        present = await machine.present()
        with contextlib.suppress(OSError):
            await write_views(
                fleet, machine.name, machine.settings.export_folder, machine.library, machine.session.now(), present
            )

    async def release(self) -> None:
        """Gives the role back, so that the next machine need not wait for the lease to expire."""
        await self._lease.release()
