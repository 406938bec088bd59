"""Tools for the rest of what only a person signs: founding a fleet, and the rarer commands, one row each.

The words of a command are made here out of checked arguments, so an argument can be no option, and none of these
is `--yes`. `roosync unlock` checks them again, by a table of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import structs
from pydantic import Field

from roosync_agent.mcp_server.asking import NEXT, Signing, ask_person, unasked
from roosync_agent.mcp_server.desk import Desk, ToolFault
from roosync_agent.mcp_server.parameters import Choosing, Id, Line, Machine, Version, Wait
from roosync_agent.mcp_server.standing import LOOKS
from roosync_agent.mcp_server.tool import ASKS, READS, Row

What = Literal[
    "resume", "pause", "set_policy", "revoke", "renew", "label", "restore_baseline", "resume_rollout", "stop_rollout",
    "require_update", "resume_update", "withdraw_update", "excuse_from_cycle", "resume_cycle", "abort_cycle",
    "request_done", "refuse_request", "invite",
]  # fmt: skip
Settings = Annotated[
    list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(=[A-Za-z0-9._-]{1,63}|-)$")]],
    Field(max_length=20, description="set_policy: medium=automatic|one|two; label: role=dev, or role- to take it away"),
]


@dataclass(frozen=True)
class Way:
    """A command: its words, the argument that it must have, those that it may have, and the option of each."""

    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


OPTION_OF = {"reason": "--reason", "note": "--note", "cycle": "--cycle"}  # an argument without one stands alone
WAYS: dict[str, Way] = {
    "resume": Way(("resume",), may=("machine",)),
    "pause": Way(("pause",), ("machine",)),
    "set_policy": Way(("policy", "set"), ("settings",)),
    "revoke": Way(("revoke",), ("machine",)),
    "renew": Way(("renew",)),
    "label": Way(("label",), ("on", "settings")),
    "restore_baseline": Way(("baseline", "restore"), ("version",)),
    "resume_rollout": Way(("rollout", "resume"), may=("id",)),
    "stop_rollout": Way(("rollout", "stop"), may=("id", "reason")),
    "require_update": Way(("update", "require"), ("version",), ("note",)),
    "resume_update": Way(("update", "resume"), may=("id",)),
    "withdraw_update": Way(("update", "withdraw"), may=("reason",)),
    "excuse_from_cycle": Way(("cycle", "excuse"), ("machine",), ("reason",)),
    "resume_cycle": Way(("cycle", "resume"), may=("id",)),
    "abort_cycle": Way(("cycle", "abort"), may=("id", "reason")),
    "request_done": Way(("request", "done"), ("id",), ("note",)),
    "refuse_request": Way(("request", "refuse"), ("id",), ("note",)),
    "invite": Way(("invite",), may=("machine",)),
}
ABOUT_ONE = {"resume": "resume", "pause": "pause", "excuse_from_cycle": "cycle_excuse"}  # their previews
NOT_ASKED = {"invite": "it prints a code, which is for the person alone"}


async def init(desk: Desk) -> Signing:
    """Founding needs a passphrase, and so a person; what is founded already is told."""
    from roosync_agent.state import State

    identity = State(desk.office.settings().state).identity()
    if identity is None:
        desk.next.append(
            "tell the person to run `command` in a terminal (or `roosync join CODE`); then roosync_get_status"
        )
        return unasked(desk, "needs_person", ["init"], "this machine is in no fleet yet")
    desk.next.append("roosync_get_status")
    return unasked(desk, "done", ["init"], "founded", identity.fleet)


async def ask_operator(
    desk: Desk, what: What, machine: Machine | None = None, id: Id | None = None,  # noqa: A002
    version: Version | None = None, on: Choosing | None = None, settings: Settings | None = None,
    reason: Line = "", wait_seconds: Wait = 45,
) -> Signing:  # fmt: skip
    given = {
        "machine": machine, "id": id, "version": version, "on": on, "settings": settings, "reason": reason,
    }  # fmt: skip
    taken = {name: value for name, value in given.items() if value}
    words = words_of(what, taken)
    if what in NOT_ASKED:
        desk.next.append(NEXT["needs_person"])
        return unasked(desk, "needs_person", words, NOT_ASKED[what])
    look = LOOKS.get(what)
    is_so, state = await look(desk, taken) if look else (False, "")
    if is_so:
        return unasked(desk, "done", words, "it is so already", state)
    if (deed := ABOUT_ONE.get(what)) and "machine" in taken:
        await desk.ask("preview", deed=deed, given={"name": taken["machine"]})  # a name that nobody has is told now
    done = await ask_person(desk, words, wait_seconds, state=state)
    if look and done.outcome not in ("prepared", "needs_person"):
        done = structs.replace(done, state=(await look(desk, taken))[1])
    return done


def words_of(what: str, given: Mapping[str, str | Sequence[str]]) -> list[str]:
    """The words of a command; ToolFault when an argument is missing, or is none of it."""
    way = WAYS[what]
    if "reason" in given and "note" in way.may:
        given = {("note" if name == "reason" else name): value for name, value in given.items()}
    lacks = [name for name in way.needs if name not in given]
    other = [name for name in given if name not in (*way.needs, *way.may)]
    if lacks or other:
        told = f"needs {', '.join(lacks)}" if lacks else f"takes no {', '.join(other)}"
        raise ToolFault("arguments", f"{what} {told}", f"it takes {', '.join((*way.needs, *way.may)) or 'nothing'}")
    words = [*way.words]
    alone: list[str] = []
    for name in (*way.may, *way.needs):
        value = given.get(name)
        if value is None:
            continue
        values = [value] if isinstance(value, str) else [*value]
        option = "--machine" if what == "invite" else OPTION_OF.get(name)
        if option:
            words += [option, *values]
        else:
            alone += values
    return [*words, *alone]


ROWS = (
    Row("roosync_init", init, "Found a fleet", READS,
        "Is this machine in a fleet? If not, what the person runs to found or join one. Safe to call."),
    Row("roosync_ask_operator", ask_operator, "Ask the operator", ASKS,
        "Asks the person to sign one of the rarer commands: pause or resume a machine, policy, labels, revoke, "
        "restore a baseline, resume or stop a rollout, update or cycle, answer a request. `reason` is a line for "
        "the others."),
)  # fmt: skip
