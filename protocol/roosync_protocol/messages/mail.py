"""Mail: a closed box on its way to one recipient. Only who holds the recipient's key reads what is in it.

What lies inside is a `mail.Letter`. Outside stands what the broker needs to carry it: to whom, under which id, and
which contents travel with it (by the hash of their closed bytes, so that they are not swept away).
"""

from typing import Annotated

from msgspec import Meta

from roosync_protocol.messages.base import Message, Sha256, Token

MAX_BOX = 900_000  # characters of base64: below the payload limit, headers included
MAX_ATTACHMENTS = 10


class Mail(Message, tag="roosync.v1.mail", frozen=True, kw_only=True):
    to: Token  # one machine or one operator; who writes to many posts one for each
    id: Token  # of the intent: the same for each recipient, and on every retry
    box: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]+={0,2}\Z", max_length=MAX_BOX)]
    contents: Annotated[tuple[Sha256, ...], Meta(max_length=MAX_ATTACHMENTS)] = ()
