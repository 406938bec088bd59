"""A fleet without bus or clock: keys, law, and voices. What is said is really signed and really opened again."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from roosync_broker.keys import KeyPair, verify
from roosync_protocol import approval, decision, envelope
from roosync_protocol.cycle import ROUTES
from roosync_protocol.cycle.leading import next_state
from roosync_protocol.cycle.participant import digest_of
from roosync_protocol.cycle.record import judge
from roosync_protocol.cycle.view import View
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.law import LIFETIME, Law
from roosync_protocol.messages import Approval, Arrival, Baseline, Cycle, Member, Operator, Policy, Roster
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.risk import surface_digest
from roosync_protocol.subjects import Subjects

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
KEYS: dict[str, KeyPair] = {}


def key(name):
    """The same key for the same name in every test: making one is what takes time."""
    if name not in KEYS:
        KEYS[name] = KeyPair(hashlib.sha256(name.encode()).digest())
    return KEYS[name]


class World:
    """Two operators, two machines, and one law that all of them know."""

    def __init__(self, fleet="home", operators=("op-ann", "op-bob"), machines=("pc-a", "pc-b")):
        self.subjects = Subjects(fleet)
        self.now = T0
        self.law = Law(fleet=fleet, root=key(operators[0]).public)
        self.sequence = itertools.count(1)
        self.operation = itertools.count(1)
        self.records = []  # everything that was said about decisions, in the order of the stream
        self.enact(self.roster(operators))
        for machine in machines:
            self.enact(self.member(machine))

    # -- voices

    def key(self, name):
        return key(name)

    def say(self, message, *, signer=None, operation=None):
        """Sealed by its speaker (or another's key), opened by a reader, with its place in the stream."""
        pair = key(signer or message.agent)
        operation = operation or getattr(message, "operation_id", None) or self.new_operation()
        posting = envelope.seal(self.subjects, message, operation, pair.public, pair.sign)
        return envelope.unseal(
            self.subjects, posting.subject, posting.data, posting.headers, verify, next(self.sequence)
        )

    def raw(self, message):
        """As if it had come through an envelope: for what no decoder or permission would let pass."""
        return envelope.Heard(
            message=message,
            subject="",
            speaker=message.agent,
            signer=key(message.agent).public,
            operation=self.new_operation(),
            sequence=next(self.sequence),
        )

    def new_operation(self):
        return f"o-{next(self.operation)}"

    def wait(self, **time):
        self.now += timedelta(**time)
        return self.now

    # -- law

    def enact(self, message, *, signer=None):
        self.law = self.law.admit(self.say(message, signer=signer))
        return message

    def frame(self, agent="op-ann", **more):
        return {"agent": agent, "timestamp": self.now, "revision": 1, **more}

    def roster(self, operators=("op-ann", "op-bob"), *, revoked=(), agent=None, **more):
        people = {name: Operator(key=key(name).public, revoked=name in revoked) for name in operators}
        made = Roster(operators=people, **self.frame(agent or operators[0], expires=self.now + LIFETIME))
        return replace(made, revision=self.law.next_revision(made), **more)

    def member(self, machine, *, signed_by="op-ann", **more):
        made = Member(machine=machine, key=key(machine).public, **self.frame(signed_by, expires=self.now + LIFETIME))
        return replace(made, revision=self.law.next_revision(made), **more)

    def policy(self, *, agent="op-ann", **more):
        made = Policy(**self.frame(agent), **more)
        return replace(made, revision=self.law.next_revision(made))

    def baseline(self, **more):
        made = Baseline(version="1.0.0", commons="0" * 64, **self.frame(), **more)
        return replace(made, revision=self.law.next_revision(made))

    # -- decisions

    def step(self, before, by, status, **changes):
        """The next state of a record, as `by` would post it."""
        return replace(
            before,
            agent=by,
            timestamp=self.now,
            revision=before.revision + 1,
            operation_id=self.new_operation(),
            status=status,
            **changes,
        )

    def approval(self, of, operator="op-ann", **changes):
        made = Approval(
            fleet=self.law.fleet,
            operator=operator,
            machine=of.machine,
            decision=of.id,
            entity=of.entity,
            attempt=of.attempt,
            action=of.action,
            wanted=of.wanted.digest,
            surface=of.surface,
            issued=self.now,
            expires=self.now + timedelta(days=7),
        )
        return replace(made, **changes)

    def sign(self, made, operator=None):
        pair = key(operator or made.operator)
        return approval.approve(made, pair.public, pair.sign)

    def approved(self, before, operator="op-ann", **changes):
        """The state in which an operator approves `before`."""
        signed = self.sign(self.approval(before, operator, **changes))
        return self.step(before, operator, "approved", approvals=(*before.approvals, signed))

    def wanting(self, before, value):
        """The same decision, wanting something else, with everything that follows from that."""
        from roosync_protocol.reconcile import side

        wanted = side(value)
        return replace(before, wanted=wanted, remote=wanted, surface=surface_digest(before.kind, value))

    def told(self, *messages):
        """Says these and returns the record that everything said so far makes."""
        self.records += [one if isinstance(one, envelope.Heard) else self.say(one) for one in messages]
        return self.fold()

    def fold(self):
        return decision.fold(self.records, self.law, verify)

    def applicable(self, state, **more):
        return decision.applicable(state, self.law, verify, self.now, **more)


BOTH = frozenset({"pc-a", "pc-b"})
OF = {name: route for route, names in ROUTES.items() for name in names}


class Scene:
    """A cycle of two machines, what they reported, and the decisions that stand."""

    def __init__(self, world, checkpoint="init", **more):
        self.world = world
        self.cycle = Cycle(
            agent="pc-a",
            timestamp=world.now,
            id="c-1",
            revision=1,
            operation_id="o-1",
            route=OF[checkpoint],
            status="running",
            participants=("pc-a", "pc-b"),
            checkpoint=checkpoint,
            timeout_minutes=10,
            started=world.now,
            entered=world.now,
        )
        self.cycle = replace(self.cycle, **more)
        self.decisions, self.arrivals, self.present, self.token, self.baseline = [], {}, BOTH, 0, 2
        self.seen = {}  # what else the leader sees

    def decision(self, status="pending", machine="pc-a", name="x", **more):
        found = Divergence(key=f"claude.settings/{name}", kind=Kind.SETTING, verdict=Verdict.TAKE, local=1, wanted=2)
        asked = Asked(machine=machine, reference="baseline", reference_revision=1, now=self.world.now)
        self.decisions.append(replace(decide(found, asked, "o-2"), status=status, **more))
        return self.decisions[-1]

    def arrive(self, *machines, **more):
        for machine in machines:
            fields = {
                "agent": machine,
                "timestamp": self.world.now,
                "cycle": self.cycle.id,
                "checkpoint": self.cycle.checkpoint,
                "round": self.cycle.round,
                "status": "synced",
                "divergences": digest_of(self.decisions, self.cycle.participants),
                "baseline_revision": self.baseline,
                "package": "0" * 64,
                "version": "v2.10.0",
            }
            self.arrivals[machine] = Arrival(**{**fields, **more})
        return self

    @property
    def view(self):
        return View(
            arrivals=self.arrivals,
            decisions=tuple(self.decisions),
            present=self.present,
            baseline_revision=self.baseline,
            token=self.token,
            **self.seen,
        )

    def turn(self, minutes=0.0):
        """One turn of the leader; whatever it says has to be what everybody else believes."""
        made = next_state(self.cycle, self.view, self.world.wait(minutes=minutes))
        if made is not None:
            made = replace(made, agent="pc-b", timestamp=self.world.now, operation_id=self.world.new_operation())
            assert judge(self.cycle, self.world.raw(made), self.world.law) is None
            self.cycle = made
        return made


@pytest.fixture
def world():
    return World()


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def verifier():
    return verify


@pytest.fixture
def scene(world):
    return lambda *args, **more: Scene(world, *args, **more)
