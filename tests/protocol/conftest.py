"""A fleet without bus or clock: keys, law, and voices. What is said is really signed and really opened again."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from roosync_broker.keys import KeyPair, verify
from roosync_protocol import approval, decision, envelope
from roosync_protocol.law import LIFETIME, Law
from roosync_protocol.messages import Approval, Baseline, Member, Operator, Policy, Roster
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


@pytest.fixture
def world():
    return World()


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def verifier():
    return verify
