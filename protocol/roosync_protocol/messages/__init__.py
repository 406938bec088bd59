"""The words of the network: every message that travels on the bus.

Each class has its wire name beside it, so what an operator sees with the nats CLI can be searched
for here. One union, one decoder: what is not in it is refused, with the sender to blame.
"""

from msgspec import DecodeError, json

from roosync_protocol.depth import MAX_DEPTH, too_deep
from roosync_protocol.messages.base import Law, Message, Record, Signed, signed_bytes
from roosync_protocol.messages.enrolment import Enrolment
from roosync_protocol.messages.law import Baseline, Campaign, Invitation, Member, Operator, Policy, Roster
from roosync_protocol.messages.mail import Mail
from roosync_protocol.messages.reports import (
    Alarm,
    Arrival,
    Audit,
    Divergence,
    DivergenceReport,
    InventoryReport,
    MetricReport,
    PackageReport,
    StatusReport,
    UpdateReport,
)
from roosync_protocol.messages.work import (
    Approval,
    Choice,
    Cycle,
    Decision,
    Escalation,
    PackageRef,
    PolicyProof,
    Proposal,
    Reached,
    Request,
    Result,
    Rollout,
    Side,
)

AnyMessage = (
    InventoryReport
    | PackageReport
    | StatusReport
    | DivergenceReport
    | MetricReport
    | Arrival
    | UpdateReport
    | Alarm
    | Audit
    | Decision
    | Proposal
    | Cycle
    | Request
    | Rollout
    | Mail
    | Roster
    | Member
    | Invitation
    | Policy
    | Baseline
    | Campaign
    | Enrolment
)

MAX_MESSAGE = 1024 * 1024  # bytes; the server's default payload limit
_decoder: json.Decoder[AnyMessage] = json.Decoder(AnyMessage)
_encoder = json.Encoder(order="deterministic")


class MalformedError(ValueError):
    """Bytes from the bus that are no message of ours; the sender is to blame, not the reader."""


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(data: bytes) -> AnyMessage:
    """The message, or MalformedError. msgspec lets two more exceptions through on foreign bytes."""
    if len(data) > MAX_MESSAGE:
        raise MalformedError(f"a message of {len(data)} bytes; at most {MAX_MESSAGE} are read")
    if too_deep(data):
        raise MalformedError(f"a message nested deeper than {MAX_DEPTH}; nobody could walk it")
    try:
        return _decoder.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from error


__all__ = [
    "MAX_MESSAGE",
    "Alarm",
    "AnyMessage",
    "Approval",
    "Arrival",
    "Audit",
    "Baseline",
    "Campaign",
    "Choice",
    "Cycle",
    "Decision",
    "Divergence",
    "DivergenceReport",
    "Enrolment",
    "Escalation",
    "InventoryReport",
    "Invitation",
    "Law",
    "Mail",
    "MalformedError",
    "Member",
    "Message",
    "MetricReport",
    "Operator",
    "PackageRef",
    "PackageReport",
    "Policy",
    "PolicyProof",
    "Proposal",
    "Reached",
    "Record",
    "Request",
    "Result",
    "Rollout",
    "Roster",
    "Side",
    "Signed",
    "StatusReport",
    "UpdateReport",
    "decode",
    "encode",
    "signed_bytes",
]
