"""How this machine differs from the baseline, or from another machine: the answer to `compare`.

What was not compared is said beside what differs, with its reason: a target or a file that could not be read
here, or that its owner left out, is never silently counted as the same.
"""

from collections import Counter

from roosync_agent.collecting.local import Looked
from roosync_agent.collecting.reference import BASELINE, Reference
from roosync_agent.operations.answers import Comparison, NotRead
from roosync_agent.operations.decisions.showing import diff_row
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.machine import Machine
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import DIVERGENT, Divergence, Verdict
from roosync_protocol.entity import target_of
from roosync_protocol.names import known as known_names
from roosync_protocol.reconcile import accepted


async def compare(machine: Machine, other: str | None = None) -> Comparison:
    """With the baseline, or with another machine's package. `Synced`, or pending decisions."""
    looked = await machine.look()
    reference = await reference_of(machine, other)
    divergences = await machine.settle(reference)
    return _comparison(machine, looked, reference, divergences)


async def reference_of(machine: Machine, other: str | None) -> Reference:
    if other is None:
        return machine.local.here(await machine.library.of_baseline(machine.name))
    if other == machine.name:
        raise RefusedRequestError(f"{other!r} is this machine; name another one, or none to compare with the baseline")
    if other not in (known := machine.fleet.law.machines()):
        raise RefusedRequestError(
            f"{other!r} is no machine of this fleet; its machines are {known_names(other, known)}"
        )
    return machine.local.here(await machine.library.of_machine(other))


# -- inside


def _comparison(machine: Machine, looked: Looked, reference: Reference, divergences: list[Divergence]) -> Comparison:
    asked, known = machine.asked(reference), machine.own_decisions()
    real = [d for d in divergences if d.verdict in DIVERGENT]
    kept = [d.key for d in real if accepted(d, known, asked)]
    rows = []
    for divergence in real:
        decision = known.get(decision_id(machine.name, divergence.key, reference.name))
        if divergence.key not in kept and decision is not None:
            rows.append(diff_row(decision))
    return Comparison(
        agent=machine.name,
        timestamp=machine.session.now(),
        reference=reference.name,
        baseline_version=reference.version,
        status="Diverged" if rows else "Synced",
        divergences_count=len(rows),
        divergences=rows,
        accepted=kept,
        only_here=[d.key for d in divergences if d.verdict is Verdict.LOCAL_ONLY],
        quarantine=dict(looked.quarantine),
        not_read=[
            *(NotRead(target=target, path="", reason=reason) for target, reason in sorted(looked.unread.items())),
            *(NotRead(target=one.target, path=one.path, reason=one.reason) for one in looked.skipped),
        ],
        not_read_there=_not_read_there(machine, reference),
        not_here=_not_here(looked, reference),
        skipped=[f"{s.path}: {s.reason}" for s in looked.collection.skipped],
    )


def _not_here(looked: Looked, reference: Reference) -> dict[str, int]:
    """Targets of the reference that this machine has not, or does not manage: they were not compared."""
    absent = Counter(target for target in map(target_of, reference.entities) if target not in looked.collection.present)
    return dict(sorted(absent.items()))


def _not_read_there(machine: Machine, reference: Reference) -> list[str]:
    report = machine.fleet.package(reference.name.removeprefix("machine:")) if reference.name != BASELINE else None
    return list(report.skipped) if report else []
