"""What a machine lacks for a change, asked of it at this moment: a program that is not there, a secret it has not.

The question names decisions of the machine that is asked, or things that are published for all to see; the machine
looks up by itself what they need. So a question can ask for nothing that was not about to be written there, and says
no path and no name. The answer names what is missing, among what the value itself names: a reader knows that list
too, and refuses an answer with anything else in it. Never a value. Both are signed, over the nonce of the question.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from msgspec import DecodeError, Meta, Struct, json

from roosync_protocol import approval
from roosync_protocol.entity import Entity
from roosync_protocol.envelope import Sign, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Signed
from roosync_protocol.names import Sha256, Token
from roosync_protocol.programs import programs
from roosync_protocol.secrets import addresses

ASKS, ANSWERS = "roosync.v1.needs", "roosync.v1.needs-answer"
VERB = "needs"
MOST_ASKED = 100  # things in one question
MOST_NEEDS = 60  # names of one thing
ROOM = 150_000  # bytes of names in one answer; what does not fit is not said
MOST = 262_144  # bytes of a question or an answer that are read

T = TypeVar("T")
NeedKind = Literal["program", "secret"]


class Need(Struct, frozen=True, order=True):
    kind: NeedKind
    name: Annotated[str, Meta(max_length=700)]  # of a secret its place in the entity: env/TOKEN


class Asked(Struct, frozen=True, kw_only=True):
    """A decision of the machine that is asked; or what `source` has under `entity`, were it written to `target`."""

    decision: Annotated[str, Meta(max_length=63)] = ""
    source: Annotated[str, Meta(max_length=80)] = ""  # "baseline" or "machine:<id>"
    entity: Annotated[str, Meta(max_length=600)] = ""
    target: Annotated[str, Meta(max_length=100)] = ""  # "": its own


class Question(Struct, frozen=True, kw_only=True):
    fleet: Token
    machine: Token  # that is asked
    asker: Token
    nonce: Annotated[str, Meta(min_length=16, max_length=64, pattern=r"^[0-9a-f]+\Z")]
    asked: Annotated[tuple[Asked, ...], Meta(min_length=1, max_length=MOST_ASKED)]


class Told(Struct, frozen=True, kw_only=True):
    """About one thing that was asked. `wanted` is the digest of the value that was looked at; None: there is none."""

    wanted: Sha256 | None = None
    lacks: Annotated[tuple[Need, ...], Meta(max_length=MOST_NEEDS)] = ()
    unsure: Annotated[tuple[Need, ...], Meta(max_length=MOST_NEEDS)] = ()  # what it can not say of itself
    why: Annotated[str, Meta(max_length=200)] = ""  # it says nothing about this one


class Answer(Struct, frozen=True, kw_only=True):
    fleet: Token
    machine: Token
    nonce: str
    told: Annotated[tuple[Told, ...], Meta(max_length=MOST_ASKED)]  # in the order of the question


_question = json.Decoder(Question)
_answer = json.Decoder(Answer)
_signed = json.Decoder(Signed)
_ERRORS = (DecodeError, UnicodeDecodeError, RecursionError, ValueError)


class NotSaidError(ValueError):
    """What came back says nothing that can be believed; says why."""


def needs_of(entity: Entity) -> tuple[Need, ...]:
    """What the entity needs where it stands, in the order of the value; no more than MOST_NEEDS."""
    found = [Need("program", program.name) for program in programs(entity)]
    found += [Need("secret", secret_name(entity.key, address)) for address in addresses(entity.value)]
    return tuple(dict.fromkeys(found))[:MOST_NEEDS]


def secret_name(key: str, address: str) -> str:
    """The place of a secret in its entity; of another entity's the whole address, cut where it is no address."""
    return address.removeprefix(f"{key}/")[:700]


def ask(question: Question, signer: str, sign: Sign) -> bytes:
    return json.encode(approval.sign_text(ASKS, json.encode(question).decode(), signer, sign))


def read_question(data: bytes, machine: str, caller: str, law: Law, verify: Verify) -> Question:
    """The question of `caller`, a member of the fleet; ValueError on anything else."""
    signed, question = _opened(_question, data)
    if signed.signer != law.speaker_key(caller) or not approval.genuine(ASKS, signed, verify):
        raise ValueError(f"a question that is not signed with the key of {caller}")
    if (question.fleet, question.machine, question.asker) != (law.fleet, machine, caller):
        raise ValueError("a question to somebody else")
    return question


def reply(answer: Answer, signer: str, sign: Sign) -> bytes:
    return json.encode(approval.sign_text(ANSWERS, json.encode(answer).decode(), signer, sign))


def fitting(told: Sequence[Told]) -> tuple[Told, ...]:
    """What fits into one answer; of the rest nothing is said."""
    fits, left = [], ROOM
    for one in told:
        left -= sum(len(need.name.encode("utf-8", "replace")) + 40 for need in (*one.lacks, *one.unsure))
        fits.append(one if left > 0 else Told(why="more is missing than one answer holds"))
    return tuple(fits)


def read_reply(
    data: bytes, question: Question, needed: Sequence[frozenset[Need]], law: Law, verify: Verify
) -> tuple[Told, ...]:
    """The answer to `question`; `needed`: what each thing that was asked needs, as the reader knows it."""
    try:
        signed, answer = _opened(_answer, data)
    except ValueError as error:
        raise NotSaidError(f"an answer that can not be read: {error}") from error
    machine = question.machine
    if signed.signer != law.speaker_key(machine) or not approval.genuine(ANSWERS, signed, verify):
        raise NotSaidError(f"an answer that is not signed with the key of {machine}")
    if (answer.fleet, answer.machine, answer.nonce) != (law.fleet, machine, question.nonce):
        raise NotSaidError("an answer to another question")
    if len(answer.told) != len(question.asked):
        raise NotSaidError(f"an answer about {len(answer.told)} things; {len(question.asked)} were asked")
    for told, known in zip(answer.told, needed, strict=True):
        if not known.issuperset((*told.lacks, *told.unsure)):
            raise NotSaidError("an answer that names what the change does not need")
    return answer.told


def _opened(decoder: "json.Decoder[T]", data: bytes) -> tuple[Signed, T]:
    if len(data) > MOST:
        raise ValueError(f"{len(data)} bytes")
    try:
        signed = _signed.decode(data)
        return signed, decoder.decode(signed.payload)
    except _ERRORS as error:
        raise ValueError(str(error)[:200]) from error
