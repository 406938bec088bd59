"""`roosync explain` of one thing: what it is here, where the agreed value comes from, what is asked, what follows."""

from dataclasses import dataclass, field
from datetime import datetime

from roosync_agent.applying.known_secrets import secrets_for
from roosync_agent.collecting.local import Local, Looked
from roosync_agent.collecting.reference import BASELINE, Reference
from roosync_agent.operations.explaining import origins
from roosync_agent.operations.explaining.answers import Asked, Change, EntityExplained
from roosync_agent.operations.explaining.leaves import View, leaves
from roosync_agent.operations.targets_list import place_of
from roosync_agent.targets.marks import NONE
from roosync_broker.keys import verify
from roosync_protocol import approval
from roosync_protocol.consolidation.provenance import Provenance
from roosync_protocol.decision import ENDED, decision_id
from roosync_protocol.diff import RECORDED, Verdict, equal
from roosync_protocol.digest import same
from roosync_protocol.entity import Entity, declared, target_of
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Baseline, Decision
from roosync_protocol.reconcile import Asked as Frame
from roosync_protocol.reconcile import accepted

STATES = {  # how a thing stands -> (what that is, what happens next)
    "in step": ("as in baseline {version}", "nothing: it is in step"),
    "waits": ("not as in baseline {version}, and a person is asked", "a person answers: roosync decision show {id}"),
    "approved": ("not as in baseline {version}, and its change is approved", "{machine} applies it by itself"),
    "accepted": (
        "not as in baseline {version}, which a person accepted",
        "nothing, until one of the two sides changes",
    ),
    "differs": ("not as in baseline {version}", "{machine} asks about it at its next turn"),
    "ended": ("not as in baseline {version}", "an operator answers again: roosync decision show {id}"),
    "only here": ("known to {machine} alone", "nothing: `roosync baseline propose` offers it to the others"),
    "left out": ("left as it is on {machine}, by baseline {version}", "nothing: {machine} goes its own way with it"),
    "nowhere": ("not there, and not in the baseline", "nothing"),
    "not compared": ("not compared with anything", "nothing, until a baseline can be compared with"),
    "quarantined": ("held back by the wipe guard", "look at it: roosync quarantine show"),
    "not read": ("there and can not be read", "put its file right; it is read again by itself"),
    "not here": ("not on {machine}: the target is not managed there", "nothing on this machine"),
}


@dataclass(frozen=True, kw_only=True)
class Fleetwide:
    """What the fleet says of one machine and one entity; empty where there is no fleet, or no broker."""

    machine: str
    now: datetime
    fleet: Fleet | None = None
    law: Baseline | None = None
    reference: Reference | None = None
    source: str = ""  # of `origins.place`
    history: list[Change] = field(default_factory=list)
    provenance: Provenance | None = None


def explained(local: Local, looked: Looked, key: str, wide: Fleetwide, wanted: str = "") -> EntityExplained:
    """One entity of this machine. `wanted`: one field of it; all without."""
    return _Told(local, looked, key, wide).answer(wanted)


class _Told:
    def __init__(self, local: Local, looked: Looked, key: str, wide: Fleetwide) -> None:
        self.local, self.looked, self.key, self.wide = local, looked, key, wide
        self.machine = wide.machine
        self.here = looked.collection.entities.get(key)
        self.agreed = wide.reference.entities.get(key) if wide.reference else None
        self.target = looked.collection.targets.get(target_of(key))

    def answer(self, wanted: str) -> EntityExplained:
        decisions = _decisions(self.wide.fleet, self.machine, self.key)
        state, open_id = self._state(decisions)
        some = self.here or self.agreed or self.local.base.entities.get(self.key)
        spec = self.target.spec if self.target else None
        name = target_of(self.key)
        own = dict(self.local.own_targets().files)
        what, following = _words(state, self.wide, self.machine, name, open_id)
        return EntityExplained(
            key=self.key,
            machine=self.machine,
            kind=some.kind.value if some else spec.kind.value if spec else "",
            assistant=spec.assistant if spec else "",
            state=state,
            summary=f"{self.key} on {self.machine} is {what}.",
            file=self._file(),
            target=name,
            rule=place_of(spec) if spec else "",
            declared=own.get(declared(name), ""),
            value=self.here.value if self.here else None,
            absent=self.here is None,
            source=source_text(self.wide, self.machine),
            why=origins.told(self.wide.provenance) if self.wide.provenance else "",
            had_by=list(self.wide.provenance.machines) if self.wide.provenance else [],
            of=self.wide.provenance.of if self.wide.provenance else 0,
            history=self.wide.history,
            base=self._base(),
            decisions=[asked(self.wide.fleet, decision) for decision in decisions] if self.wide.fleet else [],
            skipped=self._skipped(),
            next=following,
            leaves=leaves(self.here, self.agreed, self._view(some), compared=self.agreed is not None, field=wanted),
        )

    def _view(self, some: Entity | None) -> View:
        collection = self.looked.collection
        secrets = secrets_for(collection, some) if some else collection.secrets
        return View(
            places=collection.layout.places,
            known_secrets=frozenset(secrets),
            marks=collection.marks(self.key),
            sources=self.wide.provenance.leaves if self.wide.provenance else (),
        )

    def _state(self, decisions: list[Decision]) -> tuple[str, str]:
        """How it stands, and the decision that it waits for."""
        target, looked, reference = target_of(self.key), self.looked, self.wide.reference
        if self.target is None:
            return "not here", ""
        if target in looked.quarantine:
            return "quarantined", ""
        if target in looked.unread or self.key in looked.collection.unreadable:
            return "not read", ""
        if reference is None:
            return "not compared", ""
        if self.wide.source == "left out":
            return "left out", ""
        found = next((d for d in self.local.differences(looked, reference) if d.key == self.key), None)
        if found is None or found.verdict in RECORDED:
            return ("in step" if self.here or self.wide.source == "removed" else "nowhere"), ""
        if found.verdict is Verdict.LOCAL_ONLY:
            return "only here", ""
        id_ = decision_id(self.machine, self.key, BASELINE)
        known = {decision.id: decision for decision in decisions}
        frame = Frame(machine=self.machine, reference=BASELINE, reference_revision=0, now=self.wide.now)
        if accepted(found, known, frame):
            return "accepted", id_
        return _by_status(known.get(id_)), id_

    def _file(self) -> str:
        collection = self.looked.collection
        for file in collection.files:
            if self.key in file.keys:
                return collection.layout.name_of(file.path)
        if self.target is None:
            return ""
        spec = self.target.spec
        path = self.target.folder.joinpath(*self.key.split("/")[1:]) if spec.tree else self.target.file
        return collection.layout.name_of(path)

    def _base(self) -> str:
        base = self.local.base
        known = base.entities.get(self.key)
        if not base.joined:
            return ""
        if known is None:
            return "nothing yet"
        if self.here is None:
            return "but gone from this machine since"
        return "as it is now" if equal(known, self.here) else "but changed on this machine since"

    def _skipped(self) -> str:
        target, name = self.key.split("/", 1)
        if target in self.looked.quarantine:
            return self.looked.quarantine[target]
        if target in self.looked.unread:
            return self.looked.unread[target]
        ours = [one for one in self.looked.skipped if one.target == target]
        ends = (f"({name[:80]})", f"/{name}")
        return next((one.reason for one in ours if one.path.endswith(ends)), "")


def of_another(key: str, entity: Entity | None, wide: Fleetwide, wanted: str = "") -> EntityExplained:
    """The same of another machine, as far as it told: what it published, and what the baseline says of it."""
    machine = wide.machine
    assert wide.fleet is not None
    agreed = wide.reference.entities.get(key) if wide.reference else None
    decisions = _decisions(wide.fleet, machine, key)
    waiting = [one for one in decisions if one.reference == BASELINE and one.status not in ENDED]
    package = wide.fleet.package(machine)
    some = entity or agreed
    if package is None or target_of(key) not in package.targets:
        state = "not here"
    elif wide.reference is None:
        state = "not compared"
    elif wide.source == "left out":
        state = "left out"
    elif entity is not None and wide.source == "":
        state = "only here"
    elif entity is None and agreed is None:
        state = "in step" if wide.source == "removed" else "nowhere"
    elif entity is not None and agreed is not None and same(entity.value, agreed.value):
        state = "in step"
    else:
        state = _by_status(waiting[0] if waiting else None)
    what, following = _words(state, wide, machine, target_of(key), waiting[0].id if waiting else "")
    sources = wide.provenance.leaves if wide.provenance else ()
    view = View(places=None, known_secrets=None, marks=NONE, sources=sources)
    return EntityExplained(
        key=key,
        machine=machine,
        kind=some.kind.value if some else "",
        assistant="",
        state=state,
        summary=f"{key} on {machine} is {what}, as {machine} told last.",
        target=target_of(key),
        value=entity.value if entity else None,
        absent=entity is None,
        source=source_text(wide, machine),
        why=origins.told(wide.provenance) if wide.provenance else "",
        had_by=list(wide.provenance.machines) if wide.provenance else [],
        of=wide.provenance.of if wide.provenance else 0,
        history=wide.history,
        decisions=[asked(wide.fleet, decision) for decision in decisions],
        next=following,
        leaves=leaves(entity, agreed, view, compared=agreed is not None, field=wanted),
    )


def source_text(wide: Fleetwide, machine: str) -> str:
    if wide.law is None:
        return ""
    version = wide.law.version
    return {
        "common": f"common to all machines in baseline {version}",
        "special": f"special to {machine} in baseline {version}: what belongs to this machine alone",
        "left out": f"left out on {machine} by baseline {version}: it keeps, or lacks, what it has",
        "removed": f"taken away by baseline {version}",
    }.get(wide.source, f"baseline {version} does not speak of it")


def asked(fleet: Fleet, decision: Decision) -> Asked:
    operators = sorted({one.operator for one in approval.given(decision, fleet.law, verify, None)})
    return Asked(
        id=decision.id,
        status=decision.status,
        risk=decision.risk,
        action=decision.action,
        compared_with=decision.reference,
        said_yes=[*operators, *(["the policy"] if decision.policy_proof else [])],
        when=decision.timestamp,
        last=decision.log[-1] if decision.log else "",
    )


def _decisions(fleet: Fleet | None, machine: str, key: str) -> list[Decision]:
    """Open ones first, then the newest."""
    found = [one for one in fleet.decisions(machine) if one.entity == key] if fleet else []
    return sorted(found, key=lambda one: (one.status in ENDED, -one.timestamp.timestamp()))


def _by_status(decision: Decision | None) -> str:
    if decision is None or decision.status in ("superseded", "expired"):
        return "differs"
    return {"pending": "waits", "approved": "approved", "applying": "approved"}.get(decision.status, "ended")


def _words(state: str, wide: Fleetwide, machine: str, target: str, id_: str) -> tuple[str, str]:
    version = wide.law.version if wide.law else ""
    what, following = (text.format(version=version, machine=machine, target=target, id=id_) for text in STATES[state])
    if state == "in step" and wide.source == "removed":
        what = f"gone, as baseline {version} says"
    if state == "in step" and wide.source == "special":
        what = f"special to {machine}, as in baseline {version}"
    return what, following
