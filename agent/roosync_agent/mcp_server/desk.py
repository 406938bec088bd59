"""How a tool asks this machine, as the command line does: its resident agent, or worked out here when none runs.

A question waits in a thread of its own, so the server goes on answering; who cancels a call frees it. So many at once
are asked, and so many more wait; whoever comes beyond that is told so at once.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
import msgspec

from roosync_agent.characters import harmless
from roosync_agent.mcp_server.plain import TEXT
from roosync_agent.running.reaching import Withdrawal, answer_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from roosync_agent.settings import Settings

S = TypeVar("S")
T = TypeVar("T")

AT_ONCE = 8  # questions of one server that the agent is asked at the same time
PEOPLE = 8  # questions to a person that wait at the same time: they do not hold up the others
WAITING = 64  # calls that are inside, those included
TELL_EVERY = 2.0  # seconds between two signs of progress


class ToolFault(Exception):
    """What an assistant is told instead of an answer: the kind, what happened, what to do next."""

    def __init__(self, kind: str, message: str, following: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.following = following


class Office:
    """What all calls of one server share."""

    def __init__(self, load: "Callable[[], Settings] | None" = None) -> None:
        self._load = load
        self._limiters: dict[bool, anyio.CapacityLimiter] = {}
        self._inside = 0

    def settings(self) -> "Settings":
        """Those in force now."""
        if self._load is None:
            from roosync_agent.settings import load

            self._load = load
        return self._load()

    def enter(self) -> None:
        """One call more; ToolFault when there are too many."""
        if self._inside >= WAITING:
            raise ToolFault(
                "busy", f"{self._inside} calls are being answered at this moment", "call again when some are answered"
            )
        self._inside += 1

    def leave(self) -> None:
        self._inside -= 1

    async def in_thread(self, work: Callable[[], T], give_up: Callable[[], None], *, person: bool = False) -> T:
        """`work` in a thread; `give_up` is called when nobody waits for it any more, and has to end it soon."""
        most = PEOPLE if person else AT_ONCE
        limiter = self._limiters.setdefault(person, anyio.CapacityLimiter(most))
        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        except BaseException:
            give_up()
            raise


class Desk:
    """One call of a tool: what it asks, what it tells meanwhile, and what goes with its answer."""

    def __init__(self, office: Office, context: "Context | None" = None) -> None:
        self.office = office
        self._context = context
        self.notes: list[str] = []  # what a reader of the answer should know: it is of before, it was cut
        self.next: list[str] = []  # what to do now: tools to call, or commands for the person
        self.room = TEXT  # characters of one text of the answer

    async def ask(self, verb: str, **args: Any) -> Any:
        """The agent's answer as JSON builtins. ToolFault when there is none."""
        withdrawal = Withdrawal()
        work = partial(answer_of, self.office.settings(), verb, args, withdrawal=withdrawal, alone=self._alone)
        answer = await self.patiently(work, withdrawal.withdraw, f"{verb.replace('_', ' ')}: still at it")
        if "error" in answer:
            raise ToolFault(answer["error"].get("kind", "internal"), answer["error"].get("message", "unknown"))
        if answer.get("away"):
            self.note("the broker does not answer: this is what was heard before it went away")
        return answer["result"]

    async def read(self, type_: type[S], verb: str, **args: Any) -> S:
        """The agent's answer as `type_`."""
        return typed(type_, await self.ask(verb, **args))

    @property
    def asker(self) -> str:
        """Which assistant this is, as it calls itself: a claim."""
        params = self._context.session.client_params if self._context is not None else None
        name = f"{params.client_info.name} {params.client_info.version}".strip() if params else "an assistant"
        return harmless(name)[:80] + " (MCP)"

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    async def patiently(
        self, work: Callable[[], T], give_up: Callable[[], None], says: str, *, person: bool = False
    ) -> T:
        """`work` in a thread, with a sign of progress every `TELL_EVERY` seconds while it lasts."""
        found: list[T] = []
        wrong: list[Exception] = []
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell, says)
            try:
                found.append(await self.office.in_thread(work, give_up, person=person))
            except Exception as error:  # noqa: BLE001 - raised below, and not as a group of one
                wrong.append(error)
            group.cancel_scope.cancel()
        if wrong:
            raise wrong[0]
        return found[0]

    async def _tell(self, says: str) -> None:
        began = anyio.current_time()
        while self._context is not None:
            await anyio.sleep(TELL_EVERY)
            try:
                await self._context.report_progress(anyio.current_time() - began, None, says)
            except Exception:  # noqa: BLE001 - who hears no progress is told the answer all the same
                return

    def _alone(self) -> None:
        self.note("no agent runs here, so nothing is watched or applied: a person starts it with `roosync up`")


def typed(type_: type[S], answer: Any) -> S:
    """ToolFault when the answer is not of that form: the agent is of another version."""
    try:
        return msgspec.convert(answer, type_, strict=False)
    except msgspec.ValidationError as error:
        raise ToolFault(
            "version", f"the answer of the agent is not understood ({error})", "restart `roosync up` after an update"
        ) from error


def kind_of(error: Exception) -> str | None:
    """Whose fault an error is; None: ours."""
    from roosync_agent.operations.faults import fault_of  # it knows the errors of every part, and so imports them

    return "timeout" if isinstance(error, TimeoutError) else fault_of(error)
