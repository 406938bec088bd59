"""What a machine says about itself, in three reports: how it stands, what diverges, what it has.

They only read the `Machine` and the live view. The machine says them, and only when they say something new, so
nothing in them may change by itself from one turn to the next except their timestamp.
"""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.inventory import take_inventory
from roosync_agent.collecting.reference import BASELINE
from roosync_protocol import __version__, reconcile
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import DIVERGENT, Divergence, Verdict
from roosync_protocol.law import WARN_BEFORE
from roosync_protocol.messages import Divergence as DivergenceLine
from roosync_protocol.messages import DivergenceReport, InventoryReport, StatusReport
from roosync_protocol.reconcile import Asked
from roosync_protocol.targeting.facts import NO_RECIPE

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

KEYLESS = (
    "the broker asks nobody for a key, so it enforces nothing: whoever reaches it can read everything, delay or delete "
    "it; what is not signed by a member does not count all the same"
)
TWIN = (
    "another agent speaks in the name of this machine: its state folder was copied, or the computer cloned; "
    "`roosync doctor` says what to do"
)
EMBEDDED = "embedded"  # in the inventory: this machine runs the fleet's broker
LISTED = 1_000  # divergences that one report lists; the rest is counted
LISTED_BYTES = 800_000  # and so many bytes of them: names can be long, and a message has at most 1 MiB


def outstanding(machine: "Machine") -> tuple[list[Divergence], int]:
    """The divergences that count, and how many more a person accepted as they are."""
    known, now = machine.own_decisions(), machine.session.now()
    asked = Asked(machine=machine.name, reference=BASELINE, reference_revision=machine.local.base.revision, now=now)
    real = [d for d in machine.divergences if d.verdict in DIVERGENT]
    left = [d for d in real if not reconcile.accepted(d, known, asked)]
    return left, len(real) - len(left)


async def status_report(machine: "Machine") -> StatusReport:
    """How it stands, as of its last look; BusError never: who is present is then this machine alone."""
    law, now = machine.fleet.law, machine.session.now()
    left, accepted = outstanding(machine)
    looked = machine.looked_now
    settled = law.baseline is not None and machine.local.base.revision == law.baseline.revision
    status = "diverged" if left else "synced" if settled and not looked.quarantine else "unknown"
    previous = machine.fleet.status(machine.name)
    in_step = status == "synced"
    last_sync = previous.last_sync if previous else None
    if in_step and not (previous and previous.status == "synced" and last_sync):
        last_sync = now
    return StatusReport(
        agent=machine.name,
        timestamp=now,
        machines_detected=await machine.detected(),
        status=status,  # type: ignore[arg-type]
        divergences_count=len(left),
        pending_decisions=sum(1 for d in machine.own_decisions().values() if d.status in ("pending", "failed")),
        accepted_differences=accepted,
        baseline_version=law.baseline.version if law.baseline and settled else "",
        baseline_revision=machine.local.base.revision if settled else 0,
        roosync_version=__version__,
        paused=machine.paused,
        quarantine={target: reason[:500] for target, reason in looked.quarantine.items()},
        corrupt=machine.corrupt,
        unread={target: reason[:500] for target, reason in looked.unread.items()},
        skipped=tuple(f"{s.path}: {s.reason}"[:500] for s in looked.skipped[:100]),
        only_here=sum(d.verdict is Verdict.LOCAL_ONLY for d in machine.divergences) if settled else None,
        notes=tuple(dict.fromkeys(line[:500] for line in [*machine.notes, *_law_notes(machine, now)]))[:50],
        last_sync=last_sync,
    )


def divergence_report(machine: "Machine") -> DivergenceReport:
    """The divergences that count and have a decision, at most LISTED and LISTED_BYTES of them; `total` counts all."""
    left, _ = outstanding(machine)
    known = machine.own_decisions()
    lines: list[DivergenceLine] = []
    room = LISTED_BYTES
    for divergence in left[:LISTED]:
        room -= len(divergence.key.encode("utf-8", "replace")) + 200
        if room < 0:
            break
        decision = known.get(decision_id(machine.name, divergence.key, BASELINE))
        if decision is not None:
            lines.append(
                DivergenceLine(
                    type=decision.category,
                    field=divergence.key,
                    decision_id=decision.id,
                    risk=decision.risk,
                    verdict=divergence.verdict.value,
                )
            )
    return DivergenceReport(
        agent=machine.name, timestamp=machine.session.now(), divergences=tuple(lines), total=len(left)
    )


async def inventory_report(machine: "Machine") -> InventoryReport:
    taken = await inventory(machine, machine.looked_now.collection)
    return InventoryReport(agent=machine.name, timestamp=machine.session.now(), inventory=taken)


async def inventory(machine: "Machine", collection: Collection) -> dict[str, Any]:
    """What this machine has, taken in a thread: it reads the disk; with what a person set up for it, by name only."""
    taken = await asyncio.to_thread(take_inventory, machine.local.door, machine.local.layout(), collection)
    own: dict[str, Any] = {"update": machine.settings.update.recipe or NO_RECIPE}
    if machine.settings.labels:
        own["labels"] = dict(machine.settings.labels)
    if (identity := machine.state.identity()) is not None and identity.embedded:
        own["broker"] = EMBEDDED
    return taken | own


def _law_notes(machine: "Machine", now: datetime) -> list[str]:
    expiry = machine.fleet.law.expiry(machine.name)
    notes = []
    if expiry and expiry <= now:
        notes.append(f"the fleet's law expired on {expiry:%Y-%m-%d}; nothing is applied until an operator renews it")
    elif expiry and expiry - now < WARN_BEFORE:
        notes.append(f"the fleet's law expires on {expiry:%Y-%m-%d}; an operator renews it with `roosync renew`")
    if machine.session.link.keyless:
        notes.append(KEYLESS)
    if machine.presence.twin:
        notes.append(TWIN)
    refused = machine.fleet.refusals()
    if refused:
        reason, count = refused.most_common(1)[0]
        notes.append(f"{refused.total()} messages were refused; most often ({count}): {reason}")
    return notes
