"""The machines one by one: how each stands, its labels, and what it says of itself, by which it can be chosen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from roosync_agent.operations.machines.choosing import Chosen, chosen_among, known, parsed
from roosync_protocol.overview import MachineRow, machine_rows
from roosync_protocol.targeting.facts import LOCAL

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine


class MachineKnown(MachineRow, frozen=True, kw_only=True):
    labels: dict[str, str] = {}  # signed by an operator
    local: dict[str, str] = {}  # what its own settings call labels: its own word
    facts: dict[str, str] = {}  # by which it can be chosen; one that is not here is unknown
    has: list[str] = []
    has_known: bool = False  # did it ever say what it has?
    because: list[str] = []  # why it was chosen


class MachinesAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    machines: list[MachineKnown]
    chosen: Chosen


async def listed(
    machine: "Machine", on: str | Sequence[str] | None = None, limit: str = "", seed: str = ""
) -> MachinesAnswer:
    """Each machine that `on` means, all of them without it, with everything that it could be chosen by."""
    present = await machine.present()
    rows = machine_rows(machine.fleet, machine.name, present, machine.session.now())
    candidates = known(machine.fleet, rows)
    chosen = chosen_among(candidates, parsed(on, present), limit, seed)
    by_name = {row.machine: row for row in rows}
    found = [
        MachineKnown(
            **asdict(by_name[one.name]),
            labels=dict(one.labels),
            local={key.removeprefix(LOCAL): value for key, value in one.facts.items() if key.startswith(LOCAL)},
            facts={key: value for key, value in one.facts.items() if not key.startswith(LOCAL)},
            has=sorted(one.has or ()),
            has_known=one.has is not None,
            because=chosen.because[one.name],
        )
        for one in candidates
        if one.name in chosen.because
    ]
    return MachinesAnswer(agent=machine.name, machines=found, chosen=chosen)
