"""The broker's streams against their bounds: what must not be forgotten is refused when there is no room for it."""

from typing import TYPE_CHECKING

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_broker import topology

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

NEARLY = 0.85  # of a stream's bound
REFUSED = 0.98


async def check(machine: "Machine") -> Seen:
    found = await topology.usage(machine.session.link, machine.session.subjects.fleet)
    findings = []
    for name, (held, bound) in found.items():
        part = held / bound
        if part < NEARLY or topology.STREAMS[name].full != "refuse":
            continue
        findings.append(
            Finding(
                kind="store",
                severity="error" if part > REFUSED else "warning",
                about=name,
                says=f"the stream {name} is {part:.0%} full ({held // topology.MIB} of {bound // topology.MIB} MiB)",
                matters="when it is full, what belongs there is refused, and nobody can decide or publish any more",
                mend="finish or reject what is open: what ended long ago is swept, every six hours",
                command="roosync topology",
            )
        )
    most = max(((held / bound, name) for name, (held, bound) in found.items()), default=(0.0, ""))
    return Seen(f"{len(found)} streams; the fullest, {most[1]}, is {most[0]:.1%} full", findings)
