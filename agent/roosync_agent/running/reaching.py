"""How every face reaches this machine: its resident agent over the control socket, or the same work done here.

The command line and the MCP server ask in the same way, so they give the same answers. What asks imports little;
the work itself is imported only where no agent runs.
"""

import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from roosync_agent.running import control

if TYPE_CHECKING:
    from roosync_agent.settings import Settings

OLDER = ("this agent knows no ", "this agent can not show what ")  # how one begins its answer to what came after it
OTHER_VERSION = (
    "the agent of this machine is of an older version than this command, which it does not know: end `roosync up` on "
    "this machine, start it again, then repeat the command"
)
ANSWER_WITHIN = 300.0  # seconds; an apply with a slow check may take long
_one_at_a_time = threading.Lock()  # of the questions of this process that no agent answers: each takes its place


class WithdrawnError(Exception):
    """Nobody waits for the answer any more: it was cancelled."""


class Withdrawal:
    """Lets another thread give up a question that waits for its answer: the connection is cut."""

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self.withdrawn = False

    def hold(self, connection: socket.socket) -> None:
        self._connection = connection
        if self.withdrawn:
            self.withdraw()

    def withdraw(self) -> None:
        self.withdrawn = True
        if self._connection is not None:
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed already: it was answered

    def require(self) -> None:
        if self.withdrawn:
            raise WithdrawnError


def answer_of(
    settings: "Settings",
    verb: str,
    args: dict[str, Any],
    *,
    withdrawal: Withdrawal | None = None,
    alone: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """`{"result": ...}` or `{"error": {"kind", "message"}}`, within `ANSWER_WITHIN` seconds; TimeoutError otherwise.

    From the resident agent, from one that is on its way, or worked out here; `alone` is called in that last case.
    Raises what `machine_session` does, and WithdrawnError.
    """
    given_up = withdrawal or Withdrawal()

    def asked() -> dict[str, Any]:
        given_up.require()
        return control.ask(settings.state, verb, args, timeout=ANSWER_WITHIN, opened=given_up.hold)

    try:
        return _of_this_version(asked())
    except control.NobodyThereError:
        given_up.require()
    from roosync_agent.running.on_its_way import asked_patiently
    from roosync_agent.state import State

    answer = asked_patiently(State(settings.state), asked)
    if answer is not None:
        return _of_this_version(answer)
    import asyncio

    with _one_at_a_time:
        given_up.require()
        answer = asyncio.run(_here(settings, verb, args))
    alone()
    return answer


def _of_this_version(answer: dict[str, Any]) -> dict[str, Any]:
    """With what to do next, when the agent that runs was not restarted after `pip install --upgrade`."""
    error = answer.get("error") or {}
    if str(error.get("message", "")).startswith(OLDER):
        return {"error": error | {"message": OTHER_VERSION}}
    return answer


def finish(seconds: float) -> None:
    """Waits until what this process works out itself is done, and lets nothing of it begin any more."""
    _one_at_a_time.acquire(timeout=seconds)


async def _here(settings: "Settings", verb: str, args: dict[str, Any]) -> dict[str, Any]:
    from roosync_agent.operations.served import answer

    async with machine_session(settings) as machine:
        return await answer(machine, verb, args)


def seen_by_itself(settings: "Settings", verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """As `answer_of`, worked out in this process from what is signed, whether an agent runs or not.

    For who signs what they are shown: another program of this account can stand where the agent's socket was.
    """
    import asyncio

    async def work() -> dict[str, Any]:
        from roosync_agent.operations.served import answer

        async with beside(settings) as machine:
            return await answer(machine, verb, args)

    with _one_at_a_time:
        return asyncio.run(work())


@asynccontextmanager
async def beside(settings: "Settings", *, patience: float = 5.0, reading: float = 60.0) -> AsyncIterator[Any]:
    """A machine that looks for itself beside an agent that may run: it takes no lock, and recovers and writes nothing.

    `patience`: seconds for the broker to answer; `reading`: seconds in which it gives the whole view.
    """
    import asyncio

    from roosync_agent.connect import as_machine
    from roosync_agent.running.machine import Machine
    from roosync_agent.state import State

    state = State(settings.state)
    session = await as_machine(settings, state, timeout=patience)
    try:
        async with asyncio.timeout(reading):
            await session.refresh()
        machine = Machine(settings, state, session)
        machine.local.public_names = frozenset(machine.fleet.law.policy.public_names)
        machine.looked = await asyncio.to_thread(machine.local.look)
        yield machine
    finally:
        await session.close()


@asynccontextmanager
async def machine_session(settings: "Settings") -> AsyncIterator[Any]:
    """A machine made for one command, when no agent runs on its state folder."""
    from roosync_agent.applying.recovery import recover_at_start
    from roosync_agent.connect import as_machine
    from roosync_agent.running.machine import Machine
    from roosync_agent.state import State, StateError
    from roosync_broker.children import OneAtATime

    state = State(settings.state)
    lock = OneAtATime(state.run / "agent.lock")
    session = await as_machine(settings, state)
    try:
        if not lock.acquire():
            raise StateError(f"the agent on {state.folder} runs and does not answer; look at it, or stop it")
        machine = Machine(settings, state, session)
        await session.refresh()
        recover_at_start(machine)
        await machine.look()
        yield machine
    finally:
        lock.release()
        await session.close()
