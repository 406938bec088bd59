"""Closed boxes: what only its recipient reads, though it lies on a broker that others run, and that others may read.

A letter is closed to the key of its recipient (NaCl sealed box: X25519 of the same Ed25519 key that signs, with a fresh
key for each box, XSalsa20-Poly1305); who wrote it is proven by the signature around it. A file is closed with a key of
its own that travels in the letter (NaCl secretbox), so it lies once on the bus however many receive it.
"""

import base64
import binascii

from nacl.exceptions import CryptoError
from nacl.public import SealedBox
from nacl.secret import SecretBox
from nacl.utils import random

from roosync_broker.errors import ContentError, SenderError
from roosync_broker.keys import KeyPair, verify_key

KEY = SecretBox.KEY_SIZE  # 32 bytes
OVERHEAD = SecretBox.NONCE_SIZE + SecretBox.MACBYTES  # bytes that closing adds to a file


def close_to(public: str, data: bytes) -> str:
    """Base64 of a box that only the holder of `public`'s other half opens. SenderError when that is no key."""
    key = verify_key(public)
    try:
        if key is None:
            raise SenderError(f"{public[:12]}... is no key that a letter can be closed to")
        return base64.b64encode(SealedBox(key.to_curve25519_public_key()).encrypt(data)).decode()
    except (CryptoError, RuntimeError, ValueError) as error:  # a point that is on no curve
        raise SenderError(f"{public[:12]}... is no key that a letter can be closed to") from error


def open_own(pair: KeyPair, box: str) -> bytes:
    """What was closed to this key. SenderError when it was closed to another one, or changed on its way."""
    try:
        return bytes(SealedBox(pair.exchange_key()).decrypt(base64.b64decode(box, validate=True)))
    except (CryptoError, binascii.Error, ValueError, TypeError):
        raise SenderError("it is not closed to the key of this recipient, or was changed on its way") from None


def close_file(data: bytes) -> tuple[str, bytes]:
    """(base64 of a new key, the closed bytes)."""
    key = random(KEY)
    return base64.b64encode(key).decode(), bytes(SecretBox(key).encrypt(data))


def open_file(key: str, closed: bytes) -> bytes:
    """The file. ContentError when the key is not its own, or the bytes were changed."""
    try:
        return bytes(SecretBox(base64.b64decode(key, validate=True)).decrypt(closed))
    except (CryptoError, binascii.Error, ValueError, TypeError):
        raise ContentError("an attached file can not be opened with the key that its letter gives") from None
