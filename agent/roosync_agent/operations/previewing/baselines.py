"""What choosing, validating, publishing and restoring would make of the baseline: each value that becomes another."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from roosync_agent.operations.baseline import promoting
from roosync_agent.operations.baseline.baselines import find_proposal, version_of
from roosync_agent.operations.baseline.proposing import Proposed, read_report
from roosync_agent.operations.previewing import values
from roosync_agent.operations.previewing.answers import Fact, Preview, ValueChange
from roosync_agent.running.machine import Machine
from roosync_protocol.baseline import Commons, Overlay, next_version
from roosync_protocol.baseline_file import read
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Choice, Proposal


async def choose(machine: Machine, answers: dict[str, dict[str, Any]]) -> Preview:
    """`answers`: by field, as a `Choice` in JSON."""
    proposal = find_proposal(machine.fleet, None)
    choices = msgspec.convert(answers, dict[str, Choice])
    made = await promoting.arbitrated(machine.session, machine.library, proposal, choices)
    before = await read_report(machine.library, proposal)
    questions = [msgspec.to_builtins(one) for one in before.arbitrations if one.key in choices]
    changed = await _values(machine, made, choices)
    left = len(made.consolidation.arbitrations)
    facts = [Fact(title="Answers", lines=[f"{key}: {_said(choice)}" for key, choice in sorted(choices.items())])]
    return Preview(
        deed="",
        what=f"answer {len(choices)} of the questions of the proposal {proposal.id}",
        facts=[*facts, *_of(proposal)],
        questions=questions,
        values=changed,
        then=[
            f"questions left open: {left}",
            "nothing is law before `roosync baseline publish`, which shows all of it again",
        ],
    )


async def validate(machine: Machine, id_: str | None = None) -> Preview:
    proposal = find_proposal(machine.fleet, id_)
    made = await promoting.validatable(machine.session, machine.library, proposal)
    return Preview(
        deed="",
        what=f"say that the proposal {proposal.id} is right",
        facts=_of(proposal),
        values=await _values(machine, made),
        then=["nothing is law before `roosync baseline publish`"],
    )


async def publish(machine: Machine, id_: str | None = None, version: str | None = None, note: str = "") -> Preview:
    proposal = find_proposal(machine.fleet, id_)
    made = await promoting.publishable(machine.session, machine.library, proposal)
    commons, overlays = made.consolidation.baseline()
    facts = [*_of(proposal), *([Fact(title="Note", lines=[note])] if note else [])]
    return await _law(machine, commons, overlays, version, f"from the proposal {proposal.id}", facts)


async def restore(machine: Machine, version: str | None = None, file: str | None = None) -> Preview:
    """`file`: the text of an exported baseline, instead of a version that was published."""
    if file is not None:
        found = read(file.encode())
        commons, overlays, what = found.commons, found.overlays, f"as {found.version} was, from a file"
    else:
        old = await version_of(machine.session, version or "")
        commons, overlays = await machine.library.whole(old)
        what = f"as {old.version} was, signed by {old.agent}"
    commons = await promoting.restored(machine.session, machine.library, commons)
    return await _law(machine, commons, overlays, None, what, [])


def rests_on_proposal(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    proposal = find_proposal(fleet, given.get("id_"))
    packages = [[one.machine, one.manifest] for one in proposal.packages]
    answers = sorted([key, msgspec.to_builtins(choice)] for key, choice in proposal.choices.items())
    return [proposal.id, proposal.report, proposal.status, packages, answers, *rests_on_baseline(fleet, given)]


def rests_on_baseline(fleet: Fleet, _given: Mapping[str, Any]) -> list[Any]:
    """Also on the policy: by it machines apply what is published without another question."""
    law = fleet.law.baseline
    policy = sorted(fleet.law.policy.answers.items())
    return [law.revision if law else 0, law.commons if law else "", [list(one) for one in policy]]


# -- inside


async def _law(
    machine: Machine,
    commons: Commons,
    overlays: Mapping[str, Overlay],
    version: str | None,
    whence: str,
    facts: Sequence[Fact],
) -> Preview:
    known = machine.fleet.law.baseline
    now = await promoting.commons_in_force(machine.session, machine.library)
    named = next_version(known.version if known else None, version, now, commons)
    revision = known.revision + 1 if known else 1
    changed = await values.changes(machine, commons, overlays)
    over = f"instead of {known.version}, signed by {known.agent}" if known else "the first one of this fleet"
    return Preview(
        deed="",
        what=f"make baseline {named} (revision {revision}) law for every machine, {whence}",
        facts=[Fact(title="In force", lines=[over]), *facts],
        values=changed,
        then=_follows(changed, known.version if known else ""),
    )


async def _values(machine: Machine, made: Proposed, only: Mapping[str, Any] | None = None) -> list[ValueChange]:
    found = await values.changes(machine, *made.consolidation.baseline())
    return [one for one in found if only is None or one.entity in only]


def _of(proposal: Proposal) -> list[Fact]:
    machines = [package.machine for package in proposal.packages]
    return [
        Fact(title="Made from", lines=[f"the packages of {', '.join(machines)}"]),
        Fact(title="Report", lines=[proposal.report]),
    ]


def _said(choice: Choice) -> str:
    told = {
        "machine": f"the value of {choice.machine} becomes common",
        "union": "what each has, put together",
        "special": "each machine keeps its own",
        "omit": "left out of the baseline",
    }
    return told[choice.take]


def _follows(changed: Sequence[ValueChange], before: str) -> list[str]:
    """Who does what then, and the way back."""
    alone = sorted({name for one in changed for name in one.by_itself})
    asked = sorted({name for one in changed for name in one.asks})
    silent = sorted({name for one in changed for name in one.silent})
    lines = [f"applied without another question, under the policy, on {', '.join(alone)}"] if alone else []
    lines += [f"a person is asked again, by the card of each change, on {', '.join(asked)}"] if asked else []
    lines += [f"not known of {', '.join(silent)}: it has published nothing"] if silent else []
    lines += [] if alone or asked or silent else ["no machine has anything to change"]
    return [*lines, *([f"undo: `roosync baseline restore {before}`"] if before else [])]
