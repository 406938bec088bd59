"""One spelling for one value, so that equality, hashes and signatures do not depend on who wrote it.

RFC 8785 (JCS) semantics with one deliberate difference: integers of any size keep all their digits,
where JCS would round them to a double. `1` and `1.0` are one number; `1` and `true` are not one value,
which is why bytes are compared and never Python objects (`[1] == [True]`). msgspec's sorted encoding
has the same bytes for nearly every configuration and is 70 times faster; the rest takes the exact way.
"""

import hashlib
import re

import msgspec
import rfc8785

from roosync_protocol.names import Value

raw = msgspec.json.Encoder().encode  # fast: equal bytes mean equal values, different bytes mean nothing
_sorted = msgspec.json.Encoder(order="deterministic").encode
# Floats are spelled otherwise than in RFC 8785, and msgspec says null for NaN.
_FLOAT_OR_NULL = re.compile(rb"[:\[,](?:-?[0-9]+[.e]|null)")  # inside a text too: that costs time, no more
# RFC 8785 sorts by UTF-16 units; that differs from code points only between these two ranges.
_ASTRAL = re.compile(rb"[\xf0-\xf4]")
_PRIVATE_AND_LATER = re.compile(rb"[\xee\xef]")


class NotCanonicalError(ValueError):
    """The value has no JSON form: not a number, infinity, half a surrogate pair, a key that is no string."""


def canonical(value: Value) -> bytes:
    """The one UTF-8 spelling of `value`. NotCanonicalError when JSON can not say it."""
    try:
        data = _sorted(value)
        if not isinstance(value, dict | list | str) or _FLOAT_OR_NULL.search(data) or _sorts_otherwise(data):
            return _exact(value).encode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:  # UnicodeEncodeError is a ValueError
        raise NotCanonicalError(f"the value has no JSON form: {error}") from error
    return data


def digest(value: Value) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return digest_bytes(canonical(value))


def digest_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def same(a: Value, b: Value) -> bool:
    """Are the two one value? Order of keys and the spelling of numbers do not matter."""
    if a is b:
        return True
    if isinstance(a, str) or isinstance(b, str) or (type(a) is type(b) and isinstance(a, int)):
        return a == b
    if isinstance(a, dict | list):
        if type(a) is not type(b):
            return False
        try:
            data = raw(a)
            if data == raw(b) and b"null" not in data:
                return True
        except (TypeError, ValueError, RecursionError, OverflowError):
            pass  # canonical() says what is wrong
    return canonical(a) == canonical(b)


def _sorts_otherwise(data: bytes) -> bool:
    """May the keys be in another order than RFC 8785 wants?"""
    return not data.isascii() and bool(_ASTRAL.search(data) and _PRIVATE_AND_LATER.search(data))


def _exact(value: Value) -> str:
    match value:
        case dict():
            keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
            return "{" + ",".join(f"{_text(key)}:{_exact(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(_exact, value)) + "]"
        case float():
            return rfc8785.dumps(value).decode()
        case bool() | int() | None:
            return raw(value).decode()
        case str():
            return _text(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _text(text: str) -> str:
    return raw(text).decode()
