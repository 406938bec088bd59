"""Planted bugs: what a wrong version of the product would do. The oracle has to find each within some hundred seeds.

They replace functions of the product, one mistake each, and stay as tests of the simulation itself.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from msgspec.structs import replace

from roosync_agent.applying import applier
from roosync_agent.operations.baseline import promoting
from roosync_agent.running import requests, rollouts
from roosync_protocol import decision, fleet
from roosync_protocol.cycle import leading, record
from roosync_protocol.law import Law
from roosync_protocol.messages import Arrival, Cycle, Decision
from roosync_protocol.rollout import leading as rollout_leading
from roosync_protocol.rollout import record as rollout_record
from roosync_protocol.rollout import standing

Patch = tuple[Any, str, Any]


def no_fencing() -> Iterator[Patch]:
    """Whoever once held the lease goes on: no token is asked for, and no sequence is compared."""
    acted = leading.next_state
    step_fault = record._step_fault

    def next_state(cycle: Cycle, view: Any, now: Any) -> Cycle | None:
        return acted(replace(cycle, token=0), view, now)

    def no_token(before: Cycle, new: Cycle, by: Any) -> str | None:
        return step_fault(replace(before, token=0), replace(new, token=0), by)

    from roosync_agent.running import cycles
    from roosync_broker.leases import Lease

    yield cycles, "next_state", next_state
    yield record, "_step_fault", no_token
    yield Lease, "held", property(lambda self: self.token > 0)
    yield Lease, "renew", _always


def no_claim() -> Iterator[Patch]:
    """The change is written without claiming it first."""
    move = applier.Applier._move

    async def moved(self: Any, made: Decision, status: str, **changes: Any) -> Decision | None:
        return made if status == "applying" else await move(self, made, status, **changes)

    yield applier.Applier, "_move", moved


async def _always(self: Any) -> bool:
    return True


def no_approval() -> Iterator[Patch]:
    """What is pending is claimed and applied at once."""
    yield applier, "applicable", lambda *args, **more: None
    run = applier.Applier.run

    async def all_of_them(self: Any, reference: Any) -> bool:
        for one in list(self._machine.own_decisions().values()):
            if one.status == "pending":
                return bool(await self._apply(one, reference))
        return bool(await run(self, reference))

    yield applier.Applier, "run", all_of_them


def last_message() -> Iterator[Patch]:
    """The last message of a record is believed, whoever said it and whatever came before."""

    def no_reason(*_: Any, **__: Any) -> None:
        return None

    yield decision, "judge", no_reason
    yield record, "judge", no_reason


def any_round() -> Iterator[Patch]:
    """An arrival counts whatever its round: after a return nobody is waited for again."""

    def counted(cycle: Cycle, view: Any) -> dict[str, Any]:
        return {m: a for m, a in view.arrivals.items() if m in cycle.participants and a.checkpoint == cycle.checkpoint}

    yield leading, "counted", counted


def forgets_attempts() -> Iterator[Patch]:
    """The journal of ended attempts is not kept: an approval that the bus still shows is used again."""

    def forget(self: Any, made: Decision) -> None:
        self.ended.clear()

    yield applier.Applier, "_end", forget


def older_law() -> Iterator[Patch]:
    """Whatever law arrives last is taken, also an older one."""
    admit = Law.admit

    def last(self: Law, heard: Any) -> Law:
        message = heard.message
        if type(message).__name__ == "Baseline" and self.operator_key(heard.speaker) == heard.signer:
            return replace(self, baseline=message)
        return admit(self, heard)

    yield Law, "admit", last


def goes_on_alone() -> Iterator[Patch]:
    """A checkpoint is passed when most machines are there."""
    missing = leading.missing
    yield leading, "missing", lambda cycle, view: missing(cycle, view)[1:]


def last_one_wins() -> Iterator[Patch]:
    """An answer becomes law whatever became law since it was made."""
    revise = promoting.revise

    async def anyway(*args: Any, follows: int, **more: Any) -> Any:
        return await revise(*args, follows=mock.ANY, **more)

    yield promoting, "revise", anyway


def no_journal() -> Iterator[Patch]:
    """A machine does not write down which requests it has done."""
    note = requests.Requests._note

    def forget(self: Any, request: Any, done: Any) -> None:
        note(self, request, done)
        del self._journal[request.id]

    yield requests.Requests, "_note", forget


def any_signer() -> Iterator[Patch]:
    """A report counts whoever signed it."""
    genuine = Law.genuine
    hear = fleet.Fleet._hear_arrival

    def believed(self: Law, heard: Any) -> bool:
        return isinstance(heard.message, Arrival) or genuine(self, heard)

    def heard_by(self: Any, heard: Any, arrival: Arrival) -> None:
        hear(self, replace(heard, signer=self.law.ever_key(heard.speaker) or heard.signer), arrival)

    yield Law, "genuine", believed
    yield fleet.Fleet, "_hear_arrival", heard_by


def no_gate() -> Iterator[Patch]:
    """What is approved for a rollout is applied at once, whatever wave its machine is in."""
    yield rollouts.Rollouts, "closed", lambda self, made: None


def no_halt() -> Iterator[Patch]:
    """Waves are opened however many machines failed, and everybody believes it."""
    for place in (rollout_leading, rollout_record):
        yield place, "too_many", lambda *_: ()


def ends_unseen() -> Iterator[Patch]:
    """Whoever has an approved change counts as done."""
    yield standing, "DECISIONS", {**standing.DECISIONS, "approved": ("changed", "")}


BUGS: dict[str, Callable[[], Iterator[Patch]]] = {
    one.__name__: one
    for one in (
        no_fencing,
        no_claim,
        no_approval,
        last_message,
        any_round,
        forgets_attempts,
        older_law,
        goes_on_alone,
        last_one_wins,
        no_journal,
        any_signer,
        no_gate,
        no_halt,
        ends_unseen,
    )
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for place, what, wrong in BUGS[name]():
            stack.enter_context(mock.patch.object(place, what, wrong))
        yield
