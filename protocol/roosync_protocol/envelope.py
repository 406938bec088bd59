"""The envelope of a message: who signed it, and that subject, operation and body belong together.

    Nats-Msg-Id         one per intent, made before the first try
    Roosync-Signer      the public key (nkey)
    Roosync-Signature   base64 of Ed25519 over 0xFF subject LF id LF body (0xFF: see `base.NO_TEXT`)

Opening an envelope proves that the holder of a key said these bytes on this subject. Whether that key
belongs to the speaker is a question of law (`law`), asked by whoever folds the message into a state.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from roosync_protocol.messages import AnyMessage, MalformedError, Message, decode, encode
from roosync_protocol.messages.base import NO_TEXT
from roosync_protocol.subjects import Subjects, fact_to_post, speaker_of

ID = "Nats-Msg-Id"
SIGNER = "Roosync-Signer"
SIGNATURE = "Roosync-Signature"

Verify = Callable[[str, bytes, bytes], bool]  # public key, data, signature -> genuine? Never raises
Sign = Callable[[bytes], bytes]

_OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")  # no line feed: it would blur where the body begins


class Posting(Struct, frozen=True):
    """A message ready to be posted, signed."""

    subject: str
    data: bytes
    headers: dict[str, str]


class Heard(Struct, frozen=True, kw_only=True):
    """A message whose signature is genuine for `signer`, on the subject where it was stored."""

    message: AnyMessage
    subject: str
    speaker: str
    signer: str
    operation: str
    sequence: int = 0


def seal(subjects: Subjects, message: Message, operation: str, signer: str, sign: Sign) -> Posting:
    """The message, signed. MalformedError when nobody could read it: a limit of its type is broken, and it is ours."""
    subject, data = subjects.of(message), encode(message)
    if not _OPERATION.match(operation):
        raise MalformedError(f"{operation!r} is no id of an operation")
    decode(data)  # the limits are checked by readers only; here is the last place where the fault has our name
    signature = base64.b64encode(sign(_signed(subject, operation, data))).decode()
    return Posting(subject, data, {ID: operation, SIGNER: signer, SIGNATURE: signature})


def unseal(
    subjects: Subjects, subject: str, data: bytes, headers: Mapping[str, str], verify: Verify, sequence: int = 0
) -> Heard:
    """Opens what was stored on `subject` (a post or its fact). MalformedError names what is wrong with it."""
    subject = fact_to_post(subject)
    message = decode(data)
    subjects.verify(subject, message)
    operation, signer, given = headers.get(ID, ""), headers.get(SIGNER, ""), headers.get(SIGNATURE, "")
    if not (operation and signer and given):
        raise MalformedError(f"a message on {subject!r} is not signed")
    if not _OPERATION.match(operation):
        raise MalformedError(f"a message on {subject!r} has an id that is none")
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"the signature on {subject!r} is not base64") from error
    if not verify(signer, _signed(subject, operation, data), signature):
        raise MalformedError(f"the signature on {subject!r} does not fit {signer[:12]}... and these bytes")
    return Heard(
        message=message,
        subject=subject,
        speaker=speaker_of(subject),
        signer=signer,
        operation=operation,
        sequence=sequence,
    )


def _signed(subject: str, operation: str, data: bytes) -> bytes:
    return b"%b%b\n%b\n%b" % (NO_TEXT, subject.encode(), operation.encode(), data)
