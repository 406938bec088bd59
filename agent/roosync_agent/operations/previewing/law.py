"""What the smaller laws would say: the policy, who is a member, what machines are called."""

from collections.abc import Mapping
from typing import Any

import msgspec

from roosync_agent.operations.answers import Shown
from roosync_agent.operations.membership import labelling, lawmaking
from roosync_agent.operations.membership import policy as policies
from roosync_agent.operations.previewing.answers import Fact, Preview
from roosync_agent.running.machine import Machine
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import LIFETIME
from roosync_protocol.messages import Policy
from roosync_protocol.messages.law import Answer
from roosync_protocol.names import token
from roosync_protocol.risk_names import RiskName


async def policy_set(
    machine: Machine, answers: dict[str, str], add: list[str] | None = None, remove: list[str] | None = None
) -> Preview:
    new, old = frozenset(add or ()), machine.fleet.law.policy
    wanted = msgspec.convert(answers, dict[RiskName, Answer])
    made = policies.changed(machine.session, wanted, add=new, remove=frozenset(remove or ()))
    shown = policies.shown(machine.fleet.law)
    easier = policies.loosened(shown, wanted, new)
    rows = [
        Shown(path=[risk], before=shown.answers[risk], after=answer)
        for risk, answer in made.answers.items()
        if shown.answers[risk] != answer
    ]
    if made.public_names != old.public_names:
        names = [sorted(one.public_names) for one in (old, made)]
        rows.append(Shown(path=["public names"], before=names[0], after=names[1]))
    back = " ".join(f"{risk}={shown.answers[risk]}" for risk in wanted)
    return Preview(
        deed="",
        what="sign the policy anew, for the whole fleet",
        facts=[Fact(title="Easier", lines=easier)] if easier else [],
        before=rows,
        then=[*([] if rows else ["nothing in it changes"]), *([f"undo: `roosync policy set {back}`"] if back else [])],
    )


async def pause(machine: Machine, name: str | None) -> Preview:
    """`name`: None for the whole fleet."""
    paused = lawmaking.paused(machine.session, machine.fleet.law.policy, name)
    return Preview(
        deed="",
        what=f"turn automatic application off {_where(name)}",
        before=_pauses(machine.fleet.law.policy, paused),
        then=["nothing is applied by itself there; what a person approves still is", "undo: `roosync resume`"],
    )


async def resume(machine: Machine, name: str | None) -> Preview:
    resumed = lawmaking.resumed(machine.session, machine.fleet.law.policy, name)
    waiting = [one for one in machine.fleet.decisions(name) if one.status == "pending"]
    return Preview(
        deed="",
        what=f"turn automatic application on again {_where(name)}",
        before=_pauses(machine.fleet.law.policy, resumed),
        then=[
            f"of the decisions that wait ({len(waiting)}), what the policy covers is applied without another question",
            "undo: `roosync pause`",
        ],
    )


async def revoke(machine: Machine, name: str) -> Preview:
    member = lawmaking.revocable(machine.session, name)
    status = machine.fleet.status(name)
    there = await machine.present()
    here = f"connected now: {'not known' if there is None else 'yes' if name in there else 'no'}"
    last = f"said last: {status.status}, {status.timestamp:%Y-%m-%d %H:%M} UTC" if status else "it said nothing yet"
    lines = [f"key {member.key}", last, here]
    lines += [f"labels {' '.join(f'{key}={value}' for key, value in sorted(member.labels.items()))}"] * bool(
        member.labels
    )
    waiting = sum(one.status == "pending" for one in machine.fleet.decisions(name))
    return Preview(
        deed="",
        what=f"end the membership of {name}",
        facts=[Fact(title="Machine", lines=lines), Fact(title="Decisions", lines=[f"{waiting} wait there"])],
        then=[
            "it can not connect any more; its files stay as they are",
            "undo: `roosync invite`, and the machine joins again with a new code",
        ],
    )


async def renew(machine: Machine) -> Preview:
    law = machine.fleet.law
    until = machine.session.now() + LIFETIME
    return Preview(
        deed="",
        what=f"renew the roster and every membership until {until:%Y-%m-%d}",
        facts=[
            Fact(title="Operators", lines=[", ".join(policies.operators(law))]),
            Fact(title="Machines", lines=[", ".join(law.machines())]),
        ],
        then=["nothing else of it changes: nobody joins, and nobody goes"],
    )


async def label(machine: Machine, machines: list[str], changes: dict[str, str | None]) -> Preview:
    plan = labelling.planned(machine.fleet.law, machines, changes)
    changed = [one for one in plan if one.before != one.after]
    return Preview(
        deed="",
        what=f"sign other labels (machines: {len(changed)})",
        before=[Shown(path=[one.machine], before=one.before, after=one.after) for one in changed],
        then=["whoever chooses machines by a label (--on role=dev) means other ones then"]
        if changed
        else ["they have these labels already"],
    )


async def invite(
    machine: Machine, minutes: float, name: str | None = None, address: str | None = None, orchestrate: bool = True
) -> Preview:
    return Preview(
        deed="",
        what=f"make a one-time code with which {name or 'any machine'} may ask to join, for {minutes:g} minutes",
        facts=[
            Fact(title="May", lines=["orchestrate: yes" if orchestrate else "orchestrate: no"]),
            *([Fact(title="Address", lines=[address])] if address else []),
        ],
        then=["whoever has the code can ask; nobody is a member before a person compares fingerprints and says yes"],
    )


async def admit(machine: Machine, minutes: float) -> Preview:
    return Preview(
        deed="",
        what=f"listen {minutes:g} minutes to machines that ask to join",
        then=["each is shown with its fingerprint, and asked about by itself"],
    )


async def observer(machine: Machine, name: str) -> Preview:
    token(name)
    roster = machine.fleet.law.roster
    known = roster is not None and name in roster.observers
    return Preview(
        deed="",
        what=f"make the credential {name}, which reads everything on the bus and can say nothing",
        then=[f"the credential {name} that there is stops working" if known else "its seed is printed once"],
    )


def rests_on_policy(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    return [fleet.law.policy_revision, fleet.law.machines() if "name" in given else []]


def rests_on_members(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    names = [given["name"]] if "name" in given else fleet.law.machines()
    return [[name, member.key if (member := fleet.law.members.get(name)) else ""] for name in names]


def rests_on_labels(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    members = [fleet.law.members.get(name) for name in given["machines"]]
    return [dict(member.labels) if member else None for member in members]


def rests_on_nothing(_fleet: Fleet, _given: Mapping[str, Any]) -> Any:
    return None


# -- inside


def _where(name: str | None) -> str:
    return f"on {name}" if name else "on the whole fleet"


def _pauses(old: Policy, new: Policy) -> list[Shown]:
    rows = [("the whole fleet", old.paused, new.paused)]
    rows += [
        (name, name in old.paused_machines, name in new.paused_machines)
        for name in sorted(old.paused_machines | new.paused_machines)
    ]
    said = {True: "paused", False: "not paused"}
    return [Shown(path=[name], before=said[was], after=said[is_]) for name, was, is_ in rows if was != is_]
