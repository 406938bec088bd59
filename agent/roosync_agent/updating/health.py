"""How an agent on trial is: what it answers to whoever started it, over the control socket.

Every later version answers this verb with these fields: the supervisor that asks is of the version before.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_protocol import __version__

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine


class Health(Struct, frozen=True, kw_only=True):
    version: str
    campaign: str  # that its journal tells of
    connected: bool
    turns: int  # that it took to their end since it began


async def health(machine: "Machine") -> Health:
    updating = machine.updating
    journal = updating.journal()
    known = journal.campaign if journal is not None else ""
    return Health(version=__version__, campaign=known, connected=machine.session.reachable, turns=updating.turns)
