"""One table of the kinds of records: what is posted as one is kept, folded and known by the same key everywhere."""

from typing import get_args

import pytest

from roosync_broker.keys import verify
from roosync_protocol.fleet import PLAIN, REPORTS, Fleet
from roosync_protocol.messages import Arrival, Cycle, Decision, Proposal, Request, Rollout, Side, UpdateReport
from roosync_protocol.messages.base import Message, Record
from roosync_protocol.proposal import proposal_id
from roosync_protocol.record_kinds import KINDS, RecordMessage, key_of, key_of_subject
from roosync_protocol.subjects import BY_NAME
from roosync_protocol.subjects import KINDS as SUBJECTS

HASH = "a" * 64


def records(world, speaker="op-ann"):
    """One of each kind, as it may begin."""
    common = {"agent": speaker, "timestamp": world.now, "id": "x-1", "revision": 1, "operation_id": "o-1"}
    return [
        Decision(
            **common, machine="pc-a", entity="roo.mcp/x", kind="mcp_server", category="config", reference="baseline",
            verdict="take", local=Side(digest=None), remote=Side(digest=None), wanted=Side(digest=None),
            action="merge", justification="", risk="low", surface=HASH, status="pending", created=world.now,
            expires=world.now,
        ),
        Proposal(
            **common | {"id": proposal_id((), 0)}, status="open", after_revision=0, packages=(), report=HASH,
            commons=0, overlays=0, arbitrations=1,
        ),
        Cycle(
            **common, route="coordination", status="running", participants=("pc-a",), checkpoint="init",
            timeout_minutes=1, started=world.now, entered=world.now,
        ),
        Request(
            **common, to="pc-a", kind="execution", target="pc-a", action="publish", status="requested",
            asker=speaker, asked=world.now, timeout_minutes=1,
        ),
        Rollout(
            **common, purpose="decisions", status="prepared", waves=(("pc-a",),), items={"pc-a": ("d-1",)},
            timeout_minutes=1, started=world.now, opened=world.now,
        ),
    ]  # fmt: skip


def test_the_table_has_every_kind_of_record_that_is_posted():
    posted = {kind.message for kind in SUBJECTS if kind.message is not None and issubclass(kind.message, Record)}
    assert set(KINDS) == set(get_args(RecordMessage)) == posted
    assert {BY_NAME[kind.name].stream for kind in SUBJECTS if kind.message in KINDS} == {"WORK"}


def test_a_record_is_known_by_the_same_key_from_its_state_and_from_its_subject(world):
    made = records(world)
    assert {type(record) for record in made} == set(KINDS)
    for record in made:
        subject = world.subjects.of(record)
        assert key_of(record) == key_of_subject(subject), subject
        about = [part for part in key_of(record)[1:] if part]
        assert world.subjects.record_of(record) == world.subjects.record(subject.split(".")[2], *about)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_a_record_of_each_kind_is_kept_folded_and_forgotten(world, number):
    fleet, record = Fleet(world.law, verify), records(world)[number]
    assert fleet.folded(record).state is None
    heard = world.say(record)
    fleet.hear(heard)
    folded = fleet.folded(record)
    assert folded.sequence == heard.sequence
    if isinstance(record, Decision):  # a machine begins its own
        assert folded.refused
        assert fleet.refusals()
    else:
        assert (folded.state, folded.refused) == (record, ())
    fleet.hear_unread(heard.subject, heard.sequence + 1)
    assert fleet._records.unread[key_of(record)] == [("op-ann", heard.sequence + 1)]
    fleet.forget(record)
    assert fleet.folded(record).sequence == 0
    assert not fleet._records.unread


def test_rollouts_are_told_newest_last(world):
    fleet = Fleet(world.law, verify)
    *_, rollout = records(world)
    fleet.hear(world.say(rollout))
    assert fleet.rollouts() == [fleet.rollout("x-1").state] == [rollout]
    assert fleet.rollout("r-none").state is None


def test_of_each_machine_its_last_word_about_an_update_is_kept(world):
    fleet = Fleet(world.law, verify)
    assert fleet.update("pc-a") is None
    for phase in ("waiting", "updating", "confirmed"):
        report = UpdateReport(agent="pc-a", timestamp=world.now, campaign="u-1", phase=phase, version="0.2.0")
        fleet.hear(world.say(report))
    assert fleet.update("pc-a") == report
    assert fleet.update("pc-b") is None
    forged = UpdateReport(agent="pc-b", timestamp=world.now, campaign="u-1", phase="confirmed", version="0.2.0")
    fleet.hear(world.say(forged, signer="pc-a"))
    assert fleet.update("pc-b") is None, "with another key than its own"
    fleet.forget_records(REPORTS)
    assert fleet.update("pc-a") is None


def test_reports_are_messages_of_machines_and_no_records():
    assert UpdateReport in PLAIN and Arrival in REPORTS and Arrival not in PLAIN
    assert all(issubclass(kind, Message) and not issubclass(kind, Record) for kind in REPORTS)
