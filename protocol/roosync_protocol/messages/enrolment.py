"""A machine asks to become a member. It may say nothing else on the bus."""

from roosync_protocol.messages.base import Line, Message, PublicKey, Token


class Enrolment(Message, tag="roosync.v1.enrolment", frozen=True, kw_only=True):
    """Posted on `enrol.<code id>.<machine>`, signed by the key that asks to be admitted."""

    code: Token
    key: PublicKey
    host: Line = ""  # what the machine calls itself, for the person who admits it
    system: Line = ""
