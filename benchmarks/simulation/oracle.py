"""What must hold, judged by what was really said and done, and not by the code under test.

The truth is kept from the messages as they were stored, in order, leaving out what the simulation itself forged or
repeated: who claimed what, what the operator signed, who arrived where, whose lease token is whose. Beliefs of the
machines are then held against it after every message, writes at every write, and everything at the end.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from roosync_broker.link import Expect, Stored
from roosync_broker.topology import bucket_stream
from roosync_protocol.cycle import ENDED as CYCLE_ENDED
from roosync_protocol.decision import ENDED, RETAINED
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import (
    Arrival,
    Baseline,
    Cycle,
    Decision,
    MalformedError,
    Policy,
    Request,
    Rollout,
    decode,
)
from roosync_protocol.messages import Law as LawMessage
from roosync_protocol.request import ENDED as REQUEST_ENDED
from roosync_protocol.rollout import ENDED as ROLLED_OUT
from simulation.agreed import Agreed
from simulation.waves import Waves

if TYPE_CHECKING:
    from simulation.node import Node, SimFleet
    from simulation.world import World

YES = ("approved", "applying", "applied", "failed")  # states that rest on somebody's yes
KINDS = {
    "claim": "a change was written without the claim of its decision",
    "yes": "a change was written, or believed to be approved, without a valid approval or policy",
    "twice": "one approval was used for two writes",
    "older": "a machine went back to an older law",
    "content": "something else was written than the law says",
    "passed": "a cycle passed a checkpoint that a participant did not reach",
    "fence": "a cycle was moved by a machine that did not hold the lease, or under an older one",
    "beliefs": "two machines believe two different states of one revision",
    "back": "a machine went back to an earlier state of a record",
    "converged": "not everybody is in step although the faults have stopped",
    "forgotten": "a decision that was approved came to no end",
    "ended": "a cycle neither ended nor waits for a person",
    "law": "the law changed otherwise than its operator answered",
    "synced": "a machine says that it is in step, and is not",
    "again": "a request was executed again after it had been",
    "unasked": "a machine did what nobody asked it for",
    "unanswered": "a request came to no end",
    "wave": "a change was written before the wave of its machine was opened",
    "halt": "a wave was opened past a halt",
    "end": "an end was written down that its machine did not say",
    "rolled": "a rollout came to no end",
    "error": "a machine met an error that its code does not expect",
}


class Oracle:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.violations: list[tuple[str, str]] = []
        self.checked: Counter[str] = Counter()
        self.agreed = Agreed(world.nodes, self.fail)
        self.waves = Waves(self._led)
        self.on_decision: Callable[[Decision], None] = lambda decision: None
        self._claims: dict[tuple[str, str], Decision] = {}  # what a machine said last of its own decision
        self._signed: set[tuple[str, str, int, str | None]] = set()
        self._policies: dict[int, list[Policy]] = {}  # by revision: two when the law was put back in between
        self._arrivals: set[tuple[str, str, int, str]] = set()
        self._tokens: dict[int, str] = {}
        self._highest: dict[str, int] = {}  # lease token under which a cycle was moved
        self._excused: dict[str, set[str]] = {}
        self._faults: dict[str, list[tuple[str, str]]] = {}  # of a state of a cycle, by its operation
        self._believed: dict[tuple[str, ...], dict[int, str]] = {}
        self._said: Counter[str] = Counter()  # messages by subject, also what was repeated
        self._repeated: set[str] = set()
        self._seen: list[dict[tuple[str, ...], int]] = []  # of each view: the revision it believed last
        self._was_put_back = False
        self._used: dict[bytes, str] = {}
        self._law: dict[tuple[str, str], int] = {}  # the baseline whose value a machine wrote last
        self._asked: set[tuple[str, str]] = set()  # requests, by addressee and id
        self._done: set[tuple[str, str]] = set()
        self._swept: set[tuple[str, ...]] = set()  # records that were taken away whole

    def fail(self, kind: str, text: str) -> None:
        self.violations.append((kind, f"{KINDS[kind]}: {text}"))
        self.world.trace("VIOLATION", kind, text)

    # -- the truth

    def stored(self, stream: str, stored: Stored, expect: Expect | None) -> None:
        if stream == bucket_stream("home", "leases"):
            self._lease(stored)
            return
        self._said[stored.subject] += 1
        if self.world.hostile:
            self._repeated.add(stored.subject)
            self.world.trace("repeated", stored.subject, stored.sequence)
            return
        if not stored.subject.startswith("post.") or stream.endswith("CONTENTS"):
            return
        try:
            message = decode(stored.data)
        except MalformedError:
            return
        self.world.trace("stored", stored.subject, getattr(message, "status", ""), getattr(message, "revision", ""))
        if isinstance(message, Decision):
            self.on_decision(message)
        match message:
            case Decision() if message.agent == message.machine:
                self._claims[message.machine, message.id] = message
                self.agreed.said(message)
                self.waves.said(message)
            case Decision(status="approved"):
                self._signed.add((message.machine, message.id, message.attempt, message.wanted.digest))
            case Arrival():
                self._arrivals.add((message.cycle, message.checkpoint, message.round, message.agent))
            case Cycle():
                self._cycle(message)
            case Rollout():
                self.checked[f"rollouts {message.status}"] += 1
                self._faults[message.operation_id] = self.waves.told(message)
            case Policy():
                self._policies.setdefault(message.revision, []).append(message)
            case Baseline():
                self.agreed.enacted(message)
            case Request(status="requested"):
                self._asked.add((message.to, message.id))

    def _lease(self, stored: Stored) -> None:
        if "KV-Operation" not in stored.headers and not msgspec.json.decode(stored.data).get("token"):
            self._tokens[stored.sequence] = stored.subject.rsplit(".", 1)[-1]

    def _cycle(self, new: Cycle) -> None:
        """What would be wrong with this state if somebody believed it."""
        faults = self._faults.setdefault(new.operation_id, [])
        if new.agent.startswith("op-"):
            self._excused.setdefault(new.id, set()).update(new.excused)
            return
        faults += self._led(new) if new.revision > 1 else ()
        if not set(new.excused) <= self._excused.get(new.id, set()):
            faults.append(("passed", f"{new.id} excuses {sorted(new.excused)} by itself"))
        if new.reached:
            last = new.reached[-1]
            for machine in new.participants:
                place = (new.id, last.checkpoint, last.round, machine)
                if machine not in new.excused and place not in self._arrivals:
                    faults.append(("passed", f"{new.id} {last.checkpoint} round {last.round} without {machine}"))

    def _led(self, new: Cycle | Rollout) -> list[tuple[str, str]]:
        """A step of who leads: under the lease that it held, and under none that is older than one seen."""
        owner, highest = self._tokens.get(new.token), self._highest.get(new.id, 0)
        if owner == new.agent and new.token >= highest:
            return []
        return [("fence", f"{new.id} {new.revision} by {new.agent} under {new.token} of {owner}, {highest}")]

    # -- what machines do

    def writes(self, node: "Node", id_: str, changes: dict[str, Entity | None]) -> None:
        """Just before the managed file is written."""
        self.checked["writes"] += 1
        claim = self._claims.get((node.name, id_))
        if claim is None or claim.status != "applying":
            self.fail("claim", f"{id_} on {node.name} is {claim.status if claim else 'unknown'}")
            return
        self._require_yes(claim)
        if not self._was_put_back and (fault := self.waves.closed(claim)):
            self.fail("wave", fault)
        law = node.machine.fleet.law.baseline if node.machine else None
        revision = law.revision if law else 0
        for key, wanted in changes.items():
            value = digest(wanted.value) if wanted else None
            if value != claim.wanted.digest:
                self.fail("content", f"{key} on {node.name} is not what {id_} says")
            said = [self.agreed.of(node.name, one).get(key) for one in range(1, revision + 1)]
            agreed = [at for at, known in enumerate(said, 1) if (known and known.value) == (wanted and wanted.value)]
            if wanted and max(agreed, default=0) < self._law.get((node.name, key), 1):
                last = self._law.get((node.name, key))
                self.fail("older", f"{node.name} writes {key} of {agreed} (law {revision}) after {last}")
            self._law[node.name, key] = max(agreed, default=0)

    def wrote(self, node: "Node", id_: str) -> None:
        """It stands, and no crash takes it back: whatever allowed it is used up."""
        claim = self._claims[node.name, id_]
        self.world.count["writes"] += 1
        for signed in claim.approvals:
            key = msgspec.json.encode(signed)
            if key in self._used:
                self.fail("twice", f"{id_} attempt {claim.attempt} on {node.name}")
            self._used[key] = id_

    def begins(self, node: "Node", request: Request) -> None:
        """Just before a machine does what it was asked for."""
        self.checked["requests"] += 1
        place = request.to, request.id
        if request.to != node.name or place not in self._asked:
            self.fail("unasked", f"{request.action} by {node.name}: {request.id} to {request.to}")
        if place in self._done:
            self.fail("again", f"{request.action} by {node.name}: {request.id}")

    def did(self, node: "Node", request: Request) -> None:
        """It is done, and its journal says so."""
        if node.up:
            self._done.add((request.to, request.id))

    def swept(self, key: tuple[str, ...]) -> None:
        """A closed record was taken away: what is said of it from now on may begin anew."""
        self._swept.add(key)

    def _require_yes(self, decision: Decision) -> None:
        self.checked["approvals"] += 1
        proof = decision.policy_proof
        if proof is not None:
            signed = self._policies.get(proof.policy_revision, [])
            medium = decision.entity.endswith("/model") or decision.wanted.digest is None
            if not any(one.answers.get("medium" if medium else "low") == "automatic" for one in signed):
                self.fail("yes", f"{decision.id} on {decision.machine} by policy {proof.policy_revision}")
        elif (decision.machine, decision.id, decision.attempt, decision.wanted.digest) not in self._signed:
            self.fail("yes", f"{decision.id} attempt {decision.attempt} on {decision.machine}")

    # -- what machines believe

    def started(self, node: "Node", law: Any) -> None:
        self.world.trace("start", node.name, law.baseline.revision if law.baseline else 0)

    def listener(self, node: "Node | None") -> Callable[["SimFleet", Any], None]:
        """For one view of the fleet: told after each message that it took in."""
        law = {"roster": 0, "policy": 0, "baseline": 0}
        at: dict[tuple[str, ...], int] = {}
        self._seen.append(at)
        who = node.name if node else "operator"

        def told(fleet: "SimFleet", heard: Any) -> None:
            message = heard.message
            if isinstance(message, LawMessage):
                for name, known in law.items():
                    now = getattr(getattr(fleet.law, name), "revision", 0)
                    if now < known:
                        self.fail("older", f"{who}: {name} {now} after {known}")
                    law[name] = now
            elif isinstance(message, Decision | Cycle | Rollout) and not fleet.reading:
                self._believes(who, fleet, message, at)

        return told

    def has_read(self, who: str, fleet: "SimFleet") -> None:
        """After everything was read again: whatever is believed now counts."""
        states: list[Decision | Cycle | Rollout] = [*fleet.decisions(), *fleet.cycles(), *fleet.rollouts()]
        for state in states:
            self._believes(who, fleet, state, {})

    def _believes(
        self, who: str, fleet: "SimFleet", message: Decision | Cycle | Rollout, at: dict[tuple[str, ...], int]
    ) -> None:
        self.checked["beliefs"] += 1
        state: Decision | Cycle | Rollout | None
        if isinstance(message, Decision):
            key: tuple[str, ...] = (message.machine, message.id)
            state = fleet.decision(*key).state
        else:
            key = (message.id,)
            state = (fleet.cycle if isinstance(message, Cycle) else fleet.rollout)(message.id).state
        if state is None:
            return
        if not isinstance(state, Decision):
            for kind, text in self._faults.pop(state.operation_id, ()):
                self.fail(kind, text)
            if not state.agent.startswith("op-"):
                self._highest[state.id] = max(state.token, self._highest.get(state.id, 0))
        elif state.status in YES:
            self._require_yes(state)
        if key in self._swept or self._displaced(key) or (self._was_put_back and not isinstance(state, Decision)):
            return  # a step that did not count may stand at the beginning of what is left
        known = self._believed.setdefault(key, {}).setdefault(state.revision, state.operation_id)
        if known != state.operation_id:
            self.fail("beliefs", f"{who}: revision {state.revision} of {'/'.join(key)}")
        if state.revision < at.get(key, 0):
            self.fail("back", f"{who}: revision {state.revision} of {'/'.join(key)} after {at[key]}")
        at[key] = state.revision

    def _displaced(self, key: tuple[str, ...]) -> bool:
        """Did what was repeated push out what was said? The broker keeps RETAINED messages of a subject.

        Who holds the broker can set a record back in this way, as by hiding messages; what is written then is checked
        all the same (`writes`), and by the machine's own journal. And so does an operator whose signature got lost with
        the broker's law before they knew that it was stored, and who signs another policy under its number.
        """
        if any(len({msgspec.json.encode(one.answers) for one in signed}) > 1 for signed in self._policies.values()):
            self.checked["forked policies"] += 1
            return True
        kinds = {"r": "request", "ro": "rollout", "c": "cycle"}
        kind = kinds.get(key[-1].partition("-")[0], "decision")
        place = f"post.home.{'.'.join((kind, *key))}."
        if not any(one.startswith(place) for one in self._repeated):
            return False
        return any(times > RETAINED for one, times in self._said.items() if one.startswith(place))

    def put_back(self) -> None:
        """The broker lost what was said since its backup: records may go on differently from there."""
        self._was_put_back = True
        self._believed.clear()
        self._highest.clear()  # a lease under which something was said that is gone
        for at in self._seen:
            at.clear()

    # -- the end

    def unsettled(self) -> tuple[str, str] | None:
        """Why it is not over yet; None when everybody is in step, everything has an end, and all agree."""
        nodes = list(self.world.nodes.values())
        if late := [node.name for node in nodes if not node.ready]:
            return "converged", f"not up: {late}"
        fleets = [node.machine.fleet for node in nodes if node.machine]
        muddled = False
        for fleet in fleets:
            for decision in fleet.decisions():
                if decision.status not in ENDED and not self._displaced((decision.machine, decision.id)):
                    return "forgotten", f"{decision.id} of {decision.machine} is {decision.status} ({decision.entity})"
            muddled = muddled or any(self._displaced((one.machine, one.id)) for one in fleet.decisions())
            for cycle in fleet.cycles():  # who reads records differently lists other divergences: a person is asked
                if cycle.status not in CYCLE_ENDED and not muddled and not self._displaced((cycle.id,)):
                    why = f"{cycle.status} at {cycle.checkpoint} round {cycle.round}: {cycle.waiting_for}"
                    return "ended", f"{cycle.id} {why}"
            for rollout in fleet.rollouts():
                if rollout.status not in ROLLED_OUT and not self._displaced((rollout.id,)):
                    return "rolled", f"{rollout.id} is {rollout.status}, wave {rollout.wave}: {rollout.waiting_for}"
        for request in () if muddled else self.world.person.session.fleet.requests():  # who reads all
            if request.status not in REQUEST_ENDED and not self._displaced((request.to, request.id)):
                return "unanswered", f"{request.id} to {request.to} is {request.status} ({request.action})"
        for node, fleet in zip(nodes, fleets, strict=True):
            if any(self._displaced((one.machine, one.id)) for one in fleet.decisions(node.name)):
                continue  # it can not bring to an end what it reads differently than others
            status = fleet.status(node.name)
            if status is None or status.status != "synced" or status.baseline_revision != self.agreed.revision:
                return "converged", f"{node.name}: {status and (status.status, status.baseline_revision)}"
        return self._disagree(nodes) or self._not_in_step(nodes)

    def _disagree(self, nodes: list["Node"]) -> tuple[str, str] | None:
        """In a large fleet each knows what concerns it, and the person, who reads all, knows the same of that."""
        known = [node.machine.fleet for node in nodes if node.machine]
        of_all = self.world.person.session.fleet if self.world.large else known[0]
        for node, fleet in zip(nodes, known, strict=True):
            machine = node.name if self.world.large else None
            if self._read(fleet, machine) != self._read(of_all, machine):
                return "converged", "the machines do not know the same records"
        return None

    def _read(self, fleet: Fleet, machine: str | None) -> list[object]:
        decisions = [(d.machine, d.id, d.operation_id) for d in fleet.decisions(machine)]
        known = [*decisions, *((c.id, c.operation_id) for c in (*fleet.cycles(), *fleet.rollouts()))]
        told = [one for one in known if one[:-1] not in self._swept and not self._displaced(one[:-1])]
        return [*told, fleet.law.policy_revision]

    def _not_in_step(self, nodes: list["Node"]) -> tuple[str, str] | None:
        """Everybody says so: does it hold? Each value is the agreed one, or somebody said that it may differ."""
        for node in nodes:
            assert node.machine is not None
            known = list(node.machine.fleet.decisions(node.name))
            if any(self._displaced((one.machine, one.id)) for one in known):
                continue
            accepted = {one.entity for one in known if one.status == "rejected"}
            wanted = self.agreed.of(node.name)
            for key in wanted.keys() | self.agreed.removed(node.name):
                self.checked["in step"] += 1
                if node.disk.managed.get(key) != wanted.get(key) and key not in accepted:
                    return "synced", f"{key} on {node.name}"
        return None
