"""The one-time code as text: one line that a person carries from one machine to another.

Where the broker is, what its certificate and the fleet's root key are, and a key that may ask to join. A few bytes
of a hash stand behind it, so that a letter lost on the way is told at once, and not as a strange broker.
"""

import base64
import binascii
import hashlib

import msgspec
from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import utc_now

PREFIX = "roosync1-"
CHECK = 4  # bytes of SHA-256; against accidents only: what the code says is proven by the roster and the fingerprint


class Code(Struct, frozen=True, kw_only=True, array_like=True):
    """What travels outside the bus, from person to person."""

    fleet: str
    url: str
    certificate: str | None  # SHA-256 of the broker's certificate, None on loopback
    root: str
    id: str
    seed: str
    expires: int  # seconds since the epoch
    machine: str | None = None


def write_code(code: Code) -> str:
    data = msgspec.json.encode(code)
    return _text(data + _check(data))


def read_code(text: str) -> Code:
    """RefusedRequestError when the text is no code, or is over."""
    text = "".join(text.split())
    if not text.startswith(PREFIX) or len(text) > 4096:
        raise RefusedRequestError("this is no code of `roosync invite`; copy the whole line, it starts with roosync1-")
    body = text.removeprefix(PREFIX)
    try:
        data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        if _check(data[:-CHECK]) != data[-CHECK:] or _text(data) != text:
            raise ValueError("the check does not fit")  # noqa: TRY301 (one answer for everything that is damaged)
        code = msgspec.json.decode(data[:-CHECK], type=Code)
    except (msgspec.DecodeError, binascii.Error, ValueError, UnicodeDecodeError) as error:
        raise RefusedRequestError("the code is damaged or not whole; copy the line again") from error
    if code.expires <= utc_now().timestamp():
        raise RefusedRequestError("the code is over; ask for a new one with `roosync invite`")
    return code


def _text(data: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:CHECK]
