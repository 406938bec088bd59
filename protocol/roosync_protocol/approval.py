"""An approval: what an operator signs, and the check that it still fits what would execute.

The object stands by itself: it is embedded in every later state of a decision, so a machine can check
it again just before writing, without trusting the bus or whoever relayed it (6-trust).
"""

import base64
import binascii
from datetime import datetime

from msgspec import DecodeError, json

from roosync_protocol.envelope import Sign, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Approval, Decision, Signed, signed_bytes
from roosync_protocol.names import is_operator

PURPOSE = "roosync.v1.approval"
VALIDATION = "roosync.v1.validation"

_decoder = json.Decoder(Approval)


def sign_text(purpose: str, payload: str, signer: str, sign: Sign) -> Signed:
    signature = base64.b64encode(sign(signed_bytes(purpose, payload))).decode()
    return Signed(payload=payload, signer=signer, signature=signature)


def genuine(purpose: str, signed: Signed, verify: Verify) -> bool:
    try:
        signature = base64.b64decode(signed.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return verify(signed.signer, signed_bytes(purpose, signed.payload), signature)


def approve(approval: Approval, signer: str, sign: Sign) -> Signed:
    return sign_text(PURPOSE, json.encode(approval).decode(), signer, sign)


def read(signed: Signed, verify: Verify) -> Approval:
    """The approval inside, when its signature is genuine for the key it names; ValueError otherwise."""
    if not genuine(PURPOSE, signed, verify):
        raise ValueError("its signature does not fit")
    try:
        return _decoder.decode(signed.payload)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it can not be read: {error}") from error


def fault(signed: Signed, decision: Decision, law: Law, verify: Verify, now: datetime | None) -> str | None:
    """Why this approval does not cover this decision; None when it does.

    `now` None asks about the past: an approval used in time stays a proof after it expired, or its operator left.
    """
    try:
        approval = read(signed, verify)
    except ValueError as error:
        return str(error)
    name = approval.operator
    key = law.ever_key(name) if now is None else law.operator_key(name)
    if not is_operator(name) or key != signed.signer:  # a machine has a key too, and may not say yes to itself
        return f"{name} is no operator of this fleet with that key"
    if approval.fleet != law.fleet:
        return f"it is for the fleet {approval.fleet!r}"
    if (approval.machine, approval.decision) != (decision.machine, decision.id):
        return "it is for another decision"
    if approval.entity != decision.entity:
        return f"it is for {approval.entity!r}"
    if approval.attempt != decision.attempt:
        return f"it is for attempt {approval.attempt}, and this is attempt {decision.attempt}"
    if (approval.wanted, approval.surface, approval.action) != (
        decision.wanted.digest,
        decision.surface,
        decision.action,
    ):
        return "what would execute is not what was approved"
    member = law.members.get(approval.machine)
    if now is not None and member and member.returned and approval.issued < member.returned:
        return f"it was given before {approval.machine} was revoked and came back"
    if now is not None and approval.expires <= now:
        return f"it expired at {approval.expires:%Y-%m-%d %H:%M} UTC"
    return None


def given(decision: Decision, law: Law, verify: Verify, now: datetime | None) -> list[Approval]:
    """The approvals that cover this decision as it stands: one, the newest, of each operator."""
    valid = [read(s, verify) for s in decision.approvals if fault(s, decision, law, verify, now) is None]
    return list({one.operator: one for one in sorted(valid, key=lambda one: one.issued)}.values())


def approvers(decision: Decision, law: Law, verify: Verify, now: datetime | None) -> set[str]:
    """The operators whose approval covers this decision as it stands."""
    return {one.operator for one in given(decision, law, verify, now)}
